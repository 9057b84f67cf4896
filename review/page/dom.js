// Elements from text alone: nothing that the server sends is ever parsed as HTML.
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}
/** Puts other children into an element; the control that had the focus has it again. */
export function renew(holder, ...children) {
  const controls = () => [...holder.querySelectorAll("button, a, input, select")], at = controls().indexOf(document.activeElement);
  holder.replaceChildren(...children);
  if (at >= 0) controls()[at]?.focus({ preventScroll: true });
}
export const percent = (p) => (p >= 0.995 ? ">99\u00a0%" : p < 0.005 ? "<1\u00a0%" : `${Math.round(100 * p)}\u00a0%`);
export const score = (x) => (x === null || Number.isNaN(x) ? "–" : x.toFixed(3).replace("-", "−"));
export const signed = (x, digits = 2) => `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(digits)}`;
export const counted = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
export function select(label, options, value, change) {
  const list = el("select", { on: { change: () => change(list.value) } },
    ...options.map(([key, words]) => el("option", { value: key, selected: key === value }, words)));
  return el("label", {}, el("span", {}, label), list);
}
/** What an answer says that waits for work in the background. */
export const unfinished = ({ what, done, steps }) => `${what ? what[0].toUpperCase() + what.slice(1) : "Waiting for other work to end"}${steps ? ` (${Math.floor(100 * done / steps)} %)` : ""} …`;
