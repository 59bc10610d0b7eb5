// Sorts tables and moves the what-if slider. Everything that it shows was worked out beforehand.
(function () {
  "use strict";

  // What has no figure stays at the end, whichever way a column is sorted.
  function sort(table, column, descending) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => {
      const cell = row.cells[column];
      const value = cell.dataset.v;
      return { row, text: cell.textContent, value: value === undefined ? null : Number(value), numeric: cell.classList.contains("n") };
    });
    const sign = descending ? -1 : 1;
    rows.sort((a, b) => {
      if (!a.numeric && !b.numeric) return sign * a.text.localeCompare(b.text);
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
      return sign * (a.value - b.value);
    });
    for (const { row } of rows) body.append(row);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        // Of figures the largest is looked for first, of names the first.
        const descending = now ? now === "ascending" : head.classList.contains("n");
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sort(table, column, descending);
      });
    });
  }

  const source = document.getElementById("what-if-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const slider = document.getElementById("loops");
  const output = document.getElementById("loops-out");
  const rows = document.getElementById("what-if-table").tBodies[0].rows;
  const sums = document.getElementById("what-if-sums").querySelectorAll("tbody");

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function show() {
    const loops = Number(slider.value);
    const queue = Number(document.querySelector("input[name=queues]:checked").value);
    output.textContent = data.loops[loops];
    slider.setAttribute("aria-valuetext", data.loops[loops] + " event loops");
    data.rows[queue][loops].forEach((scenario, way) => {
      const cells = rows[way].querySelectorAll("[data-cell]");
      const bar = rows[way].querySelector(".range span");
      if (!bar) return;
      cells.forEach((cell, i) => { cell.textContent = scenario ? scenario.cells[i] : "n/a"; });
      bar.hidden = !scenario;
      sums[way].textContent = "";
      if (!scenario) return;
      const [low, value, high] = scenario.bar;
      const range = bar.querySelector("i");
      range.style.left = low + "%";
      range.style.width = Math.max(high - low, 0.5) + "%";
      bar.querySelector("u").style.left = value + "%";
      for (const [what, ns, how] of scenario.terms) {
        const line = element("tr");
        const reason = element("td");
        reason.append(element("small", how));
        line.append(element("td", ns, "n"), element("td", what), reason);
        sums[way].append(line);
      }
    });
  }

  slider.addEventListener("input", show);
  for (const choice of document.querySelectorAll("input[name=queues]")) choice.addEventListener("change", show);
  // A browser that comes back to the page may have kept where the slider stood.
  show();
})();
