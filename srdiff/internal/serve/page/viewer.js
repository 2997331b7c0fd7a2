// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

import {Tiles, side, topLevel} from "./tiles.js";

// thumb is the width of the slider's thumb, as in page.css.
const thumb = 40;

const minZoom = 1 / 64, maxZoom = 16;

// Viewer draws a picture before and after, with a line between the two. One pixel of the result at a zoom
// of 1 is one pixel of the screen. Places on the canvas are in pixels of the screen.
export class Viewer {
  // changed is called when the zoom changes.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.changed = changed;
    this.checks = checks(this.context);
    this.split = 0.5;
    this.strength = 1;
    this.job = null;
    this.fitted = true; // the zoom follows the size of the canvas
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
  }

  // show shows a job, or its newer state.
  show(job) {
    const other = this.job?.id !== job?.id;
    if (other) {
      this.tiles = job && new Tiles(job.id, () => this.redraw());
      this.fitted = true;
    }
    const sized = this.job?.width !== job?.width;
    this.job = job;
    if (other || sized) this.resize();
    this.redraw();
  }

  resize() {
    const ratio = window.devicePixelRatio;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.fitted) this.fit();
    this.draw(); // at once: a resized canvas is empty
  }

  // fit shows the whole picture, a small one with a whole zoom.
  fit() {
    if (!this.job?.width) return;
    const {width, height} = this.job;
    let zoom = Math.min(8, this.canvas.width / width, this.canvas.height / height);
    if (zoom > 1) zoom = Math.floor(zoom);
    this.place(zoom, (this.canvas.width - zoom * width) / 2, (this.canvas.height - zoom * height) / 2);
    this.fitted = true;
  }

  // place shows the picture with a zoom, and its upper left corner at x, y.
  place(zoom, x, y) {
    const {width, height} = this.job;
    const within = (at, size, room) => size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at));
    this.zoom = zoom;
    this.x = Math.round(within(x, zoom * width, this.canvas.width));
    this.y = Math.round(within(y, zoom * height, this.canvas.height));
    this.fitted = false;
    this.changed(zoom);
    this.redraw();
  }

  // zoomTo changes the zoom, while the place x, y of the canvas shows what it shows.
  zoomTo(zoom, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    if (!this.job?.width) return;
    zoom = Math.min(maxZoom, Math.max(minZoom, zoom));
    const by = zoom / this.zoom;
    this.place(zoom, x - by * (x - this.x), y - by * (y - this.y));
  }

  pan(dx, dy) {
    if (this.job?.width) this.place(this.zoom, this.x + dx, this.y + dy);
  }

  listen() {
    const canvas = this.canvas, pointers = new Map();
    const at = (e) => {
      const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio;
      return {x: (e.clientX - box.left) * ratio, y: (e.clientY - box.top) * ratio};
    };
    const middle = () => {
      const [a, b = a] = pointers.values();
      return {x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y)};
    };
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      pointers.set(e.pointerId, at(e));
    });
    canvas.addEventListener("pointermove", (e) => {
      if (!pointers.has(e.pointerId) || !this.job?.width) return;
      const before = middle();
      pointers.set(e.pointerId, at(e));
      const now = middle();
      this.pan(now.x - before.x, now.y - before.y);
      if (before.apart > 0) this.zoomTo(this.zoom * now.apart / before.apart, now.x, now.y);
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (e) => pointers.delete(e.pointerId));
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      const {x, y} = at(e);
      this.zoomTo(this.zoom * Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.002)), x, y);
    }, {passive: false});
    canvas.addEventListener("keydown", (e) => {
      const step = e.shiftKey ? 400 : 80;
      const does = {
        ArrowLeft: () => this.pan(step, 0), ArrowRight: () => this.pan(-step, 0),
        ArrowUp: () => this.pan(0, step), ArrowDown: () => this.pan(0, -step),
        "+": () => this.zoomTo(this.zoom * 2), "=": () => this.zoomTo(this.zoom * 2), "-": () => this.zoomTo(this.zoom / 2),
        "0": () => this.fit(), "1": () => this.zoomTo(1),
      }[e.key];
      if (!does || e.ctrlKey || e.metaKey || e.altKey) return;
      e.preventDefault();
      does();
    });
  }

  // redraw draws soon, once for all changes until then.
  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.waiting = false;
    const {context, canvas, job} = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!job?.width) return;
    context.fillStyle = this.checks;
    context.fillRect(this.x, this.y, Math.round(this.zoom * job.width), Math.round(this.zoom * job.height));
    const line = this.line();
    const end = this.y + this.zoom * job.rows; // of the rows that are made
    this.clip(0, 0, line, canvas.height, () => this.drawBefore());
    this.clip(line, end, canvas.width, canvas.height, () => this.drawBefore());
    this.clip(line, 0, canvas.width, end, () => this.drawAfter());
    context.fillStyle = "#0008";
    context.fillRect(line - 2, 0, 4, canvas.height);
    context.fillStyle = "#fff";
    context.fillRect(line - 1, 0, 2, canvas.height);
  }

  // line is where the line is: under the middle of the slider's thumb.
  line() {
    const ratio = window.devicePixelRatio;
    return Math.round((thumb / 2 + this.split * (this.canvas.width / ratio - thumb)) * ratio);
  }

  // clip draws within a part of the canvas.
  clip(left, top, right, bottom, draw) {
    if (right <= left || bottom <= top) return;
    this.context.save();
    this.context.beginPath();
    this.context.rect(left, top, right - left, bottom - top);
    this.context.clip();
    draw();
    this.context.restore();
  }

  drawBefore() {
    const {job} = this;
    this.magnified((place) => drawLayer(place, job, job.inWidth, job.inHeight, job.inHeight,
      (level, x, y) => this.tiles.get("before", level, x, y, true)));
  }

  drawAfter() {
    const {job, strength, tiles} = this;
    this.magnified((place) => drawLayer(place, job, job.width, job.height, job.rows, (level, x, y, rows) => job.detail ?
      tiles.mixed(strength, level, x, y, rows) : tiles.get("result", level, x, y, rows)));
  }

  // magnified draws at the zoom. Beyond a zoom of 1, the pixels of the result are drawn as squares, before
  // and after alike.
  magnified(draw) {
    const {canvas, context, job, x, y, zoom} = this;
    if (zoom <= 1) {
      draw({canvas, context, x, y, zoom});
      return;
    }
    const left = Math.max(0, Math.floor(-x / zoom)), right = Math.min(job.width, Math.ceil((canvas.width - x) / zoom));
    const top = Math.max(0, Math.floor(-y / zoom)), bottom = Math.min(job.height, Math.ceil((canvas.height - y) / zoom));
    if (right <= left || bottom <= top) return;
    const full = new OffscreenCanvas(right - left, bottom - top);
    draw({canvas: full, context: full.getContext("2d"), x: -left, y: -top, zoom: 1});
    context.imageSmoothingEnabled = false;
    context.drawImage(full, x + left * zoom, y + top * zoom, full.width * zoom, full.height * zoom);
  }
}

