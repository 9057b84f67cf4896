// Changes of labels: shown at once, kept in this browser until the server has confirmed that they are on the disk.
import { complain, post } from "./api.js";

const saved = document.getElementById("saved");
let waiting = [], mine = [], place = "", sending = false, words = "", heard = () => {};

export function open(run, listener) {
  place = `hpa-boost review ${run.data}`;
  heard = listener;
  try { waiting = JSON.parse(localStorage.getItem(place)) || []; } catch { waiting = []; }
  show();
  send();
}
function keep() {
  try { localStorage.setItem(place, JSON.stringify(waiting)); } catch { /* full or forbidden: they are still sent */ }
}
function show(text = "") {
  saved.className = waiting.length ? "waiting" : "";
  saved.textContent = waiting.length ? `${waiting.length} not saved yet` : text;
}
const own = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

// Each change: {id, action, value}. Changes that are made together are undone together.
export function change(changes) {
  if (!changes.length) return;
  const entries = changes.map((one) => ({ entry: own(), value: "", ...one }));
  mine.push(entries.filter((one) => one.action !== "undo"));
  waiting.push(...entries);
  keep();
  words = "";
  show();
  send();
}
export function undo() {
  const last = mine.pop();
  if (!last || !last.length) { show("nothing of yours to undo"); return; }
  const entries = last.map((one) => ({ entry: own(), id: one.id, action: "undo", value: one.entry }));
  waiting.push(...entries);
  keep();
  show();
  words = `undone: ${last.length === 1 ? `${last[0].action} ${last[0].value}`.trim() : `${last.length} changes`}`;
  send();
}
async function send() {
  if (sending || !waiting.length) return;
  sending = true;
  try {
    while (waiting.length) {
      const batch = waiting.slice(0, 500);
      const done = await post("corrections", { entries: batch });
      const there = new Set(done.saved);
      waiting = waiting.filter((one) => !there.has(one.entry));
      keep();
      heard(done);
    }
    complain("");
    show(words || "saved");
  } catch (error) {
    complain(`Not saved: ${error.message}`);
    if (error.refused) { waiting = []; keep(); show("refused"); }
    else { show(); setTimeout(send, 2000); }
  } finally {
    sending = false;
  }
}
