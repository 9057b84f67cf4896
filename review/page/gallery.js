// Fields or cells in pages: filters on the left, pictures in the middle, labels of what is selected on the right.
import { complain, get, picture, post } from "./api.js";
import { words } from "./card_words.js";
import { labelKey, panel } from "./classes.js";
import { counted, el, renew, select, unfinished } from "./dom.js";

const SIZE = 60;
const YES_NO = [["", "any"], ["yes", "yes"], ["no", "no"]];
const FLAGS = [["labelled", "labelled"], ["corrected", "corrected", "by a change that was saved in corrections.csv"],
  ["wrong", "label and call differ"], ["doubted", "label doubted", "models that have not seen the field confidently contradict a label"],
  ["unlike", "out of distribution (only fields not fitted on)"], ["unusable", "unusable"]];
const kept = {};  // what each gallery showed, for the way back
let page = { level: "", ids: [] };  // the fields of the last one, for the way from one to the next

/** The field before or after another one on the gallery's page; with `move`, the gallery is opened at it next. */
export function neighbour(id, step, move = false) {
  const at = page.ids.indexOf(id), to = at < 0 ? undefined : page.ids[at + step];
  if (move && to && page.level !== "cells") kept[page.level].at = at + step;
  return to;
}

export function makeGallery(root, run, level, given = {}) {
  if (Object.keys(given).length || !kept[level]) {
    const { chosen: how = "", ...filters } = given, query = { sort: level === "next" ? "most useful" : "order", split: "train", ...filters };
    kept[level] = { query, chosen: how, start: 0, at: 0, view: "colour", outlines: false };
  }
  const state = kept[level], cells = level === "cells";
  let rows = [], total = 0, chosen = new Set(), applied = false, adding = false, closed = false, fresh = true, features = [];
  const grid = el("div", { class: cells ? "grid cells" : "grid", role: "listbox", "aria-label": cells ? "Cells" : "Fields",
    "aria-multiselectable": "true" });
  const count = el("span", { role: "status" });
  const side = el("aside", { class: "side", "aria-label": "Labels" });
  const previous = el("button", { type: "button", on: { click: () => turn(-1) } }, "← Previous");
  const next = el("button", { type: "button", on: { click: () => turn(1) } }, "Next →");
  const list = el("datalist", { id: "features" });
  const more = el("input", { type: "text", list: "features", "aria-label": "Feature", placeholder: "type a feature",
    value: state.query.feature || "", on: { change: () => set("feature", more.value), focus: offerFeatures } });
  more.hidden = state.query.sort !== "feature";

  function set(name, value) {
    if (value === "" || value === null) delete state.query[name];
    else state.query[name] = value;
    Object.assign(state, { start: 0, at: 0 });
    load();
  }
  async function offerFeatures() {
    if (features.length) return;
    features = (await get("features"))[cells ? "cells" : "fields"];
    list.replaceChildren(...features.map(([name, words]) => el("option", { value: name }, words)));
  }
  const flag = (name, words, further = "") => {
    const now = state.query[name];
    const made = select(words, YES_NO, now === undefined ? "" : now ? "yes" : "no", (value) => set(name, value === "" ? "" : value === "yes"));
    made.title = further;
    return made;
  };
  const number = (name, words) => el("label", {}, el("span", {}, words), el("input", { type: "number", min: "0", max: "1", step: "0.05",
    value: String(state.query[name] ?? ""), on: { change: (event) => set(name, event.target.value) } }));
  const classes = [["", "any"], ...run.classes.map((name) => [name, name])];
  const learnt = run.classes.filter((_, j) => run.trainable[j]), callable = [["", "any"], ...learnt.map((name) => [name, name])];
  const sorts = cells ? [["order", "field"], ["feature", "a feature"], ...(learnt.length ? [["score", "score for a class"]] : [])]
    : [["order", "id"],
      ...(run.fit ? [["uncertainty", "most uncertain"], ["doubt", "most doubted label"], ["probability", "probability"]] : []),
      ["cells", "number of cells"], ["feature", "a feature"]];
  const text = el("input", { type: "search", id: "find", placeholder: "id or note  ( / )", "aria-label": "Find an id or a note",
    value: state.query.text || "", on: { change: find, search: find } });
  function find() { if (text.value !== (state.query.text || "")) set("text", text.value); }
  const ofClass = el("span", { class: "bar", hidden: state.query.sort !== "score" });
  const scoresAnew = () => {
    ofClass.hidden = state.query.sort !== "score";
    ofClass.replaceChildren(ofClass.hidden ? "" : select("of", learnt.map((name) => [name, name]), state.query.score, (value) => set("score", value)),
      ofClass.hidden ? "" : el("label", {}, el("span", {}, "score ≥"), el("input", { type: "number", step: "0.1", class: "short", value: String(state.query.least ?? ""), on: { change: (event) => set("least", event.target.value) } })));
  };
  const fromMap = state.query.rows || state.query.cells;
  const filters = el("form", { class: "filters side", "aria-label": "Filters", on: { submit: (event) => event.preventDefault() } },
    text,
    fromMap && el("p", { class: "hint" }, `${counted(fromMap.length, cells ? "cell" : "field")} ${state.chosen}.`),
    level !== "next" && select("carries the label", classes, state.query.label || "", (value) => set("label", value)),
    run.fit && select("called", callable, state.query.call || "", (value) => set("call", value)),
    run.fit && el("div", { class: "pair", title: "of the class above, or else the highest of a field" }, number("low", "probability ≥"), number("high", "probability ≤")),
    ...FLAGS.filter(([name]) => (run.fit || ["labelled", "corrected", "unusable"].includes(name)) && (level !== "next" || name === "unlike"))
      .map((one) => flag(...one)),
    cells && flag("border", "cut by the image border"),
    run.fields.test > 0 && level !== "next" && select("train or test", [["", "any"], ["train", "train"], ["test", "test"]],
      state.query.split || "", (value) => set("split", value)),
    run.plates.length > 1 && select("plate", [["", "any"], ...run.plates.map((name) => [name, name])], state.query.plate || "",
      (value) => set("plate", value)),
    run.groups.length > 1 && select("group", [["", "any"], ...run.groups.map((name) => [name, name])], state.query.group || "",
      (value) => set("group", value)),
    el("button", { type: "button", on: { click: () => { delete kept[level]; root.dispatchEvent(new CustomEvent("again")); } } }, "Clear filters"));
  const several = el("button", { type: "button", "aria-pressed": "false", title: "each click then selects one field more", on: { click: () => {
    adding = !adding;
    several.setAttribute("aria-pressed", String(adding));
    if (!adding) { chosen.clear(); mark(); }
  } } }, "Select several");
  const turned = el("button", { type: "button", title: "Turn the order round", "aria-label": "Turn the order round",
    on: { click: () => set("descending", state.query.descending === false ? "" : false) } }, "⇅");
  const bar = el("div", { class: "bar" }, count, el("span", { class: "pager grow" }, previous, next),
    level !== "next" && select("sorted by", sorts, state.query.sort, (value) => {
      more.hidden = value !== "feature";
      if (value === "score") state.query.score = [state.query.call, state.query.label, state.query.score].find((name) => learnt.includes(name)) || learnt[0];
      else { delete state.query.score; delete state.query.least; }
      delete state.query.descending;
      state.query.sort = value;
      scoresAnew();
      if (value === "feature") { more.focus(); if (more.value) set("feature", more.value); } else set("sort", value);
    }),
    level !== "next" && turned,
    more, ofClass, list,
    select("picture", [["colour", "HPA's colours"], ["protein", "protein alone"]], state.view, (value) => { state.view = value; draw(); }),
    el("label", {}, el("input", { type: "checkbox", checked: state.outlines,
      on: { change: (event) => { state.outlines = event.target.checked; draw(); } } }), " outlines"), !cells && several);
  const intro = level === "next" ? el("p", { class: "hint" }, run.fit
    ? "Training fields without a label, the most useful first: uncertain fields that differ from each other, rare classes first."
    : "Training fields without a label: those that differ most from the labelled ones come first. Once there is a fit, uncertain ones do.") : "";
  const legend = el("p", { class: "hint" }, cells ? "Filters choose fields; all their cells are shown. Cut: by the border of the image. "
    : run.fit ? "Solid: label. Dashed with ?: called, with its probability; thresholds differ by class. Orange: label and call differ. " : "",
    "Double click or Enter opens a field. Scale bars: px where the size of a pixel is unknown.");
  const scored = el("p", { class: "hint", role: "status" });
  scoresAnew();
  root.replaceChildren(el("div", { class: "three" }, filters, el("section", {}, intro, bar, scored, legend, grid), side));

  async function load() {
    const asked = JSON.stringify([state.query, state.start]);
    grid.ariaBusy = "true";
    try {
      const found = await post(cells ? "cells" : "fields", { ...state.query, start: state.start, size: SIZE });
      if (closed || asked !== JSON.stringify([state.query, state.start])) return;
      complain("");
      ({ rows, total } = found);
      page = { level, ids: [...new Set(rows.map((row) => row.id))] };
      grid.ariaBusy = String(Boolean(found.waiting));
      turned.setAttribute("aria-pressed", String(state.query.descending === false));
      chosen = new Set();
      state.at = Math.min(state.at, Math.max(rows.length - 1, 0));
      draw();
      scored.textContent = found.scored === undefined ? "" : `Only cells of fields called ${state.query.score} are scored${found.scored < found.called
        ? `, and only in the ${found.scored} of these ${found.called.toLocaleString("en")} fields with the highest probability` : ` (${counted(found.called, "field")})`}. `
        + "The score is that of a field made of this cell alone, minus that of its field's median cell, by all models of the fit, also those that have seen the field: it ranks cells and is no probability.";
      if (found.waiting) {
        count.textContent = unfinished(found);
        setTimeout(() => closed || load(), 700);
        return;
      }
      if (fresh && (document.activeElement === root || !root.contains(document.activeElement))) grid.children[state.at]?.focus();
      fresh = false;
      const noun = cells ? "cell" : "field";
      count.textContent = total
        ? `${(state.start + 1).toLocaleString("en")}–${(state.start + rows.length).toLocaleString("en")} of ${counted(total, noun)}`
        : level !== "next" || filtered() ? `No ${noun} fits these filters.`
          : `Every usable training field has a label.${run.fit ? " To check labels: Fields, sorted by most doubted label." : ""}`;
    } catch (error) { grid.ariaBusy = "false"; complain(error.message); }
  }
  const filtered = () => Object.keys(state.query).some((name) => !["sort", "split", "feature", "descending"].includes(name));
  const key = (row) => (cells ? row.index : row.id);
  const selected = () => (chosen.size ? rows.filter((row) => chosen.has(key(row))) : rows.slice(state.at, state.at + 1));
  function card(row, k) {
    const query = { view: state.view, outlines: state.outlines ? 1 : 0, ...(cells ? { index: row.index } : { id: row.id }) };
    const image = el("img", { src: picture(cells ? "cell" : "field", query), loading: "lazy",
      alt: "", on: { load: () => frame.classList.remove("blank"), error: () => frame.classList.replace("blank", "none") } });
    const frame = el("span", { class: "frame blank" }, image);
    const made = el("div", { class: `card${row.unusable ? " unusable" : ""}`, role: "option", tabindex: k === state.at ? "0" : "-1",
      "aria-selected": String(chosen.has(key(row))),
      on: { click: (event) => pick(k, event.ctrlKey || event.metaKey, event.shiftKey), dblclick: () => openField(row) } },
    frame, words(row, cells));
    made.dataset.key = key(row);
    return made;
  }
  function draw() {
    grid.replaceChildren(...rows.map(card));
    previous.disabled = state.start === 0;
    next.disabled = state.start + rows.length >= total;
    beside();
  }
  function beside() {
    if (!cells) { renew(side, rows.length ? panel(selected(), run, openField) : ""); return; }
    const row = selected()[0];
    renew(side, row ? el("div", {}, el("h2", {}, `Cell ${row.cell}`),
      el("p", {}, "of ", el("a", { href: `#field=${encodeURIComponent(row.id)}&cell=${row.cell}` }, row.id)),
      el("p", { class: "hint" }, "Labels belong to fields: open the field to see and change them.")) : "");
  }
  function mark() {
    [...grid.children].forEach((one, k) => {
      one.tabIndex = k === state.at ? 0 : -1;
      one.setAttribute("aria-selected", String(chosen.has(key(rows[k]))));
    });
    beside();
  }
  function flip(one) {
    if (!chosen.delete(one)) chosen.add(one);
  }
  function pick(k, another, range, arrow = false) {
    if (range) for (let i = Math.min(k, state.at); i <= Math.max(k, state.at); i++) chosen.add(key(rows[i]));
    else if (another || (adding && !arrow)) {
      if (!chosen.size && !adding) chosen.add(key(rows[state.at]));
      flip(key(rows[k]));
    } else if (!arrow || applied) chosen.clear();
    applied = false;
    state.at = k;
    mark();
    grid.children[k]?.focus();
  }
  async function turn(direction) {
    const start = state.start + direction * SIZE;
    if (start < 0 || start >= total) return;
    Object.assign(state, { start, at: direction > 0 ? 0 : SIZE - 1 });
    await load();
    grid.children[state.at]?.focus();
  }
  const openField = (row) => { location.hash = `field=${encodeURIComponent(row.id)}${cells ? `&cell=${row.cell}` : ""}`; };
  function keydown(event) {
    const columns = Math.max(getComputedStyle(grid).gridTemplateColumns.split(" ").length, 1);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (step) {
      const to = state.at + step;
      if (to < 0) turn(-1);
      else if (to >= rows.length) turn(1);
      else pick(to, false, event.shiftKey, true);
    } else if (event.key === " ") {
      if (rows[state.at]) flip(key(rows[state.at]));
      mark();
    } else if (event.key === "Escape") { chosen.clear(); mark(); }
    else if (event.key === "Enter" && rows[state.at]) openField(rows[state.at]);
    else if (event.key === "PageDown" || event.key === "PageUp") turn(event.key === "PageDown" ? 1 : -1);
    else if (event.key === "/") text.focus();
    else if (cells || !labelKey(event, selected(), run)) return;
    else applied = true;  // the next arrow starts a new selection
    event.preventDefault();
  }
  load();
  return {
    keydown,
    close: () => { closed = true; },
    changed(done) {
      if (cells) return;
      const fresh = new Map(done.rows.map((row) => [row.id, row]));
      rows = rows.map((row) => fresh.get(row.id) || row);
      rows.forEach((row, k) => {
        const old = grid.children[k];
        if (!fresh.has(row.id) || !old) return;
        old.classList.toggle("unusable", row.unusable);
        old.lastChild.replaceWith(words(row, cells));
      });
      beside();
    },
  };
}
