"use strict";
// Click on a column's head: sort by it, highest first; again: lowest first. Rows without a value stay last.
for (const head of document.querySelectorAll("table.sortable th button")) {
  head.addEventListener("click", () => {
    const cell = head.closest("th");
    const table = cell.closest("table");
    const body = table.tBodies[0];
    const column = cell.cellIndex;
    const descending = cell.getAttribute("aria-sort") !== "descending";
    const text = cell.dataset.kind === "text";
    const value = (row) => row.cells[column].dataset.value;
    const rows = Array.from(body.rows).sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = text ? x.localeCompare(y) : Number(x) - Number(y);
      return descending ? -order : order;
    });
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...rows);
  });
}
const cards = Array.from(document.querySelectorAll("details.card"));
const openAll = (open) => cards.forEach((card) => { card.open = open; });
for (const button of document.querySelectorAll("button[data-open]")) {
  button.addEventListener("click", () => openAll(button.dataset.open === "yes"));
}
const find = document.getElementById("find");
const found = document.getElementById("found");
find.addEventListener("input", () => {
  const wanted = find.value.trim().toLowerCase();
  for (const card of cards) card.hidden = !card.dataset.name.includes(wanted);
  const n = cards.filter((card) => !card.hidden).length;
  found.textContent = wanted ? `${n} of ${cards.length} shown` : "";
});
// A link to an organelle opens its card; on paper all cards are open, and afterwards as they were.
const openTarget = () => {
  const target = location.hash ? document.getElementById(location.hash.slice(1)) : null;
  if (target && target.matches("details")) { target.hidden = false; target.open = true; target.scrollIntoView(); }
};
window.addEventListener("hashchange", openTarget);
let closed = [];
window.addEventListener("beforeprint", () => { closed = cards.filter((card) => !card.open); openAll(true); });
window.addEventListener("afterprint", () => { for (const card of closed) card.open = false; });
openTarget();
