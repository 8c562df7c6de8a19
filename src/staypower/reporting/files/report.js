"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.documentElement.classList.add("js");
  const STEP = 25;
  const table = document.getElementById("watch-table");
  const pages = [...document.querySelectorAll("article.page")];
  const overview = document.title;

  // account pages: the address says which is open, so that back, bookmarks and links work
  function route() {
    const id = location.hash.slice(1);
    const open = pages.find((page) => page.id === id);
    for (const page of pages) page.classList.toggle("open", page === open);
    document.documentElement.classList.toggle("reading", Boolean(open));
    document.title = open ? `${open.querySelector("h2").textContent} - ${overview}` : overview;
    if (open) {
      open.querySelector("h2").focus({ preventScroll: true });
      window.scrollTo(0, 0);
    } else if (id) {
      const place = document.getElementById(id);
      if (place) place.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", route);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.documentElement.classList.contains("reading")) location.hash = "#watch";
  });
  route();
  if (!table) return;

  const { columns, rows, pages: here, home, folder, each } = data;
  const body = table.tBodies[0];
  const search = document.getElementById("search");
  const selects = [...document.querySelectorAll("select[data-filter]")];
  const found = document.getElementById("found");
  const more = document.getElementById("more");
  const position = new Map(columns.map((column, place) => [column.key, place]));
  const texts = rows.map((row) => row.map((cell, place) => (columns[place].search ? shown(cell, place) : "")).join("\n").toLowerCase());
  let order = rows.map((_, place) => place);
  let sorted = { place: -1, down: true };
  let limit = STEP;

  function shown(cell, place) {
    if (cell === null) return "";
    const column = columns[place];
    if (column.words) return column.words[cell];
    if (column.format === "percent") return `${(100 * cell).toFixed(1)}%`;
    if (column.format === "money") return Math.round(cell).toLocaleString("en");
    return String(cell);
  }

  // the page of an account, by its number in the list: on this page, or in a file of the folder
  function linkOf(number) {
    if (number <= here) return `${home}#account-${number}`;
    return folder ? `${folder}/${String(Math.ceil(number / each)).padStart(5, "0")}.html#account-${number}` : "";
  }

  function matching() {
    const wanted = search.value.trim().toLowerCase();
    const chosen = selects.filter((select) => select.value).map((select) => [position.get(select.dataset.filter), select.value]);
    return order.filter((at) => (!wanted || texts[at].includes(wanted)) && chosen.every(([place, value]) => value === filterOf(at, place)));
  }

  function filterOf(at, place) {
    const cell = rows[at][place];
    return cell === null ? "" : columns[place].values ? columns[place].values[cell] : String(cell);
  }

  function draw() {
    const kept = matching();
    body.replaceChildren(...kept.slice(0, limit).map(line));
    found.textContent = `${kept.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} accounts`;
    more.hidden = kept.length <= limit;
    more.textContent = `Show ${Math.min(STEP, kept.length - limit)} more`;
  }

  function line(at) {
    const made = document.createElement("tr");
    rows[at].forEach((cell, place) => {
      const field = document.createElement(place === 0 ? "th" : "td");
      field.dataset.label = columns[place].label;
      if (place === 0) field.scope = "row";
      else field.className = columns[place].kind;
      const link = place === 0 ? linkOf(at + 1) : "";
      if (link) {
        const anchor = document.createElement("a");
        anchor.href = link;
        anchor.textContent = shown(cell, place);
        field.append(anchor);
      } else field.textContent = shown(cell, place);
      made.append(field);
    });
    return made;
  }

  function sortBy(place) {
    const down = sorted.place === place ? !sorted.down : columns[place].kind === "number";
    sorted = { place, down };
    const sign = down ? -1 : 1;
    order = rows.map((_, at) => at).sort((one, two) => {
      const a = rows[one][place];
      const b = rows[two][place];
      if (a === null || b === null) return (a === null) - (b === null) || one - two; // what is missing stays last
      const order = columns[place].kind === "number" ? a - b : shown(a, place).localeCompare(shown(b, place), "en", { numeric: true });
      return sign * order || one - two;
    });
    table.querySelectorAll("thead th").forEach((head, at) => head.setAttribute("aria-sort", at === place ? (down ? "descending" : "ascending") : "none"));
    draw();
  }

  table.querySelectorAll("thead th").forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(place));
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
  });
  // what is filtered and sorted, as a file; a text that a spreadsheet would run as a formula gets a leading quote
  function quoted(cell, place) {
    const value = cell === null ? "" : columns[place].words ? columns[place].words[cell] : String(cell);
    const safe = columns[place].kind !== "number" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return `"${safe.replaceAll('"', '""')}"`;
  }
  const save = document.getElementById("save");
  save.addEventListener("click", () => {
    const lines = [columns.map((column) => `"${column.label}"`), ...matching().map((at) => rows[at].map(quoted))];
    if (save.href.startsWith("blob:")) URL.revokeObjectURL(save.href);
    save.href = URL.createObjectURL(new Blob(["\ufeff", lines.map((line) => line.join(",")).join("\r\n"), "\r\n"], { type: "text/csv" }));
  });
  const restart = () => { limit = STEP; draw(); };
  search.addEventListener("input", restart);
  selects.forEach((select) => select.addEventListener("change", restart));
  more.addEventListener("click", () => { limit += STEP; draw(); });
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
  document.querySelectorAll("button.pick").forEach((button) => {
    const select = selects.find((each) => each.dataset.filter === "quadrant");
    if (!select) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      select.value = button.dataset.quadrant;
      restart();
      document.getElementById("watch-title").scrollIntoView();
      search.focus({ preventScroll: true });
    });
  });
  document.getElementById("tools").hidden = false;
  draw();
})();
