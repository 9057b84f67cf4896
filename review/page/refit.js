// Refit with the labels as they stand: progress, then scores before and after, and the calls that changed.
import { complain, get, post } from "./api.js";
import { counted, el, percent, score } from "./dom.js";

export function makeRefit(root, run, done) {
  let closed = false, busy = null;
  const holder = el("div");
  const start = el("button", { type: "button", class: "main", id: "refit-start", on: { click: begin } }, run.fit ? "Refit with these labels" : "Fit for the first time");
  root.replaceChildren(el("h2", {}, "Refit"),
    el("p", {}, `${counted(run.counts.labelled, "field")} with labels, ${run.counts.corrected.toLocaleString("en")} of them corrected; ${run.counts.unusable.toLocaleString("en")} marked as unusable and left out.`),
    el("p", { class: "hint" }, run.fit ? "Settings, groups and folds stay, so that the scores compare. If the fields are the same, only the classes with changed labels are trained again; the rest is exact as it is."
      : "A class needs at least five labelled fields with it and five without, in several groups, before it can be learnt."),
    el("div", { class: "actions" }, start, el("a", { href: "api/labels.csv", download: "labels.csv" }, "All labels as they stand (csv)")), holder);

  async function begin() {
    start.disabled = true;
    try { await post("refit", {}); watch(); } catch (error) { complain(error.message); start.disabled = false; }
  }
  async function watch() {
    try {
      const state = await get("refit");
      if (closed) return;
      const running = ["waiting", "running"].includes(state.stage);
      start.disabled = running;
      if (running) {
        busy = true;
        holder.replaceChildren(el("p", { role: "status" }, state.stage === "waiting" ? "Waiting for other work to end …" : state.what ? `${state.what}: ${state.done} of ${state.total}` : "Reading features and labels …"),
          el("progress", { max: state.total || 1, value: state.done, "aria-label": "progress of the refit" }));
        setTimeout(watch, 600);
      } else if (state.stage === "failed") holder.replaceChildren(el("p", { class: "warn", role: "alert" }, `The refit ended without a result: ${state.error}`));
      else if (state.result) { if (busy) { busy = null; await done(); } else show(state.result); }
    } catch (error) { complain(error.message); }
  }
  const span = ([value, low, high]) => [score(value), el("small", {}, ` ${score(low)} to ${score(high)}`)];
  function show(result) {
    const figures = !result.ap ? null : el("dl", { class: "figures" }, ...[["average precision", result.ap], ["F1 of the calls", result.f1]].flatMap(([words, change]) => [
      el("div", {}, el("dt", {}, `macro ${words}, before`), el("dd", {}, ...span(change.before))),
      el("div", {}, el("dt", {}, "after"), el("dd", {}, ...span(change.after))),
      el("div", {}, el("dt", {}, "difference"), el("dd", { class: change.difference[1] > 0 ? "good" : change.difference[2] < 0 ? "warn" : "" }, ...span(change.difference)))]));
    const moved = result.classes.filter((row) => row.before !== row.after || row.n_before !== row.n_after);
    holder.replaceChildren(
      el("h3", {}, result.ap ? "Before and after" : result.first ? "The first fit" : "A fit of other classes"),
      !result.ap ? el("p", {}, `Fitted on ${counted(result.n_fields, "field")}.${result.first ? "" : " The fit before had other classes, so the scores do not compare."}`)
        : el("p", { class: "hint" }, `Both are scored on the labels as they stand now, on the ${counted(result.n_fields, "field")} in both fits, ${result.n_same_fold === result.n_fields ? "all" : result.n_same_fold.toLocaleString("en")} in the same fold, each by models that have not seen it. Ranges: 95 %, whole groups resampled, the same for both. A difference whose range holds 0 may be chance.`),
      figures || "",
      moved.length ? el("div", {}, el("h3", {}, "Classes"), el("table", {}, el("thead", {}, el("tr", {}, ...["class", "labels before", "labels now", "average precision before", "after"].map((words, k) => el("th", { scope: "col", class: k ? "number" : "" }, words)))),
        el("tbody", {}, ...moved.map((row) => el("tr", {}, el("th", { scope: "row" }, row.class), el("td", { class: "number" }, row.n_before ?? "–"), el("td", { class: "number" }, row.n_after), el("td", { class: "number" }, score(row.before)), el("td", { class: "number" }, score(row.after))))))) : "",
      !result.ap ? "" : el("h3", {}, counted(result.n_calls, "changed call")),
      result.calls.length ? el("table", {}, el("thead", {}, el("tr", {}, ...["field", "class", "now", "probability before", "after"].map((words, k) => el("th", { scope: "col", class: k > 2 ? "number" : "" }, words)))),
        el("tbody", {}, ...result.calls.map((one) => el("tr", {}, el("th", { scope: "row" }, el("a", { href: `#field=${encodeURIComponent(one.id)}` }, one.id)), el("td", {}, one.class), el("td", {}, one.called ? "called" : "no longer called"),
          el("td", { class: "number" }, percent(one.before)), el("td", { class: "number" }, percent(one.after)))))) : "");
  }
  watch();
  return { keydown: () => {}, close: () => { closed = true; }, changed: () => {} };
}
