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
  const heads = [...table.querySelectorAll("thead th")];
  const shownPlaces = columns.map((_, place) => place).filter((place) => !columns[place].aside); // the others filter and are saved
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
      if (columns[place].aside) return;
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
    heads.forEach((head, at) => head.setAttribute("aria-sort", shownPlaces[at] === place ? (down ? "descending" : "ascending") : "none"));
    draw();
  }

  heads.forEach((head, at) => {
    const place = shownPlaces[at];
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
  function offer(link, parts, type) {
    if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob(parts, { type }));
  }
  const save = document.getElementById("save");
  save.addEventListener("click", () => {
    const lines = [columns.map((column) => `"${column.label}"`), ...matching().map((at) => rows[at].map(quoted))];
    offer(save, ["\ufeff", lines.map((line) => line.join(",")).join("\r\n"), "\r\n"], "text/csv");
  });
  const book = document.getElementById("save-workbook");
  book.addEventListener("click", () => {
    const head = columns.map((column) => cellOf(column.label, ""));
    const lines = [head, ...matching().map((at) => rows[at].map((cell, place) => cellOf(columns[place].words && cell !== null ? columns[place].words[cell] : cell, columns[place].format)))];
    offer(book, workbook(lines.map((cells, at) => `<row r="${at + 1}">${cells.join("")}</row>`).join("")), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
  });

  // a cell of a workbook: a number in its format, or a text, which no spreadsheet runs
  function cellOf(value, format) {
    if (value === null) return "<c/>";
    if (typeof value === "number") return `<c s="${{ percent: 1, money: 2 }[format] || 0}"><v>${value}</v></c>`;
    const text = String(value).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "").toWellFormed?.() ?? String(value);
    return `<c t="inlineStr"><is><t xml:space="preserve">${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")}</t></is></c>`;
  }

  // a workbook is a few XML files in a ZIP file; nothing in it is compressed
  function workbook(sheet) {
    const main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const related = "http://schemas.openxmlformats.org/package/2006/relationships";
    const kind = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    const formats = [0, 164, 3].map((id) => `<xf numFmtId="${id}" fontId="0" fillId="0" borderId="0" applyNumberFormat="1"/>`).join("");
    return zipped({
      "[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="${kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${kind}.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="${kind}.styles+xml"/></Types>`,
      "_rels/.rels": `<Relationships xmlns="${related}"><Relationship Id="r1" Type="${office}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
      "xl/workbook.xml": `<workbook xmlns="${main}" xmlns:r="${office}"><sheets><sheet name="accounts" sheetId="1" r:id="r1"/></sheets></workbook>`,
      "xl/_rels/workbook.xml.rels": `<Relationships xmlns="${related}"><Relationship Id="r1" Type="${office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="${office}/styles" Target="styles.xml"/></Relationships>`,
      "xl/styles.xml": `<styleSheet xmlns="${main}"><numFmts count="1"><numFmt numFmtId="164" formatCode="0.0%"/></numFmts><fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3">${formats}</cellXfs></styleSheet>`,
      "xl/worksheets/sheet1.xml": `<worksheet xmlns="${main}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" state="frozen"/></sheetView></sheetViews><sheetData>${sheet}</sheetData></worksheet>`,
    });
  }

  function zipped(files) {
    const table = Uint32Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n; });
    const numbers = (...pairs) => {
      const made = new DataView(new ArrayBuffer(pairs.reduce((sum, [size]) => sum + size, 0)));
      let at = 0;
      for (const [size, value] of pairs) { if (size === 4) made.setUint32(at, value, true); else made.setUint16(at, value, true); at += size; }
      return made;
    };
    const parts = [];
    const listed = [];
    let place = 0;
    for (const [name, text] of Object.entries(files)) {
      const title = new TextEncoder().encode(name);
      const content = new TextEncoder().encode(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
      let sum = 0xffffffff;
      for (const byte of content) sum = table[(sum ^ byte) & 255] ^ (sum >>> 8);
      // version, no flags, not compressed, time and date, checksum, sizes, length of the name, no more fields
      const facts = [[2, 20], [2, 0x800], [2, 0], [2, 0], [2, 0x21], [4, ~sum >>> 0], [4, content.length], [4, content.length], [2, title.length], [2, 0]];
      parts.push(numbers([4, 0x04034b50], ...facts), title, content);
      listed.push(numbers([4, 0x02014b50], [2, 20], ...facts, [2, 0], [2, 0], [2, 0], [4, 0], [4, place]), title);
      place += 30 + title.length + content.length;
    }
    const size = listed.reduce((sum, part) => sum + part.byteLength, 0);
    const count = listed.length / 2;
    return [...parts, ...listed, numbers([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, place], [2, 0])];
  }

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
