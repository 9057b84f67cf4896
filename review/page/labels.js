// Changes of labels, kept in this browser until the server has confirmed that they are on the disk.
import { complain, post } from "./api.js";

const saved = document.getElementById("saved");
let waiting = [], mine = [], place = "", sending = false, words = "", known = () => 0, heard = () => {};

// Each change has its own place in the browser, so that tabs do not overwrite each other's. One that two tabs send is saved once.
export function open(data, version, listener) {
  place = `hpa-boost review ${data}\n`;
  known = version;
  heard = listener;
  try {
    waiting = Object.entries(localStorage).filter(([name]) => name.startsWith(place)).map(([, text]) => JSON.parse(text)).sort((a, b) => a.made - b.made);
  } catch { waiting = []; }
  show();
  send();
}
function add(changes) {
  const entries = changes.map((one) => ({ entry: own(), made: performance.timeOrigin + performance.now(), value: "", ...one }));
  waiting.push(...entries);
  for (const one of entries) {
    try { localStorage.setItem(place + one.entry, JSON.stringify(one)); } catch { /* full or forbidden: they are still sent */ }
  }
  return entries;
}
function drop(names) {
  waiting = waiting.filter((one) => !names.has(one.entry));
  try { for (const name of names) localStorage.removeItem(place + name); } catch { /* forbidden: none is there */ }
}
function show(text = "") {
  saved.className = waiting.length ? "waiting" : "";
  saved.textContent = waiting.length ? `${waiting.length} not saved yet` : text;
}
const own = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

// Each change: {id, action, value}. Changes that are made together are undone together.
export function change(changes) {
  if (!changes.length) { show("nothing to change"); return; }
  mine.push(add(changes).filter((one) => one.action !== "undo"));
  words = "";
  show();
  send();
}
// A field's labels, and whether it is unusable, with the changes that are not saved yet.
export function standing(field) {
  let names = new Set(field.labels), unusable = field.unusable;
  for (const one of waiting.filter((change) => change.id === field.id)) {
    if (one.action === "add") names.add(one.value);
    else if (one.action === "remove") names.delete(one.value);
    else if (one.action === "set") names = new Set(one.value.split("|").filter(Boolean));
    else if (one.action === "unusable" || one.action === "usable") unusable = one.action === "unusable";
  }
  return { names, unusable };
}
export function undo() {
  const last = mine.pop();
  if (!last || !last.length) { show("nothing to undo since this page was opened"); return; }
  add(last.map((one) => ({ id: one.id, action: "undo", value: one.entry })));
  show();
  words = `undone: ${last.length === 1 ? `${`${last[0].action} ${last[0].value}`.trim()} (${last[0].id})` : `${last.length} changes`}`;
  send();
}
async function send() {
  if (sending || !waiting.length) return;
  sending = true;
  let most = 500, refused = "";
  try {
    while (waiting.length) {
      const batch = waiting.slice(0, most);
      try {
        const done = await post("corrections", { entries: batch, since: known() });
        drop(new Set(done.saved));
        heard(done);
      } catch (error) {
        if (!error.refused) throw error;
        if (batch.length > 1) most = 1; // then only the one that is refused is lost
        else { drop(new Set([batch[0].entry])); refused = `Not saved: ${error.message}`; }
      }
    }
    complain(refused);
    show(refused || words || "saved");
  } catch (error) {
    complain(`Not saved: ${error.message}`);
    show();
    setTimeout(send, 2000);
  } finally {
    sending = false;
  }
}
