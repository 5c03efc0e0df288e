// "Show the query": the SQL that counts what a panel shows, to be run on the lake by DuckDB.

import { text } from "./api.js";
import { h } from "./dom.js";
import { mayReadTexts } from "./rights.js";

const PART = /^-- part: (.*)$/m;

// Opens a dialog with the SQL of the answer to a path and query of the API, of those `parts` of it that are named (none: all).
export async function showQuery(title, path, query, parts = []) {
  const sql = only(await text(path, { ...query, format: "sql" }), parts);
  const code = h("pre", { class: "code", tabindex: "0", role: "region", "aria-label": "SQL" }, sql);
  const told = h("span", { class: "fine", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(sql);
      told.textContent = "Copied";
    } catch {
      // Without https a browser gives no clipboard: the reader's own keys do.
      getSelection().selectAllChildren(code);
      told.textContent = "Selected; press Ctrl+C or ⌘C";
    }
  };
  const dialog = h(
    "dialog",
    { class: "query", "aria-labelledby": "query-title", onclose: (event) => event.target.remove() },
    h("h2", { id: "query-title" }, `The query behind “${title}”`),
    h(
      "p",
      { class: "fine" },
      "DuckDB counts the same from the tables of the lake. Copy it into the ",
      h("code", {}, "duckdb"),
      " shell, or into Python after ",
      h("code", {}, "pip install duckdb"),
      ", on a machine that can read the lake.",
    ),
    code,
    h(
      "div",
      { class: "buttons" },
      h("button", { class: "primary", type: "button", onclick: copy }, "Copy"),
      h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Close"),
      told,
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}

// A button that shows the query of a single number.
// Who may see counts alone gets none: the SQL counts everything.
export const queryButton = (title, ...source) =>
  mayReadTexts &&
  h(
    "button",
    {
      class: "show-query",
      type: "button",
      "aria-label": `Show the query of ${title}`,
      title: "Show the query",
      onclick: async (event) => {
        const button = event.currentTarget;
        button.disabled = true;
        try {
          await showQuery(title, ...source);
        } catch (error) {
          button.title = error.message;
          button.textContent = "!";
        } finally {
          button.disabled = false;
        }
      },
    },
    "SQL",
  );

// The text with those of its parts alone that are named.
function only(sql, parts) {
  if (!parts.length) return sql;
  const [head, ...rest] = sql.split(PART);
  const kept = [];
  for (let i = 0; i < rest.length; i += 2) if (parts.includes(rest[i])) kept.push(`-- part: ${rest[i]}${rest[i + 1]}`);
  return head + kept.join("");
}
