// Refit with the labels as they stand: progress, then scores before and after, and the calls that changed.
import { complain, get, post } from "./api.js";
import { counted, el, score, signed } from "./dom.js";

const STEPS = { fit: "Training models" };
const LEAST = 0.0005; // a difference of scores that three digits show
const exact = (p) => `${(100 * p).toFixed(p > 0.0995 ? 0 : 1)}\u00a0%`;

function table(heads, numbers, rows) {
  return el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((words, k) => el("th", { scope: "col", class: k >= numbers ? "number" : "" }, words)))), el("tbody", {}, ...rows));
}
const row = (...cells) => el("tr", {}, ...cells.map((cell, k) => (k ? (cell instanceof Element ? cell : el("td", { class: "number" }, String(cell))) : el("th", { scope: "row" }, cell))));

export function makeRefit(root, run, showFields, done) {
  let closed = false, busy = null;
  const holder = el("div"), counts = el("p");
  const start = el("button", { type: "button", class: "main", id: "refit-start", on: { click: begin } }, run.fit ? "Refit with these labels" : "Fit with these labels");
  root.replaceChildren(el("h2", {}, "Refit"), counts,
    el("p", { class: "hint" }, run.fit ? "Settings, groups and folds stay, so that the scores compare. As long as no field is added or left out, only classes with changed labels are trained again; the others would come out the same."
      : "A class can be learnt once at least five fields carry it and five do not; fields of the same group count as one."),
    el("div", { class: "actions" }, start,
      el("button", { type: "button", disabled: !run.counts.corrected, on: { click: () => showFields({ corrected: true }) } }, "Show the corrected fields"),
      el("a", { href: "api/labels.csv", download: "labels.csv" }, "All labels as they stand (csv)")), holder);

  function countAnew() {
    start.disabled = Boolean(busy) || !run.counts.labelled;
    start.title = run.counts.labelled ? "" : "Label fields first.";
    counts.textContent = `${counted(run.counts.labelled, "field")} with labels, ${run.counts.corrected.toLocaleString("en")} of them corrected; ${run.counts.unusable.toLocaleString("en")} marked as unusable and left out.`;
  }
  async function begin() {
    busy = true;
    start.disabled = true;
    try { await post("refit", {}); watch(); } catch (error) { complain(error.message); busy = null; countAnew(); }
  }
  async function watch() {
    try {
      const state = await get("refit");
      if (closed) return;
      const running = ["waiting", "running"].includes(state.stage);
      start.disabled = running || !run.counts.labelled;
      if (running) {
        busy = true;
        holder.replaceChildren(el("p", { role: "status" }, state.stage === "waiting" ? "Waiting for other work to end …" : state.what ? `${STEPS[state.what] || state.what}: ${state.done} of ${state.total} steps` : "Reading features and labels …"),
          el("progress", { max: state.total || 1, value: state.done, "aria-label": "progress of the refit" }));
        setTimeout(watch, 600);
      } else if (state.stage === "failed") { busy = null; holder.replaceChildren(el("p", { class: "warn", role: "alert" }, `The refit ended without a result: ${state.error}`)); }
      else if (state.result) { if (busy) { busy = null; await done(); } else show(state.result); }
    } catch (error) { complain(error.message); }
  }
  const span = ([value, low, high]) => [score(value), el("small", {}, ` ${score(low)} to ${score(high)}`)];
  const verdict = ({ difference: [, low, high] }) => (low > 0 ? "is higher after the refit" : high < 0 ? "is lower after the refit" : "shows no change beyond chance");
  function figures(words, change) {
    return el("dl", { class: "figures" },
      el("div", {}, el("dt", {}, `macro ${words}, before`), el("dd", {}, ...span(change.before))),
      el("div", {}, el("dt", {}, "after"), el("dd", {}, ...span(change.after))),
      el("div", {}, el("dt", {}, "difference"), el("dd", { class: change.difference[1] > 0 ? "good" : change.difference[2] < 0 ? "warn" : "" }, ...span(change.difference))));
  }
  function scores(result) {
    if (!result.ap) {
      return [el("h3", {}, result.first ? "Fitted; there was no fit to compare with" : "A fit of other classes"),
        el("p", {}, `Fitted on ${counted(result.n_fields, "field")}.${result.first ? "" : " The fit before had other classes, so the scores do not compare."}`)];
    }
    return [el("h3", {}, "Before and after"),
      el("p", {}, `Average precision ${verdict(result.ap)}; F1 of the calls ${verdict(result.f1)}.`),
      figures("average precision", result.ap), figures("F1 of the calls", result.f1),
      el("p", { class: "hint" }, `Both fits are scored on the labels as they stand now, on the ${counted(result.n_fields, "field")} in both fits, ${result.n_same_fold === result.n_fields ? "all" : result.n_same_fold.toLocaleString("en")} in the same fold, each by models that have not seen it. Ranges: 95 %, whole groups resampled, the same for both. A difference whose range holds 0 may be chance.`)];
  }
  function classes(result) {
    if (!result.ap) {
      const carried = result.classes.filter((one) => one.n), rare = result.classes.length - carried.length;
      return [el("h3", {}, "Classes"), table(["class", "fields", "average precision"], 1,
        carried.map((one) => row(one.class, one.n, one.after === null ? "not learnt" : score(one.after)))),
      rare ? el("p", { class: "hint" }, `No field carries the other ${rare}.`) : ""];
    }
    const differs = (one) => Math.abs((one.after ?? 0) - (one.before ?? 0)) >= LEAST;
    const moved = result.classes.filter((one) => one.added || one.removed || differs(one))
      .sort((a, b) => b.added + b.removed - a.added - a.removed);
    const rest = result.classes.length - moved.length;
    const none = (n) => n || "–";
    return [el("h3", {}, "Classes"),
      moved.length ? table(["class", "fields now", "labels added", "removed", "average precision before", "after", "difference"], 1,
        moved.map((one) => row(one.class, one.n, none(one.added), none(one.removed), score(one.before), score(one.after), one.before === null || one.after === null ? "–" : signed(one.after - one.before, 3)))) : "",
      rest ? el("p", { class: "hint" }, `${moved.length ? "The other " : ""}${rest === 1 ? "1 class has" : `${rest} classes have`} the same labels and scores as before.`) : ""];
  }
  function calls(result) {
    if (!result.ap) return [];
    if (!result.n_calls) return [el("h3", {}, "No call has changed")];
    const good = result.calls.filter((one) => one.called === one.labelled).length;
    return [el("h3", {}, counted(result.n_calls, "changed call")),
      el("p", {}, `${result.calls.length < result.n_calls ? `Listed are the ${result.calls.length} whose probability changed most; ` : ""}${good} of ${result.calls.length} now agree with the label.`),
      el("div", { class: "actions" }, el("button", { type: "button", on: { click: () => showFields({ rows: result.rows, chosen: "whose calls the refit changed" }) } }, "Show these fields in the gallery")),
      el("p", { class: "hint" }, "The thresholds are chosen anew: a call can change although its probability hardly does."),
      table(["field", "class", "call", "label", "probability before", "after"], 4, result.calls.map((one) => row(
        el("a", { href: `#field=${encodeURIComponent(one.id)}&class=${encodeURIComponent(one.class)}` }, one.id), el("td", {}, one.class),
        el("td", {}, one.called ? "now called" : "no longer called"),
        el("td", { class: one.called === one.labelled ? "good" : "warn" }, `${one.labelled ? "labelled" : "not labelled"}: ${one.called === one.labelled ? "agrees" : "differs"}`),
        exact(one.before), exact(one.after))))];
  }
  const show = (result) => holder.replaceChildren(...scores(result), ...classes(result), ...calls(result));
  countAnew();
  watch();
  return { keydown: () => {}, close: () => { closed = true; }, changed: countAnew };
}
