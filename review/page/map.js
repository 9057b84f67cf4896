// The map: fields or cells in the plane of their first two principal directions; a lasso selects into the gallery.
import { complain, get, picture } from "./api.js";
import { counted, el, percent, renew, select, unfinished } from "./dom.js";

const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#86a315", "#7b5ea7", "#8c6d31", "#17807e", "#b03060"];
// Points have a thin edge, for light colours on white. Those without a class are rings.
// The classes behind the first twelve have the same colours again, and another shape.
const SHAPES = ["circle", "square", "diamond"];
const POINTS = [(c, x, y, r) => c.arc(x, y, r, 0, 7), (c, x, y, r) => c.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r),
  (c, x, y, r) => { const d = 1.25 * r; c.moveTo(x - d, y); c.lineTo(x, y - d); c.lineTo(x + d, y); c.lineTo(x, y + d); c.closePath(); }];
const dark = matchMedia("(prefers-color-scheme: dark)"); // the lowest values are then lighter
const ramp = (t) => `hsl(${255 - 200 * t} ${45 + 35 * t}% ${dark.matches ? 55 + 5 * t : 35 + 25 * t}%)`;
const LISTED = 40; // of the legend, at most
const kept = { level: "fields", colour: "label", name: "" };

export function makeMap(root, run, show) {
  let data = null, asked = 0, lasso = [], drawing = false, closed = false, inside = [], held = null, features = null;
  const learnt = run.classes.filter((_, j) => run.trainable[j]);
  const canvas = el("canvas", { id: "plot", tabindex: 0, role: "img", "aria-label": "Map of fields or cells; draw a line around points to select them" });
  const said = el("p", { class: "hint", role: "status" });
  const hover = el("div", { class: "hover", hidden: true });
  const legend = el("div");
  const list = el("datalist", { id: "map-features" });
  const nameInput = el("input", { type: "text", list: "map-features", placeholder: "type a feature", on: { change: () => { kept.name = nameInput.value; load(); } } });
  const chosen = el("div", { class: "actions" });
  const nameHolder = el("div");
  const controls = el("form", { class: "filters", on: { submit: (event) => event.preventDefault() } });
  root.replaceChildren(el("div", { class: "mapped" }, el("section", {}, canvas, said), el("aside", { "aria-label": "Map" }, controls, chosen, legend)), hover);

  function controlsAnew() {
    const colours = [["label", "label"], ...(learnt.length ? [["call", "call"], ["probability", "probability of a class"]] : []),
      ...(run.plates.length > 1 ? [["plate", "plate"]] : []), ...(run.groups.length > 1 ? [["group", "group"]] : []), ...(run.fields.test ? [["split", "train or test"]] : []), ["feature", "a feature"]];
    const byClass = ["label", "call", "probability"].includes(kept.colour);
    nameHolder.replaceChildren(byClass ? select("class", [...(kept.colour === "probability" ? [] : [["", "the rarest of each field"]]), ...(kept.colour === "label" ? run.classes : learnt).map((name) => [name, name])], kept.name,
      (value) => { kept.name = value; load(); }) : kept.colour === "feature" ? el("label", {}, el("span", {}, "feature"), nameInput) : "");
    renew(controls,
      select("points are", [["fields", "fields"], ["cells", "cells"]], kept.level, (value) => { kept.level = value; if (kept.colour === "feature") kept.name = ""; features = null; load(); }),
      select("coloured by", colours, kept.colour, async (value) => {
        kept.colour = value;
        kept.name = value === "probability" ? learnt[0] : "";
        controlsAnew();
        if (value === "feature") { await names(); nameInput.value = ""; nameInput.focus(); } else load();
      }), nameHolder, list);
  }
  async function names() {
    features ||= await get("features");
    list.replaceChildren(...features[kept.level].map(([name, words]) => el("option", { value: name }, words)));
  }
  async function load() {
    if (kept.colour === "feature" && !kept.name) return;
    const mine = ++asked;
    data = null; // points of the choice before can be neither hovered nor selected
    selectNone();
    drawing = false;
    hover.hidden = true;
    said.textContent = "Preparing the map …";
    await ask(mine);
  }
  async function ask(mine) {
    const outdated = () => closed || mine !== asked; // a later choice has been asked for
    try {
      const found = await get("map", kept);
      if (outdated()) return;
      if (found.waiting) { said.textContent = unfinished(found); setTimeout(() => outdated() || ask(mine), 500); return; }
      data = { ...found, shown: [...new Set(found.category)].filter((c) => c >= 0).sort((a, b) => a - b) };
      if (held?.level === kept.level && held.key.length === data.key.length && held.key.every((key, k) => key === data.key[k])) ({ inside, lasso } = held);
      const noun = kept.level === "fields" ? "field" : "cell", n = data.key.length;
      said.textContent = `${n < data.all ? `A sample of ${n.toLocaleString("en")} of ${counted(data.all, noun)}, ${kept.level === "fields" ? "" : "from fields "}evenly spaced over all` : `All ${counted(n, noun)}`}, `
        + "placed by the two principal directions in which their protein features differ most. Draw a line around points to select them.";
      draw();
      beside();
      legendAnew();
    } catch (error) {
      if (outdated()) return;
      said.textContent = "The map could not be loaded.";
      complain(error.message);
    }
  }
  function selectNone() {
    inside = [];
    lasso = [];
    draw();
    beside();
  }
  function forget() {
    held = null;
    selectNone();
  }
  const colourOf = (k) => {
    if (data.value) return data.value[k] === null ? "#8884" : ramp(data.value[k]);
    const c = data.category[k];
    return data.names.length === 2 && c === 0 && kept.name ? "#8888" : paletteOf(c);
  };
  const paletteOf = (c) => PALETTE[data.shown.indexOf(c) % PALETTE.length];
  const shapeNumber = (c) => Math.floor(data.shown.indexOf(c) / PALETTE.length) % SHAPES.length;
  const shapeOf = (k) => (data.value || data.category[k] < 0 ? 0 : shapeNumber(data.category[k]));
  const box = () => ({ w: canvas.width, h: canvas.height, pad: 14 * devicePixelRatio });
  const spot = (k) => { const { w, h, pad } = box(); return [pad + data.x[k] / 10000 * (w - 2 * pad), pad + (1 - data.y[k] / 10000) * (h - 2 * pad)]; };
  function draw() {
    if (!data) return;
    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = Math.min(canvas.clientWidth * 0.72, innerHeight - 190) * devicePixelRatio;
    const context = canvas.getContext("2d"), r = (data.key.length > 5000 ? 1.6 : data.key.length > 800 ? 2.6 : 4) * devicePixelRatio;
    const picked = new Set(inside), ring = (k) => !data.value && data.category[k] < 0;
    for (let k = 0; k < data.key.length; k++) {
      const [x, y] = spot(k);
      context.fillStyle = colourOf(k);
      context.strokeStyle = ring(k) ? "#888" : "rgb(0 0 0 / 60%)";
      context.lineWidth = r * (ring(k) ? 0.4 : 0.15);
      context.globalAlpha = inside.length && !picked.has(k) ? 0.2 : 0.85;
      context.beginPath();
      POINTS[shapeOf(k)](context, x, y, r);
      if (!ring(k)) context.fill();
      context.stroke();
    }
    context.globalAlpha = 1;
    if (lasso.length > 1) {
      context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--pick");
      context.lineWidth = 2 * devicePixelRatio;
      context.beginPath(); lasso.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      if (!drawing) context.closePath();
      context.stroke();
    }
  }
  function valueOf(k) { // a feature's ends are those of the colours
    const v = data.value[k];
    if (v === null) return kept.colour === "feature" ? "missing" : "not known";
    return kept.colour === "feature" ? `${v === 1 ? "≥ " : v === 0 ? "≤ " : ""}${(data.low + v * (data.high - data.low)).toPrecision(3)}` : percent(v);
  }
  const none = () => ({ label: "no label", call: "no call" }[kept.colour] || "none");
  function legendAnew() {
    if (data.value) {
      const bar = el("div", { class: "ramp" });
      bar.style.background = `linear-gradient(to right, ${Array.from({ length: 9 }, (_, i) => ramp(i / 8)).join(",")})`;
      const words = features?.[kept.level].find(([name]) => name === kept.name)?.[1];
      legend.replaceChildren(el("h3", {}, kept.name), words && kept.colour === "feature" ? el("p", { class: "hint" }, words) : "", bar, el("p", { class: "hint ends" }, el("span", {}, data.low.toPrecision(3)), el("span", {}, data.high.toPrecision(3))),
        kept.colour === "feature" ? el("p", { class: "hint" }, "2nd to 98th percentile; grey: missing") : "");
      return;
    }
    const counts = new Map();
    for (const c of data.category) counts.set(c, (counts.get(c) || 0) + 1);
    const all = [...counts].filter(([c]) => c >= 0).sort((a, b) => b[1] - a[1]), rows = all.slice(0, LISTED);
    const item = (colour, words, n, shape = 0) => { const dot = el("i", { class: colour === "none" ? "ring" : SHAPES[shape] }); dot.style.background = colour; return el("li", {}, dot, `${words} `, el("span", { class: "hint" }, n.toLocaleString("en"))); };
    legend.replaceChildren(el("ul", { class: "legend" }, ...rows.map(([c, n]) => item(data.names.length === 2 && c === 0 && kept.name ? "#888" : paletteOf(c), data.names[c], n, shapeNumber(c))),
      ...(counts.get(-1) ? [item("none", none(), counts.get(-1))] : [])),
    all.length > rows.length ? el("p", { class: "hint" }, `and ${(all.length - rows.length).toLocaleString("en")} more.`) : "",
    data.shown.length > PALETTE.length * SHAPES.length ? el("p", { class: "hint" }, `Colours and shapes repeat after ${PALETTE.length * SHAPES.length}${["label", "call"].includes(kept.colour) ? ": choose one class to tell it from all others" : ""}.`) : "");
  }
  function beside() {
    const noun = kept.level === "fields" ? "field" : "cell", test = inside.length;
    chosen.replaceChildren(el("p", {}, test ? `${counted(test, noun)} selected` : "Nothing selected."),
      el("button", { type: "button", class: "main", disabled: !test, on: { click: () => show(kept.level, inside.map((k) => data.key[k])) } }, "Show in the gallery"),
      el("button", { type: "button", disabled: !test, on: { click: exportCsv } }, "Save as csv"),
      el("button", { type: "button", disabled: !test, on: { click: forget } }, "Select none"));
  }
  async function exportCsv() {
    const level = kept.level, { post } = await import("./api.js");
    const rows = [];
    for (let start = 0; start < inside.length; start += 200) {
      const part = inside.slice(start, start + 200).map((k) => data.key[k]);
      rows.push(...(await post(level, level === "cells" ? { cells: part, size: 200 } : { rows: part, size: 200 })).rows);
    }
    const cell = (text) => { const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text; return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain; };
    const lines = level === "cells" ? ["Id,Cell", ...rows.map((row) => `${cell(row.id)},${row.cell}`)]
      : ["Id,Split,Labels,Calls", ...rows.map((row) => [row.id, row.split, row.labels.join("|"), row.calls.map(([one]) => one).join("|")].map(cell).join(","))];
    const link = el("a", { href: URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" })), download: `selected_${level}.csv` });
    link.click();
    URL.revokeObjectURL(link.href);
  }
  const at = (event) => { const b = canvas.getBoundingClientRect(), k = canvas.width / b.width; return [(event.clientX - b.left) * k, (event.clientY - b.top) * k]; };
  function enclosed([x, y]) {
    let odd = false;
    for (let i = 0, j = lasso.length - 1; i < lasso.length; j = i++) {
      const [xi, yi] = lasso[i], [xj, yj] = lasso[j];
      if (yi > y !== yj > y && x < (xj - xi) * (y - yi) / (yj - yi) + xi) odd = !odd;
    }
    return odd;
  }
  canvas.addEventListener("pointerdown", (event) => { if (!data) return; drawing = true; lasso = [at(event)]; inside = []; hover.hidden = true; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!data) return;
    if (drawing) { lasso.push(at(event)); draw(); return; }
    const [mx, my] = at(event), reach = (8 * devicePixelRatio) ** 2;
    let best = -1, least = reach;
    for (let k = 0; k < data.key.length; k++) { const [x, y] = spot(k), d = (x - mx) ** 2 + (y - my) ** 2; if (d < least) { least = d; best = k; } }
    hover.hidden = best < 0;
    if (best < 0 || hover.dataset.k === String(best)) { if (best >= 0) move(event); return; }
    hover.dataset.k = String(best);
    const cells = kept.level === "cells";
    hover.replaceChildren(el("img", { alt: "", src: cells ? picture("cell", { index: data.key[best] }) : picture("field", { row: data.row[best] }) }),
      data.category ? (data.names[data.category[best]] || none()) : `${kept.name}: ${valueOf(best)}`);
    move(event);
  });
  const move = (event) => { hover.style.left = `${Math.min(event.clientX + 14, innerWidth - 170)}px`; hover.style.top = `${Math.min(event.clientY + 14, innerHeight - 190)}px`; };
  canvas.addEventListener("pointerleave", () => { hover.hidden = true; });
  canvas.addEventListener("pointerup", (event) => {
    if (!drawing) return;
    drawing = false;
    if (lasso.length > 3) inside = data.key.map((_, k) => k).filter((k) => enclosed(spot(k)));
    else lasso = [];
    held = { level: kept.level, key: data.key, inside, lasso }; // kept while only the colours change
    draw();
    beside();
  });
  const onResize = () => draw();
  addEventListener("resize", onResize);
  controlsAnew();
  beside();
  load();
  return { keydown: (event) => { if (event.key === "Escape") forget(); }, close: () => { closed = true; removeEventListener("resize", onResize); }, changed: () => { if (kept.colour === "label") load(); } };
}
