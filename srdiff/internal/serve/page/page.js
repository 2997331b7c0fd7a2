// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

import {Jobs} from "./jobs.js";
import {Viewer} from "./viewer.js";

const element = (id) => document.getElementById(id);

let models = [], jobs = [], shown = ""; // shown is the job in the viewer
const strengths = new Map(); // of jobs, where they were moved

// say has a screen reader read a text.
const say = (text) => { element("status").textContent = text; };

// write changes a text only if it differs, so that a selection in it stays.
function write(id, text) {
  if (element(id).textContent !== text) element(id).textContent = text;
}

// refused shows why a picture was not taken.
function refused(text) {
  const line = document.createElement("p");
  line.textContent = text;
  element("refused").append(line);
}

// Settings.

function chooseModel() {
  const model = models[element("model").selectedIndex];
  element("for").textContent = model.for ? `For ${model.for}.` : "A model file of your own.";
  element("scale").value = model.factor;
}

function listModels(list) {
  if (models.length) return;
  models = list;
  element("model").replaceChildren(...list.map((m) => new Option(m.name)));
  chooseModel();
}

element("model").addEventListener("change", chooseModel);
element("settings").addEventListener("submit", (e) => e.preventDefault());

// query is what the settings ask for. The model's own factor is not named, as on the command line.
function query(name) {
  const model = models[element("model").selectedIndex], scale = element("scale").value;
  const q = new URLSearchParams({name, model: model.name, format: element("format").value});
  if (Number(scale) !== model.factor) q.set("scale", scale);
  return q;
}

// Uploads, one after the other.

async function upload(files) {
  element("refused").replaceChildren();
  if (!element("settings").reportValidity()) return;
  for (const file of files) {
    try {
      const answer = await fetch(`jobs?${query(file.name)}`, {method: "POST", body: file});
      if (!answer.ok) {
        refused((await answer.text()).trim());
        continue;
      }
      shown ||= (await answer.json()).id;
      await refresh();
    } catch {
      refused(`${file.name} could not be sent: is it a file, and does srdiff serve still run?`);
    }
  }
}

element("choose").addEventListener("click", () => element("files").click());
element("files").addEventListener("change", (e) => {
  upload([...e.target.files]);
  e.target.value = ""; // so that the same file can be chosen again
});
addEventListener("paste", (e) => {
  if (e.clipboardData.files.length) upload([...e.clipboardData.files]);
});

let over = 0; // how many elements a drag is over
const dragging = (by) => { element("over").hidden = (over += by) <= 0; };
addEventListener("dragenter", (e) => { e.preventDefault(); dragging(1); });
addEventListener("dragleave", () => dragging(-1));
addEventListener("dragover", (e) => e.preventDefault());
addEventListener("drop", (e) => {
  e.preventDefault();
  dragging(-over);
  const files = [];
  for (const item of e.dataTransfer.items) {
    const entry = item.webkitGetAsEntry?.();
    if (entry?.isDirectory) refused(`${entry.name} is a folder: drop the pictures in it, or use srdiff upscale`);
    else if (item.kind === "file") files.push(item.getAsFile());
  }
  if (files.length) upload(files);
});

// The list of jobs.

const list = new Jobs(element("jobs"), {
  pick(id) {
    shown = id;
    show();
    if (matchMedia("(max-width: 46rem)").matches) element("viewer").scrollIntoView();
  },
  async remove(id) {
    const job = jobs.find((j) => j.id === id);
    try {
      await fetch(`jobs/${id}`, {method: "DELETE"});
      await refresh();
    } catch {
      return; // the server has ended, which follow shows
    }
    say(`${job.name}: ${job.state === "waiting" || job.state === "running" ? "cancelled" : "removed"}`);
    element("choose").focus();
  },
  say,
});

// The viewer.

const viewer = new Viewer(element("canvas"), (zoom) => { element("zoom").textContent = `${Math.round(100 * zoom)}%`; });

const split = element("split");
split.addEventListener("input", () => {
  viewer.split = Number(split.value);
  viewer.redraw();
});
const strength = element("strength");
strength.addEventListener("input", () => {
  strengths.set(shown, strength.value);
  show();
});
element("in").addEventListener("click", () => viewer.zoomTo(viewer.zoom * 2));
element("out").addEventListener("click", () => viewer.zoomTo(viewer.zoom / 2));
element("fit").addEventListener("click", () => viewer.fit());
element("full").addEventListener("click", () => viewer.zoomTo(1));

// show shows the chosen job.
function show() {
  const job = jobs.find((j) => j.id === shown) ?? jobs[0];
  shown = job?.id ?? "";
  list.update(jobs, shown);
  element("viewer").hidden = !job;
  element("empty").hidden = Boolean(job);
  if (!job) {
    viewer.show(null);
    return;
  }
  write("title", job.name);
  write("sizes", job.width ? `${job.inWidth} × ${job.inHeight} to ${job.width} × ${job.height}` : "");
  element("error").hidden = !job.error;
  write("error", job.error ?? "");
  element("frame").hidden = !job.width;
  document.querySelector(".below").hidden = !job.width;
  element("canvas").setAttribute("aria-label", `${job.name}, before and after. ` +
    "Arrow keys move the picture, plus and minus zoom, 0 fits it, 1 shows it at full size.");
  write("remarks", (job.remarks ?? []).join("\n"));
  element("mix").hidden = !job.detail;
  strength.value = strengths.get(job.id) ?? 1;
  write("amount", Number(strength.value).toFixed(2));
  viewer.strength = Number(strength.value);
  viewer.show(job);

  const take = element("take"), ready = job.state === "done";
  take.setAttribute("aria-disabled", !ready);
  take.hidden = job.state === "failed";
  if (ready) take.href = `jobs/${job.id}/result` + (job.detail ? `?strength=${strength.value}` : "");
  else take.removeAttribute("href");
  take.setAttribute("download", job.result);
  take.title = job.result;
}

// The server's state.

async function refresh() {
  const state = await (await fetch("state")).json();
  jobs = state.jobs;
  listModels(state.models);
  show();
}

async function follow() {
  for (;;) {
    let pause = 2000;
    try {
      await refresh();
      element("ended").hidden = true;
      if (jobs.some((j) => j.state === "waiting" || j.state === "running")) pause = 250;
    } catch {
      element("ended").hidden = false;
      element("ended").textContent = "srdiff serve has ended. Start it again, and open the address that it prints.";
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}

follow();
