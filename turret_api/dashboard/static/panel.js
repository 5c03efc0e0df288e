// A panel: a titled part of a page. Its contents may come later, may fail by themselves, and can be taken along as files.

import { ApiError, file } from "./api.js";
import { drawPictures, imageOf } from "./charts.js";
import { h } from "./dom.js";
import { showQuery } from "./query.js";
import { mayReadTexts } from "./rights.js";

let waiting = new Set();

// exports: { table: [path, query] of the API, or rows: a function (or a promise of what it gives) of rows, the first of them
// the head; picture: true where the panel has one; query: [path, query, parts] where the numbers are not those of `table`,
// for the query behind them (see `showQuery`) }, for the menu; `id` names the files too.
export function panel(title, size, { note = null, id = null, exports = null } = {}, ...children) {
  const heading = h("h2", id ? { id: `${id}-title` } : {}, title);
  return h(
    "section",
    { class: `panel ${size}`, id, "aria-labelledby": id ? `${id}-title` : null },
    h(
      "div",
      { class: "panel-head" },
      heading,
      h(
        "div",
        { class: "panel-tools" },
        note ? h("div", { class: "fine" }, note) : null,
        exports && exportMenu(title, id, exports),
      ),
    ),
    ...children,
  );
}

export const skeleton = (height) => h("div", { class: "skeleton", style: { height: `${height}px` } });

// What `make` makes of `promise`'s answer, once it is there; until then a grey block, after a failure what went wrong.
export function later(promise, make, height = 160) {
  const place = h("div", { class: "later" }, skeleton(height));
  const mine = waiting;
  const work = promise
    .then(make)
    .catch(failedPart)
    .then((content) => {
      place.replaceChildren(
        ...[content].flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false),
      );
      if (place.isConnected) drawPictures(place);
    })
    .finally(() => mine.delete(work));
  mine.add(work);
  return place;
}

// Resolves when everything that was to come later is there; a view begins with nothing to wait for.
export function beginView() {
  waiting = new Set();
  const mine = waiting;
  return async () => {
    while (mine.size) await Promise.all(mine);
  };
}

export function failedPart(error) {
  if (!(error instanceof ApiError)) console.error(error);
  if (error.code === "ROLE_TOO_LOW") return h("p", { class: "empty" }, error.message);
  return h(
    "div",
    { class: "failed", role: "alert" },
    h("p", { class: "problem" }, error.message),
    h(
      "button",
      { class: "button", type: "button", onclick: () => dispatchEvent(new Event("turret:view")) },
      "Try again",
    ),
  );
}

function exportMenu(title, id, { table, picture, rows, query = table }) {
  const items = [];
  const name = `turret-${id}`;
  const item = (label, make) =>
    items.push(
      h(
        "button",
        {
          type: "button",
          onclick: async (event) => {
            const menu = event.target.closest("details");
            try {
              await make(menu);
              menu.open = false;
            } catch (error) {
              event.target.textContent = error.message;
            }
          },
        },
        label,
      ),
    );
  if (table)
    for (const format of ["csv", "parquet"])
      item(format === "csv" ? "CSV" : "Parquet", async () => save(await file(...table, format), `${name}.${format}`));
  if (rows) item("CSV", async () => save(new Blob([csv(await rows())], { type: "text/csv" }), `${name}.csv`));
  if (picture) {
    for (const format of ["png", "svg"]) {
      item(format.toUpperCase(), async (menu) => {
        const shown = menu.closest(".panel").querySelector(".picture[data-drawn]");
        if (!shown) throw new Error("No picture yet");
        save(await imageOf(shown, format), `${name}.${format}`);
      });
    }
  }
  if (query && mayReadTexts) item("Show the query", () => showQuery(title, ...query));
  return h(
    "details",
    { class: "menu" },
    h("summary", { "aria-label": `Export ${title}` }, "Export"),
    h("div", { class: "menu-items" }, items),
  );
}
function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const anchor = h("a", { href: address, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// `list`'s items as rows for `exports`, under a head of their `keys`.
export const rowsOf = (list, ...keys) => [keys, ...list.map((each) => keys.map((key) => each[key]))];

// Rows (the first is the head) of texts and numbers as CSV; no cell runs as a formula in a spreadsheet (OWASP, "CSV Injection").
export function csv(rows) {
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value !== "number" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
