// The list of classes beside the gallery and the field: shows the labels of what is selected, and changes them.
import { complain, post } from "./api.js";
import { counted, el, percent } from "./dom.js";
import { change, standing } from "./labels.js";

const KEYS = "1234567890abcdefghijklmnopqrstuvwxyz";
export const keyOf = (number) => KEYS[number] || "";
export const classOf = (key, names) => names[KEYS.indexOf(key)];

export function toggle(fields, name) {
  const usable = fields.filter((field) => field.split === "train");
  const carries = (field) => standing(field).names.has(name), add = !usable.every(carries);
  change(usable.filter((field) => carries(field) !== add)
    .map((field) => ({ id: field.id, action: add ? "add" : "remove", value: name })));
}
// A field without a call is then labelled as carrying no class, but one that was not predicted is not. Labels of classes that
// were not learnt stay: no model could call them.
const mayAccept = (field) => field.split === "train" && field.probabilities.length > 0;
export function accept(fields) {
  change(fields.filter(mayAccept).map((field) => {
    const learnt = new Set(field.probabilities.map(([name]) => name)), others = field.labels.filter((name) => !learnt.has(name));
    return { id: field.id, action: "set", value: [...field.calls.map(([name]) => name), ...others].join("|") };
  }));
}
export function markUnusable(fields) {
  const usable = fields.filter((field) => field.split === "train");
  const mark = !usable.every((field) => standing(field).unusable);
  change(usable.map((field) => ({ id: field.id, action: mark ? "unusable" : "usable" })));
}
export function writeNote(fields, longest) {
  const text = prompt("Note (empty removes it):", fields[0]?.note || "");
  if (text?.length > longest) complain(`A note has at most ${longest} characters, this one has ${text.length}. The note is as it was.`);
  else if (text !== null) change(fields.filter((field) => field.split === "train").map((field) => ({ id: field.id, action: "note", value: text })));
}
// Keys that work wherever fields are selected; true if the key was one of them.
export function labelKey(event, fields, run) {
  if (!fields.length || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return false;
  // Digits by their place, for keyboards that write them with Shift; letters also with Caps Lock.
  const key = /^Digit\d$/.test(event.code) ? event.code.at(-1) : event.key.toLowerCase();
  const name = event.shiftKey ? undefined : classOf(key, run.classes);
  if (name) toggle(fields, name);
  else if (event.key === ".") accept(fields);
  else if (event.key === "Delete") markUnusable(fields);
  else if (event.key === ",") writeNote(fields, run.longest_note);
  else return false;
  return true;
}
async function addClass(run) {
  const name = prompt("Name of the new class:");
  if (!name) return;
  try {
    run.classes = (await post("class", { name })).classes;
    complain("");
    document.getElementById("view").dispatchEvent(new CustomEvent("again"));
  } catch (error) { complain(error.message); }
}
export function panel(fields, run, open) {
  const test = fields.every((field) => field.split !== "train");
  const one = fields.length === 1 ? fields[0] : null;
  const p = new Map(one?.probabilities), called = new Set(one?.calls.map(([name]) => name));
  const rows = run.classes.map((name, j) => {
    const n = fields.filter((field) => field.labels.includes(name)).length;
    const pressed = n === 0 ? "false" : n === fields.length ? "true" : "mixed";
    const right = p.has(name) ? `${called.has(name) ? "called " : ""}${percent(p.get(name))}` : p.size ? "not learnt" : counted(run.counts.of_class[j] ?? 0, "field");
    return el("li", {}, el("button", {
      type: "button", "aria-pressed": pressed, "data-class": name, disabled: test, on: { click: () => toggle(fields, name) },
      title: `${counted(run.counts.of_class[j] ?? 0, "field")} labelled so`,
    }, el("kbd", {}, keyOf(j) || "·"), el("span", { class: "mark", "aria-hidden": "true" }, pressed === "true" ? "✓" : pressed === "mixed" ? "–" : ""),
    el("span", {}, name), el("span", { class: "n" }, right)));
  });
  const bad = fields.every((field) => field.unusable);
  return el("div", {},
    el("h2", {}, one ? one.id : `${fields.length} fields`),
    test && el("p", { class: "hint" }, "A test field: never learnt from. To label it, move its images into train/ and extract again."),
    one && !test && el("p", { class: "hint" }, one.unusable ? "Marked as unusable: never learnt from." : one.labelled
      ? `Labelled${one.corrected ? ", corrected" : ""}: ${one.labels.join(", ") || "no class"}` : "Not labelled yet."),
    el("div", { class: "actions" },
      one && open && el("button", { type: "button", on: { click: () => open(one) } }, "Open ", el("kbd", {}, "Enter")),
      el("button", { type: "button", disabled: !fields.some(mayAccept), on: { click: () => accept(fields) } }, "Label as called ", el("kbd", {}, ".")),
      el("button", { type: "button", disabled: test, on: { click: () => markUnusable(fields) } }, bad ? "Usable again " : "Unusable ", el("kbd", {}, "Del")),
      el("button", { type: "button", disabled: test, on: { click: () => writeNote(fields, run.longest_note) } }, "Note ", el("kbd", {}, ","))),
    one && one.note && el("p", {}, `Note: ${one.note}`),
    one && one.doubts.filter(([name, labelled]) => one.labels.includes(name) === labelled).map(([name, labelled, q]) => `${labelled ? "Perhaps wrong" : "Perhaps missing"}: ${name} (probability ${percent(q)})`)
      .reduce((list, words) => { list.append(el("p", { class: "warn" }, words)); return list; }, el("div")),
    one && one.unlike && el("p", { class: "warn" }, "Out of distribution: unlike all fields that were fitted on. Do not trust its calls."),
    el("p", { class: "hint" }, p.size ? "Right: the probability in this field." : `Right: how many fields are labelled so.${one ? "" : " –: some of those selected."}`),
    el("ul", { class: "classes", "aria-label": "Classes" }, ...rows),
    run.may_add && el("button", { type: "button", on: { click: () => addClass(run) } }, "Add a class"));
}
