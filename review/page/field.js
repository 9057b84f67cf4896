// One field: its channels with levels, zoom, numbered cells; calls, reasons, cell scores, similar fields, history.
import { complain, get, picture } from "./api.js";
import { labelKey, panel } from "./classes.js";
import { el, percent, renew, signed } from "./dom.js";
import { neighbour } from "./gallery.js";

const CHANNELS = [["microtubules", "red", [1, 0, 0]], ["protein", "green", [0, 1, 0]], ["nucleus", "blue", [0.25, 0.4, 1]], ["ER", "yellow", [0.75, 0.75, 0]]];
const LENGTHS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500]; // of a scale bar
const shown = { on: [true, true, true, false], high: [null, null, null, null], low: [0, 0, 0, 0], outlines: true, grey: false };

async function pixels(url) {
  const response = await fetch(url);
  if (!response.ok) {
    let words = "the image cannot be read";
    try { words = (await response.json()).error; } catch { /* keep */ }
    throw new Error(words);
  }
  const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}
// The level below which 99.7 % of a plane's pixels lie: bright enough to see dim cells.
function bright(plane) {
  const counts = new Uint32Array(256);
  for (const v of plane) counts[v]++;
  let left = 0.003 * plane.length, v = 255;
  while (v > 1 && (left -= counts[v]) > 0) v--;
  return Math.max(v, 8);
}

