// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// side is the side of a tile, as in raster.go.
export const side = 256;

// topLevel is the level at which a picture is one tile.
export function topLevel(width, height) {
  let level = 0;
  while (Math.max(width, height) / 2 ** level > side) level++;
  return level;
}

// most is how many tiles are kept.
const most = 600;

// Tiles are the tiles of a job's layers, as far as they were asked for.
export class Tiles {
  // arrived is called when a tile comes.
  constructor(id, arrived) {
    this.id = id;
    this.arrived = arrived;
    this.known = new Map(); // the one that was used last is the last one
  }

  // get returns a tile that can be drawn, or undefined while there is none. rows is true for a tile that
  // is whole on the server, or else how many rows of its layer are there: a tile of fewer rows is fetched
  // again.
  get(layer, level, x, y, rows) {
    return this.entry(layer, level, x, y, rows).image;
  }

  entry(layer, level, x, y, rows) {
    const key = `layer=${layer}&level=${level}&x=${x}&y=${y}`;
    const entry = this.known.get(key) ?? {};
    this.known.delete(key);
    this.known.set(key, entry);
    if (entry.rows !== rows && entry.rows !== true && !entry.loading) {
      entry.loading = true;
      this.load(key, entry, rows);
    }
    return entry;
  }

  async load(key, entry, rows) {
    try {
      const answer = await fetch(`jobs/${this.id}/tile?${key}`);
      if (!answer.ok) return; // the job is removed
      entry.image = await createImageBitmap(await answer.blob());
      entry.rows = rows;
      entry.pixels = undefined;
      entry.version = (entry.version ?? 0) + 1;
      for (const old of this.known.keys()) {
        if (this.known.size <= most) break;
        this.known.delete(old);
      }
      this.arrived();
    } catch {
      // The server has ended, which page.js shows.
    } finally {
      entry.loading = false;
    }
  }

  // mixed returns a tile of the result of a strength: mean + strength (result - mean), as in
  // srdiff.Refined.At.
  mixed(strength, level, x, y, rows) {
    const mean = this.entry("mean", level, x, y, rows), whole = this.entry("result", level, x, y, rows);
    if (!mean.image || !whole.image) return undefined;
    if (strength === 1) return whole.image;
    if (strength === 0) return mean.image;
    const made = `${strength} ${mean.version} ${whole.version}`;
    if (whole.made === made) return whole.mixed;
    const from = pixelsOf(mean), to = pixelsOf(whole);
    const image = new ImageData(from.width, from.height);
    for (let i = 0; i < image.data.length; i++) image.data[i] = from.data[i] + strength * (to.data[i] - from.data[i]);
    whole.mixed ??= new OffscreenCanvas(image.width, image.height);
    whole.mixed.getContext("2d").putImageData(image, 0, 0);
    whole.made = made;
    return whole.mixed;
  }
}

// pixelsOf returns the pixels of a tile.
function pixelsOf(entry) {
  if (!entry.pixels) {
    const canvas = new OffscreenCanvas(entry.image.width, entry.image.height);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(entry.image, 0, 0);
    entry.pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  }
  return entry.pixels;
}
