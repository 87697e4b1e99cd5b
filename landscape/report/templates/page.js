(function () {
  "use strict";
  // Opens what is folded around the target of a link.
  function reveal() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) { return; }
    const inside = target.querySelector(":scope > details.fold");
    if (inside) { inside.open = true; }
    for (let place = target; place; place = place.parentElement) {
      if (place.tagName === "DETAILS") { place.open = true; }
    }
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  document.addEventListener("click", function (event) {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) { reveal(); }
  });
  reveal();
  let opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details.fold:not([open])"));
    opened.forEach(function (fold) { fold.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (fold) { fold.open = false; });
  });

  // Sorts a table by the column whose heading was pressed; cells without a value come last.
  function key(text) {
    const plain = text.trim().replace(/\u2212/g, "-");
    if (plain === "" || plain === "\u2013") { return null; }
    const match = plain.match(/^[<>\u2264\u2265]?\s*[[(]?([+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\u221e))/);
    if (!match) { return plain; }
    return match[1].includes("\u221e") ? (plain.includes("-") ? -Infinity : Infinity) : +match[1];
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") { return a - b; }
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }
  function sort(heading) {
    const table = heading.closest("table"), body = table.tBodies[0], index = heading.cellIndex;
    const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const rows = Array.from(body.rows).map(function (row) {
      return { row: row, key: key(row.cells[index].textContent) };
    });
    rows.sort(function (a, b) {
      if (a.key === null || b.key === null) { return (a.key === null) - (b.key === null); }
      return sign * compare(a.key, b.key);
    });
    table.querySelectorAll("[aria-sort]").forEach(function (other) {
      other.removeAttribute("aria-sort");
    });
    heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    rows.forEach(function (item) { body.append(item.row); });
  }
  document.querySelectorAll("table.sortable thead th").forEach(function (heading) {
    const text = heading.querySelector(".heading") || heading;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append.apply(button, Array.from(text.childNodes));
    button.addEventListener("click", function () { sort(heading); });
    text.append(button);
  });

  // Explains a number when the pointer rests on it, when it is tapped, or at its heading's focus.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);
  function hide() { tip.hidden = true; }
  function explain(cell) {
    const table = cell.closest("table.sortable");
    const heading = table && table.tHead.rows[0].cells[cell.cellIndex];
    const id = heading && heading.dataset.definition;
    const term = id && document.getElementById(id);
    if (!term) { hide(); return; }
    const title = document.createElement("b");
    title.textContent = heading.querySelector(".sort").textContent;
    const link = document.createElement("a");
    link.href = "#" + id;
    link.textContent = "definition";
    tip.replaceChildren(title, term.nextElementSibling.textContent + " ", link);
    tip.hidden = false;
    const place = cell.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const left = Math.min(place.left, document.documentElement.clientWidth - size.width - 12);
    const below = place.bottom + size.height + 6 < window.innerHeight;
    tip.style.left = Math.max(8, left) + window.scrollX + "px";
    tip.style.top = (below ? place.bottom + 2 : place.top - size.height - 2) + window.scrollY + "px";
  }
  let waiting = 0;
  document.addEventListener("pointerover", function (event) {
    if (event.target.closest(".tip")) { clearTimeout(waiting); return; }
    clearTimeout(waiting);
    const cell = event.target.closest("table.sortable td, table.sortable thead th");
    waiting = setTimeout(function () { if (cell) { explain(cell); } else { hide(); } }, 250);
  });
  document.addEventListener("click", function (event) {
    const cell = event.target.closest("table.sortable td");
    if (cell) { explain(cell); } else if (!event.target.closest(".tip")) { hide(); }
  });
  document.addEventListener("focusin", function (event) {
    const heading = event.target.closest("table.sortable thead th");
    if (heading && event.target.classList.contains("what")) { explain(heading); }
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { hide(); }
  });

  // Marks the section that is read in the contents.
  const links = new Map();
  document.querySelectorAll(".contents a").forEach(function (link) {
    const section = document.getElementById(link.hash.slice(1));
    if (section) { links.set(section, link); }
  });
  if ("IntersectionObserver" in window) {
    const watcher = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        const link = links.get(entry.target);
        link.classList.toggle("current", entry.isIntersecting);
        if (entry.isIntersecting) { link.setAttribute("aria-current", "true"); }
        else { link.removeAttribute("aria-current"); }
      });
    }, { rootMargin: "-20% 0px -70% 0px" });
    links.forEach(function (link, section) { watcher.observe(section); });
  }
}());
