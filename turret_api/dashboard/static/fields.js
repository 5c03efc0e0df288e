// The fields of the events' metadata: the type of each (`edit` makes what shows or changes it), whether it is an outcome (`mark` likewise), why, and what its values show.

import { h, meter } from "./dom.js";
import { count, measure, percent, plural } from "./format.js";
import { mayReadTexts } from "./rights.js";

const SHOWN = 5;

export function fieldsTable(fields, { edit, mark, history }) {
  const rows = fields.map((field) =>
    h(
      "tr",
      { "data-field": field.field },
      h("td", {}, h("strong", { class: "field-name" }, field.field)),
      h(
        "td",
        {},
        edit(field),
        field.pending ? h("p", { class: "fine" }, "from the next build on") : null,
        field.overridden ? h("p", { class: "fine" }, `set by hand; values show ${field.detected_type}`) : null,
        mark(field),
      ),
      h("td", { class: "number", "data-title": "Confidence", title: field.reason ?? "" }, percent(field.confidence)),
      mayReadTexts
        ? [
            h("td", { class: "number events", "data-title": "Events" }, count(field.n_events)),
            h(
              "td",
              { class: "whole muted reason" },
              field.failure ? h("p", { class: "problem" }, `Failed in ${field.failure}`) : null,
              field.reason ?? "",
              history(field),
            ),
            h("td", { class: "whole" }, contents(field)),
          ]
        : null,
    ),
  );
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": "Fields" },
    h(
      "table",
      { class: "fold fields" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Field"),
          h("th", { scope: "col" }, "Type"),
          h("th", { scope: "col", class: "number" }, "Confidence"),
          mayReadTexts
            ? [
                h("th", { scope: "col", class: "number" }, "Events"),
                h("th", { scope: "col" }, "Why"),
                h("th", { scope: "col" }, "Values"),
              ]
            : null,
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

export const typeMark = (type) => h("span", { class: `type ${type === "number" ? "number-type" : type}` }, type);

function contents(field) {
  if (field.values) {
    const total = field.values.reduce((sum, each) => sum + each.count, 0) || 1;
    const shown = field.values.slice(0, SHOWN);
    return h(
      "div",
      { class: "bars" },
      shown.map((each) =>
        h(
          "div",
          {},
          h("span", { class: "name", title: String(each.value) }, String(each.value)),
          meter(each.count / total),
          h("span", { class: "number" }, percent(each.count / total)),
        ),
      ),
      field.values.length > SHOWN
        ? h("p", { class: "fine" }, `and ${plural(field.values.length - SHOWN, "more value")}`)
        : null,
    );
  }
  if (field.mean !== undefined && field.mean !== null) {
    const quantiles = field.quantiles ?? {};
    const facts = [
      ["Min", field.min],
      ["Median", quantiles["0.5"] ?? quantiles.p50],
      ["Mean", field.mean],
      ["95%", quantiles["0.95"] ?? quantiles.p95],
      ["Max", field.max],
    ];
    return h(
      "dl",
      { class: "facts" },
      facts
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, measure(value)))),
    );
  }
  return h("div", { class: "quote" }, (field.examples ?? []).slice(0, 2).map(String).join(" · "));
}
