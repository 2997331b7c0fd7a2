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

  // fit shows the whole picture, at most at full size.
  fit() {
    if (!this.job?.width) return;
    const {width, height} = this.job;
    const zoom = Math.min(1, this.canvas.width / width, this.canvas.height / height);
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
    this.drawLayer(job.inWidth, job.inHeight, job.inHeight, true, (level, x, y) => this.tiles.get("before", level, x, y, true));
  }

  drawAfter() {
    const {job, strength, tiles} = this;
    this.drawLayer(job.width, job.height, job.rows, false, (level, x, y, whole) => job.detail ?
      tiles.mixed(strength, level, x, y, whole) : tiles.get("result", level, x, y, whole));
  }

  // drawLayer draws a picture of width x height over the whole of the place of the result, of which some
  // rows are there. The tiles that are visible are put together first, so that no joints show.
  drawLayer(width, height, rows, smooth, tile) {
    const {canvas, context, job} = this;
    const across = this.zoom * job.width / width, down = this.zoom * job.height / height;
    const top = topLevel(width, height);
    const level = Math.min(top, Math.max(0, Math.floor(Math.log2(1 / across) + 1e-6)));
    const scale = 2 ** level;
    const levelWidth = Math.ceil(width / scale), levelHeight = Math.ceil(height / scale);
    const from = (at, by) => Math.max(0, Math.floor(-at / (side * by * scale)));
    const to = (at, by, room, size) => Math.min(Math.ceil(size / side), Math.ceil((room - at) / (side * by * scale)));
    const left = from(this.x, across), right = to(this.x, across, canvas.width, levelWidth);
    const upper = from(this.y, down);
    const lower = Math.min(to(this.y, down, canvas.height, levelHeight), Math.ceil(rows / (side * scale)));
    if (right <= left || lower <= upper) return;

    const joined = new OffscreenCanvas(Math.min(right * side, levelWidth) - left * side, Math.min(lower * side, levelHeight) - upper * side);
    const joint = joined.getContext("2d");
    const small = 2 ** (top - level);
    const wholeTile = (level, y) => rows >= Math.min(height, (y + 1) * side * 2 ** level) ? true : rows;
    const coarse = tile(top, 0, 0, wholeTile(top, 0));
    for (let y = upper; y < lower; y++) {
      for (let x = left; x < right; x++) {
        const image = tile(level, x, y, wholeTile(level, y));
        const px = (x - left) * side, py = (y - upper) * side;
        if (image) joint.drawImage(image, px, py);
        else if (coarse) joint.drawImage(coarse, x * side / small, y * side / small, side / small, side / small, px, py, side, side);
      }
    }
    context.save();
    context.beginPath();
    context.rect(this.x, this.y, Math.round(this.zoom * job.width), Math.round(this.zoom * job.height));
    context.clip();
    context.imageSmoothingEnabled = smooth || across * scale < 1;
    context.imageSmoothingQuality = "high";
    context.drawImage(joined, this.x + left * side * across * scale, this.y + upper * side * down * scale,
      joined.width * across * scale, joined.height * down * scale);
    context.restore();
  }
}