// drawLayer draws a picture of width x height, of which some rows are there, over the whole place of a
// job's result. The tiles that are visible are put together first, so that no joints show.
function drawLayer(place, job, width, height, rows, tile) {
  const {canvas, context, x: originX, y: originY, zoom} = place;
  const across = zoom * job.width / width, down = zoom * job.height / height;
  const top = topLevel(width, height);
  const level = Math.min(top, Math.max(0, Math.floor(Math.log2(1 / across) + 1e-6)));
  const scale = 2 ** level;
  const levelWidth = Math.ceil(width / scale), levelHeight = Math.ceil(height / scale);
  const from = (at, by) => Math.max(0, Math.floor(-at / (side * by * scale)));
  const to = (at, by, room, size) => Math.min(Math.ceil(size / side), Math.ceil((room - at) / (side * by * scale)));
  const left = from(originX, across), right = to(originX, across, canvas.width, levelWidth);
  const upper = from(originY, down);
  const lower = Math.min(to(originY, down, canvas.height, levelHeight), Math.ceil(rows / (side * scale)));
  if (right <= left || lower <= upper) return;

  const joined = new OffscreenCanvas(Math.min(right * side, levelWidth) - left * side, Math.min(lower * side, levelHeight) - upper * side);
  const joint = joined.getContext("2d");
  const small = side / 2 ** (top - level); // a tile's side in the only tile of the top level
  const known = (level, y) => rows >= Math.min(height, (y + 1) * side * 2 ** level) ? true : rows;
  const coarse = tile(top, 0, 0, known(top, 0));
  for (let y = upper; y < lower; y++) {
    for (let x = left; x < right; x++) {
      const image = tile(level, x, y, known(level, y));
      const px = (x - left) * side, py = (y - upper) * side;
      if (image) joint.drawImage(image, px, py);
      else if (coarse) joint.drawImage(coarse, x * small, y * small, small, small, px, py, side, side);
    }
  }
  context.save();
  context.beginPath();
  context.rect(originX, originY, Math.round(zoom * job.width), Math.round(zoom * job.height));
  context.clip();
  context.imageSmoothingEnabled = true; // without effect where a pixel is a pixel
  context.imageSmoothingQuality = "high";
  context.drawImage(joined, originX + left * side * across * scale, originY + upper * side * down * scale,
    joined.width * across * scale, joined.height * down * scale);
  context.restore();
}

// checks is what lies under transparent pictures.
function checks(context) {
  const tile = new OffscreenCanvas(24, 24), c = tile.getContext("2d");
  c.fillStyle = "#dcdcdc";
  c.fillRect(0, 0, 24, 24);
  c.fillStyle = "#bdbdbd";
  c.fillRect(0, 0, 12, 12);
  c.fillRect(12, 12, 12, 12);
  return context.createPattern(tile, "repeat");
}