export function makeField(root, run, id, wanted, back) {  // wanted: a class and a cell, if any
  let field = null, planes = [], numbers = null, size = null, width = 1, height = 1, closed = false, picked = Number(wanted.get("cell"));
  let zoom = 1, left = 0, top = 0, drag = null, name = wanted.get("class") || "", why = null;
  const canvas = el("canvas", { "aria-label": `Picture of field ${id}`, role: "img", tabindex: 0 });
  const bar = el("span", { class: "scale" });
  const stage = el("div", { class: "stage" }, canvas, bar);
  const note = el("p", { class: "hint", role: "status" }, "Reading the images …");
  const controls = el("div", { class: "channels" });
  const side = el("aside", { class: "side", "aria-label": "Labels and calls" });
  const below = el("div");
  const go = (step) => { const to = neighbour(id, step, true); if (to) location.hash = `field=${encodeURIComponent(to)}`; };
  const turner = (step, words) => el("button", { type: "button", disabled: !neighbour(id, step), title: "among those of the gallery's page", on: { click: () => go(step) } }, ...words);
  root.replaceChildren(el("div", { class: "bar" }, el("button", { type: "button", on: { click: back } }, "Back ", el("kbd", {}, "Esc")),
    turner(-1, [el("kbd", {}, "←"), " Previous field"]), turner(1, ["Next field ", el("kbd", {}, "→")])),
    el("div", { class: "one" }, el("section", {}, stage, note, controls, below), side));

  function controlsAnew() {
    renew(controls, ...CHANNELS.map(([words, colour], c) => {
      const slider = (end, value) => el("label", { class: "level" }, end === "low" ? "black" : "white", el("input", { type: "range", min: 0, max: 255, value: String(value),
        "aria-label": `${words}: ${end === "low" ? "black" : "white"} level`, on: { input: (event) => { shown[end][c] = Number(event.target.value); draw(); } } }));
      return el("div", { class: `channel ${colour}` }, el("label", {}, el("input", { type: "checkbox", checked: shown.on[c],
        on: { change: (event) => { shown.on[c] = event.target.checked; draw(); } } }), ` ${words} `, el("kbd", {}, `⇧${c + 1}`)),
      slider("low", shown.low[c]), slider("high", shown.high[c] ?? (planes[c] ? bright(planes[c]) : 255)));
    }), el("div", { class: "actions" },
      el("label", {}, el("input", { type: "checkbox", checked: shown.outlines, on: { change: (event) => { shown.outlines = event.target.checked; draw(); } } }), " cells outlined and numbered"),
      el("label", {}, el("input", { type: "checkbox", checked: shown.grey, on: { change: (event) => { shown.grey = event.target.checked; draw(); } } }), " protein alone, grey"),
      el("button", { type: "button", on: { click: () => zoomBy(0.8) } }, "Zoom out ", el("kbd", {}, "-")),
      el("button", { type: "button", on: { click: () => zoomBy(1.25) } }, "Zoom in ", el("kbd", {}, "+")),
      el("button", { type: "button", on: { click: () => { zoom = 1; left = top = 0; draw(); } } }, "Whole field"),
      el("button", { type: "button", on: { click: () => { shown.high.fill(null); shown.low.fill(0); controlsAnew(); draw(); } } }, "Usual levels")));
  }
  let base = null;
  function compose() {
    const image = new ImageData(width, height), out = image.data;
    const used = shown.grey ? [1] : CHANNELS.map((_, c) => c).filter((c) => shown.on[c]);
    const tables = CHANNELS.map((_, c) => Float32Array.from({ length: 256 }, (_v, v) => {
      const low = shown.low[c], high = Math.max(shown.high[c] ?? (planes[c] ? bright(planes[c]) : 255), low + 1);
      return 255 * Math.min(Math.max((v - low) / (high - low), 0), 1) ** 0.7;
    }));
    for (let i = 0; i < width * height; i++) {
      let r = 0, g = 0, b = 0;
      for (const c of used) {
        if (!planes[c]) continue;
        const v = tables[c][planes[c][i]], k = shown.grey ? [1, 1, 1] : CHANNELS[c][2];
        r = Math.max(r, k[0] * v); g = Math.max(g, k[1] * v); b = Math.max(b, k[2] * v);
      }
      out[4 * i] = r; out[4 * i + 1] = g; out[4 * i + 2] = b; out[4 * i + 3] = 255;
    }
    if (shown.outlines && numbers) {
      for (let y = 1; y < height; y++) for (let x = 1; x < width; x++) {
        const i = y * width + x, own = numbers[i];
        if (own === numbers[i - 1] && own === numbers[i - width]) continue;
        const marked = picked && [own, numbers[i - 1], numbers[i - width]].includes(picked);
        for (const k of marked ? [i, i - 1, i - width] : [i]) out.set(marked ? [255, 225, 60, 255] : [255, 255, 255, 255], 4 * k);
      }
    }
    return image;
  }
  function draw() {
    if (!planes.length || closed) return;
    base = new OffscreenCanvas(width, height);
    base.getContext("2d").putImageData(compose(), 0, 0);
    paint();
  }
  function paint() {
    if (!base) return;
    const across = stage.clientWidth * devicePixelRatio || 800, tall = Math.min(across * height / width, innerHeight * 0.74 * devicePixelRatio);
    canvas.width = across; canvas.height = tall;
    const context = canvas.getContext("2d"), scale = Math.min(across / width, tall / height) * zoom;
    left = Math.min(Math.max(left, 0), Math.max(width - across / scale, 0));
    top = Math.min(Math.max(top, 0), Math.max(height - tall / scale, 0));
    context.imageSmoothingEnabled = scale < 2;
    const x0 = Math.max((across - width * scale) / 2, 0), y0 = Math.max((tall - height * scale) / 2, 0);
    Object.assign(place, { scale, x0, y0 });
    context.drawImage(base, left, top, width, height, x0, y0, width * scale, height * scale);
    if (shown.outlines && numbers && field) {
      context.font = `${Math.round(11 * devicePixelRatio)}px sans-serif`;
      context.textAlign = "center"; context.textBaseline = "middle"; context.lineWidth = 3 * devicePixelRatio;
      const ratio = width / (size?.width || width);
      for (const [number, x, y] of field.where) {
        const px = x0 + (x * ratio - left) * scale, py = y0 + (y * ratio - top) * scale;
        context.strokeStyle = "#000"; context.strokeText(number, px, py);
        context.fillStyle = number === picked ? "#ffe13c" : "#fff"; context.fillText(number, px, py);
      }
    }
    const unit = scale * width / (size?.width || width) / devicePixelRatio / (size?.pixel_size || 1); // of the page, for 1 µm or 1 px of the field
    const length = LENGTHS.find((n) => n * unit > 60) || LENGTHS.at(-1);
    bar.textContent = `${length} ${size?.pixel_size ? "µm" : "px"}`;
    bar.style.width = `${length * unit}px`;
  }
  const place = { scale: 1, x0: 0, y0: 0 };
  const at = (event) => {
    const box = canvas.getBoundingClientRect(), k = canvas.width / box.width;
    return [((event.clientX - box.left) * k - place.x0) / place.scale + left, ((event.clientY - box.top) * k - place.y0) / place.scale + top];
  };
  function zoomAt([x, y], factor) {
    const before = zoom;
    zoom = Math.min(Math.max(zoom * factor, 1), 16);
    left = x - (x - left) * before / zoom; top = y - (y - top) * before / zoom;
    paint();
  }
  const zoomBy = (factor) => zoomAt([left + (canvas.width / 2 - place.x0) / place.scale, top + (canvas.height / 2 - place.y0) / place.scale], factor);
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoomAt(at(event), event.deltaY < 0 ? 1.25 : 0.8); }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoomAt(at(event), 2));
  canvas.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, y: event.clientY, left, top, moved: false }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const k = canvas.width / canvas.getBoundingClientRect().width / place.scale;
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4;
    left = drag.left - (event.clientX - drag.x) * k; top = drag.top - (event.clientY - drag.y) * k;
    paint();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved && numbers) {
      const [x, y] = at(event).map(Math.floor);
      picked = x >= 0 && y >= 0 && x < width && y < height ? numbers[y * width + x] : 0;
      note.textContent = picked ? `Cell ${picked}` : measures();
      draw();
    }
    drag = null;
  });
  const onResize = () => paint();
  addEventListener("resize", onResize);

  const measures = () => `${size.width} × ${size.height} px${size.pixel_size ? ` of ${size.pixel_size.toPrecision(3)} µm` : "; the size of a pixel is not known, so the scale bar is in px"}.`;
  async function images() {
    try {
      const found = await Promise.all(CHANNELS.map((_, c) => pixels(picture("plane", { id, channel: c }))));
      if (closed) return;
      ({ width, height } = found[0]);
      planes = found.map((image) => { const plane = new Uint8Array(width * height); for (let i = 0; i < plane.length; i++) plane[i] = image.data[4 * i]; return plane; });
      size = await get("scale", { id });
      if (closed) return;
      controlsAnew();
      draw();
      note.textContent = `${measures()} Finding the cells …`;
      const labels = await pixels(picture("numbers", { id }));
      if (closed) return;
      numbers = new Int32Array(width * height);
      for (let i = 0; i < numbers.length; i++) numbers[i] = labels.data[4 * i] + 256 * labels.data[4 * i + 1];
      note.textContent = `${picked ? `Cell ${picked}. ` : ""}${measures()} Wheel or double click: zoom. Drag: move. Click: choose a cell.`;
      draw();
    } catch (error) { if (!closed) note.textContent = error.message; }
  }
  async function facts() {
    try {
      const found = await get("field", { id });
      if (closed) return;
      if (found.unfinished) setTimeout(() => closed || facts(), 1500);
      if (found.unfinished === field?.unfinished) return;
      field = found;
      name ||= field.calls[0]?.[0] || field.labels.find((one) => run.trainable[run.classes.indexOf(one)]) || "";
      beside();
      more();
      paint();
      reasons();
    } catch (error) { complain(error.message); }
  }
  function beside() {
    if (field) renew(side, panel([field], run));
  }
  async function reasons() {
    why = null;
    more();
    if (!name || !run.trainable[run.classes.indexOf(name)] || !field.probabilities.length) return;
    const asked = name;
    try {
      const found = await get("why", { id, class: name });
      if (closed || asked !== name) return;
      why = found;
      more();
    } catch (error) { complain(error.message); }
  }
  function more() {
    if (!field) return;
    const ranked = field.probabilities, called = new Set(field.calls.map(([one]) => one)), listed = ([one], k) => called.has(one) || field.labels.includes(one) || k < 6;
    const calls = ranked.length && el("div", {}, el("h3", {}, "Calls and probabilities"),
      el("p", { class: "hint" }, field.held_out ? "From models that have not seen this field." : "Predicted; this field was not fitted on.", " Each class has its own threshold for a call; it is low for rare or difficult classes. Click a class for its reasons.", run.one_call ? " A field of this run is called for one class at most: the one furthest above its threshold." : ""),
      el("table", {}, el("tbody", {}, ...ranked.filter(listed).map(([one, p]) => el("tr", { class: called.has(one) ? "called" : "" },
        el("th", { scope: "row" }, el("button", { type: "button", "aria-pressed": String(one === name), on: { click: () => { name = one; reasons(); } } }, one)),
        el("td", { class: field.labelled && called.has(one) !== field.labels.includes(one) ? "warn" : "" }, called.has(one) ? (field.labelled && !field.labels.includes(one) ? "called, not labelled" : "called") : field.labels.includes(one) ? "labelled, not called" : ""),
        el("td", { class: "probability" }, el("meter", { min: "0", max: "1", value: p, "aria-label": `probability of ${one}` })), el("td", { class: "number" }, percent(p)))))));
    const because = why && why.reasons.length && el("div", {}, el("h3", {}, `Reasons for and against ${name}`),
      el("p", { class: "hint" }, "Log-odds that a block of features adds to the call or takes from it, by all models of the fit; in brackets the value in this field."),
      el("table", {}, el("tbody", {}, ...why.reasons.map((one) => el("tr", {}, el("td", { class: `number ${one.log_odds > 0 ? "good" : "warn"}` }, signed(one.log_odds)),
        el("td", {}, one.block, el("br"), el("span", { class: "hint", title: one.name }, `${one.feature}${!one.named ? "" : one.value === null ? ", missing" : ` (${one.value.toPrecision(3)})`}${one.cells.length ? `; see cells ${one.cells.join(", ")}` : ""}`)))))));
    const highest = why && why.cells.length && el("div", {}, el("h3", {}, `Cells that look most like ${name}`),
      el("p", { class: "hint" }, "Number of a cell, and its score above that of the field's median cell; a click marks the cell in the picture."), el("p", {}, ...why.cells.slice(0, 12).flatMap(({ cell, score }) => [el("button", { type: "button", "aria-label": `cell ${cell}, score ${signed(score)}`, title: "score above the field's median cell; not a probability",
        on: { click: () => { picked = cell; note.textContent = `Cell ${cell}`; draw(); } } }, `${cell}  ${signed(score)}`), " "])));
    const near = field.similar.length && el("div", {}, el("h3", {}, "Most similar training fields"), el("div", { class: "similar" },
      ...field.similar.map((one) => el("a", { class: "card", href: `#field=${encodeURIComponent(one.id)}` }, el("span", { class: "frame" }, el("img", { src: picture("field", { id: one.id }), alt: "", loading: "lazy" })),
        el("span", { class: "words" }, one.labels.join(", ") || "no label", el("span", { class: "id" }, `distance ${one.distance.toFixed(2)}: ${one.id}`))))));
    const history = field.history.length && el("div", {}, el("h3", {}, "History (times in UTC)"), el("table", {}, el("tbody", {}, ...[...field.history].reverse().map((one) =>
      el("tr", {}, el("td", {}, one.time.replace("T", " ").replace("Z", "")), el("td", {}, one.by), el("td", {}, one.action), el("td", {}, one.action === "undo" ? "" : one.value))))));
    renew(below, ...[calls, why === null && name && field.probabilities.length && run.trainable[run.classes.indexOf(name)] ? el("p", { class: "hint" }, `Reasons for ${name} …`) : null, because, highest, near, history].filter(Boolean));
  }
  function keydown(event) {
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (sideways && event.target.type === "range") return;
    if (event.key === "Escape") back();
    else if (sideways) go(sideways);
    else if (event.key === "+" || event.key === "-") zoomBy(event.key === "+" ? 1.25 : 0.8);
    else if (event.shiftKey && /^Digit[1-4]$/.test(event.code)) { const c = Number(event.code.at(-1)) - 1; shown.on[c] = !shown.on[c]; controlsAnew(); draw(); }
    else if (!field || !labelKey(event, [field], run)) return;
    event.preventDefault();
  }
  controlsAnew();
  images();
  facts();
  return {
    keydown,
    close: () => { closed = true; removeEventListener("resize", onResize); },
    changed(done) {
      const fresh = done.rows.find((row) => row.id === id);
      if (!fresh || !field) return;
      field = { ...field, ...fresh };
      beside();
      get("field", { id }).then((now) => { if (!closed) { field = { ...now, unfinished: field.unfinished }; more(); } }).catch(() => {});
    },
  };
}
