// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

import {topLevel} from "./tiles.js";

// Jobs is the list of jobs. Its elements stay the same while their jobs change, so that the focus does.
export class Jobs {
  // does has the functions that the list calls: pick(id), remove(id) and say(text).
  constructor(list, does) {
    this.list = list;
    this.does = does;
    this.items = new Map();
  }

  update(jobs, shown) {
    for (const [id, item] of this.items) {
      if (!jobs.some((j) => j.id === id)) {
        item.row.remove();
        this.items.delete(id);
      }
    }
    for (const job of jobs) {
      let item = this.items.get(job.id);
      if (!item) {
        item = this.make(job);
        this.items.set(job.id, item);
        this.list.append(item.row);
      }
      this.draw(item, job, job.id === shown);
    }
  }

  make(job) {
    const part = (name, type) => Object.assign(document.createElement(type), {className: name});
    const row = part("", "li"), pick = part("pick", "button"), drop = part("drop", "button");
    const words = part("words", "span"), name = part("name", "span"), note = part("note", "span");
    const progress = part("", "progress"), blank = part("blank", "span");
    pick.type = drop.type = "button";
    name.textContent = name.title = job.name;
    progress.setAttribute("aria-label", `Progress of ${job.name}`);
    drop.textContent = "×";
    words.append(name, note);
    pick.append(blank, words);
    row.append(pick, drop, progress);
    pick.addEventListener("click", () => this.does.pick(job.id));
    drop.addEventListener("click", () => this.does.remove(job.id));
    return {row, pick, drop, note, progress, blank, said: ""};
  }

  draw(item, job, shown) {
    item.row.className = [job.state, shown ? "shown" : ""].join(" ");
    item.pick.setAttribute("aria-current", shown);
    const active = job.state === "waiting" || job.state === "running";
    item.drop.setAttribute("aria-label", `${active ? "Cancel" : "Remove"} ${job.name}`);
    item.drop.title = active ? "Cancel" : "Remove";
    item.note.textContent = noteOf(job);
    item.progress.hidden = job.state !== "running";
    if (job.share > 0) item.progress.value = job.share;
    if (job.width && item.blank) {
      const image = new Image();
      image.alt = "";
      image.src = `jobs/${job.id}/tile?layer=before&level=${topLevel(job.inWidth, job.inHeight)}&x=0&y=0`;
      item.blank.replaceWith(image);
      item.blank = null;
    }
    this.say(item, job);
  }

  // say has a screen reader follow the job: its state, and every quarter of its work.
  say(item, job) {
    const quarter = job.state === "running" ? Math.floor(4 * job.share) : 0;
    const at = `${job.state} ${quarter}`;
    if (at === item.said) return;
    item.said = at;
    this.does.say(`${job.name}: ${quarter > 0 && quarter < 4 ? `${25 * quarter} percent` : noteOf(job)}`);
  }
}

// noteOf is the line below a job's name.
function noteOf(job) {
  switch (job.state) {
    case "waiting": return "waits for its turn";
    case "running": return job.progress || "begins";
    case "failed": return job.error;
  }
  return `${job.width} × ${job.height}, model ${job.model}`;
}
