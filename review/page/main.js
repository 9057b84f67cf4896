// Which view is open, the keys that work everywhere, and how far the background work is.
import { complain, get } from "./api.js";
import { makeField } from "./field.js";
import { makeGallery } from "./gallery.js";
import * as labels from "./labels.js";
import { makeMap } from "./map.js";
import { makeRefit } from "./refit.js";

const root = document.getElementById("view"), working = document.getElementById("working"), help = document.getElementById("help");
const WORK = { predictions: "Predicting fields that were not fitted on", fields: "Placing the fields by their features", unlike: "Comparing fields with those fitted on", cells: "Reading where the cells lie", "map of cells": "Preparing the map of cells", refit: "Refitting" };
let run = null, view = null, from = "fields", selection = {};

function open() {
  const [hash, ...further] = (location.hash.slice(1) || "fields").split("&"), [name, value] = hash.split("=").map(decodeURIComponent);
  view?.close();
  complain("");
  if (name === "field") view = makeField(root, run, value || "", new URLSearchParams(further.join("&")), () => { location.hash = from; });
  else {
    from = ["fields", "next", "cells", "map", "refit"].includes(name) ? name : "fields";
    const showChosen = (level, keys, chosen) => { selection = { [level === "cells" ? "cells" : "rows"]: keys, chosen, split: "" }; location.hash = level; };
    if (from === "map") view = makeMap(root, run, (level, keys) => showChosen(level, keys, "chosen on the map"));
    else if (from === "refit") view = makeRefit(root, run, (query) => { selection = { split: "", ...query }; location.hash = "fields"; }, async () => { await facts(); open(); });
    else { view = makeGallery(root, run, from, selection); selection = {}; }
  }
  scrollTo(0, 0);
  if (document.activeElement === document.body) root.focus();
  const links = [...document.querySelectorAll("nav a")], here = links.find((link) => link.hash === `#${from}`);
  for (const link of links) link.ariaCurrent = link === here ? "page" : null;
  document.title = `${name === "field" ? value : here.textContent} – review`;
}
async function facts() {
  run = await get("run");
  document.getElementById("title").textContent = `Review of ${run.run.split(/[\\/]/).slice(-2).join("/")}`;
  document.getElementById("title").title = `${run.run}; data: ${run.data}`;
}
// Asks what the server does, and what other tabs and people changed: every few seconds, and when this tab is looked at again.
let next = 0, asking = false, lost = false;
async function watch() {
  if (asking) return;
  asking = true;
  clearTimeout(next);
  let pause = 5000;
  try {
    const now = await get("status", { since: run.counts.version });
    const busy = Object.entries(now.tasks).filter(([, task]) => ["waiting", "running"].includes(task.stage));
    const failed = Object.entries(now.tasks).filter(([name, task]) => task.stage === "failed" && name !== "refit");
    const words = busy.filter(([name]) => WORK[name]).map(([name, task]) => `${WORK[name]}${task.total ? ` (${Math.floor(100 * task.done / task.total)} %)` : ""}`);
    words.push(...failed.map(([, task]) => task.error));
    if (now.pictures) words.push(`No pictures: ${now.pictures}`);
    if (!run.fit) words.push(run.counts.labelled ? run.no_fit : "No field has a label yet: start with Label next.");
    if (working.textContent !== words.join(" · ")) working.textContent = words.join(" · ");
    working.hidden = !words.length;
    if (busy.length) pause = 1000;
    run.counts = now.counts;
    if (now.version !== run.version) { await facts(); open(); }
    else if (now.rows.length) view?.changed(now);
    if (lost) complain("");
    lost = false;
  } catch (error) {
    lost = true;
    pause = 4000;
    complain(error.message);
  }
  asking = false;
  next = setTimeout(watch, pause);
}
document.addEventListener("visibilitychange", () => { if (!document.hidden && run) watch(); });
addEventListener("hashchange", open);
addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=checkbox]):not([type=range]), textarea, select");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !typing) { event.preventDefault(); labels.undo(); return; }
  if (typing || help.open) { if (event.key === "Escape" && typing) (root.querySelector(".card[tabindex='0']") ?? root).focus(); return; }
  if (event.key === "?") { help.showModal(); return; }
  if (event.target.matches?.("button, a, summary") && [" ", "Enter"].includes(event.key) && !event.target.closest(".grid")) return;
  if (event.target.matches?.("input") && event.key === " ") return;
  view?.keydown(event);
});
root.addEventListener("again", open);
document.getElementById("undo").addEventListener("click", () => labels.undo());
document.getElementById("help-button").addEventListener("click", () => help.showModal());
try {
  await facts();
  labels.open(run.data, () => run.counts.version, (done) => { run.counts = done.counts; view?.changed(done); if (!run.fit) watch(); });
  open();
  watch();
} catch (error) { complain(error.message); }
