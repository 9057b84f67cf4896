// What a card of the gallery says below its picture: labels, calls and notes of a field, or number and score of a cell.
import { el, percent, signed } from "./dom.js";

export function words(row, cells) {
  const id = el("span", { class: "id", title: row.id }, row.id);
  if (cells) return el("span", { class: "words" }, `cell ${row.cell}${row.border ? ", cut" : ""}`,
    row.score !== undefined && el("span", { class: "n" }, signed(row.score)), id);
  const called = new Set(row.calls.map(([name]) => name)), learnt = new Set(row.probabilities.map(([name]) => name));
  const own = row.labels.map((name) => el("span", { class: `tag${learnt.has(name) && !called.has(name) ? " wrong" : ""}`,
    title: called.has(name) ? "labelled and called" : learnt.has(name) ? "labelled, not called" : "labelled" }, name));
  const others = row.calls.filter(([name]) => !row.labels.includes(name))
    .map(([name, p]) => el("span", { class: `tag call${row.labelled ? " wrong" : ""}`, title: "called, not labelled" }, `${name}? ${percent(p)}`));
  return el("span", { class: "words" }, id,
    row.unusable && el("span", { class: "tag wrong" }, "unusable"), ...own, ...others,
    row.labelled && !row.labels.length && el("span", { class: "tag" }, "no class"),
    !row.labelled && !row.unusable && el("span", { class: "hint" }, "not labelled"),
    row.unlike && el("span", { class: "tag wrong", title: "unlike all fields that were fitted on" }, "out of distribution"),
    row.note && el("span", { class: "hint" }, `✎ ${row.note}`));
}
