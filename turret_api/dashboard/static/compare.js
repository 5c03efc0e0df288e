// Two segments side by side: which moves the sessions of one make more often than those of the other, and how sure that is.

import { get } from "./api.js";
import { go, here } from "./address.js";
import { askedJourneys, node } from "./data.js";
import { h } from "./dom.js";
import { binsOf, spoken } from "./filters.js";
import { count, percent, plural } from "./format.js";
import { later, panel } from "./panel.js";
import { table } from "./tables.js";

const SIDES = ["a", "b"];
const SURE = 0.05;

export function compare({ fields, field, query }) {
  const chosen = Object.fromEntries(
    SIDES.map((side) => [side, [...query].find(([key]) => key.startsWith(`${side}.segment.`))]),
  );
  const ready = SIDES.every((side) => chosen[side]?.[1]);
  const wanted = {
    ...askedJourneys(field, query),
    ...Object.fromEntries(SIDES.filter((side) => chosen[side]).map((side) => chosen[side])),
    limit: 100,
  };
  return panel(
    "Compare two segments",
    "",
    { id: "compare", exports: ready ? { table: ["/v1/journeys/compare", { ...wanted, limit: 1000 }] } : null },
    choosers(fields, chosen),
    ready
      ? later(get("/v1/journeys/compare", wanted), (answer) => result(answer, chosen, field), 400)
      : h("p", { class: "empty" }, "Choose a segment for each side: a value of an enum field, or a range of a number."),
  );
}

// One select for each side, with every value of every segment; the address holds `a.segment.<field>` and `b.segment.<field>`.
function choosers(fields, chosen) {
  const groups = fields.data
    .map((each) => [
      each.field,
      each.type === "enum"
        ? each.values.slice(0, 50).map(({ value }) => String(value))
        : each.type === "number"
          ? binsOf(each).map(([bin]) => bin)
          : [],
    ])
    .filter(([, values]) => values.length);
  const select = (side) =>
    h(
      "label",
      { class: "pick" },
      side.toUpperCase(),
      h(
        "select",
        {
          id: `side-${side}`,
          onchange: (event) => {
            const option = event.target.selectedOptions[0];
            go(
              here({
                ...(chosen[side] ? { [chosen[side][0]]: null } : {}),
                ...(option.value ? { [`${side}.segment.${option.dataset.field}`]: option.value } : {}),
              }),
            );
          },
        },
        h("option", { value: "" }, "Choose a segment…"),
        groups.map(([name, values]) =>
          h(
            "optgroup",
            { label: name },
            values.map((value) =>
              h(
                "option",
                {
                  value,
                  "data-field": name,
                  selected: chosen[side]?.[0] === `${side}.segment.${name}` && chosen[side][1] === value,
                },
                `${name}: ${spoken(value)}`,
              ),
            ),
          ),
        ),
      ),
    );
  return h("div", { class: "controls" }, SIDES.map(select));
}

function result({ data, n_sessions, n_sessions_in_both: both, rest }, chosen, field) {
  const names = SIDES.map((side) => spoken(chosen[side][1]));
  const sure = data.filter((edge) => edge.q_value !== null && edge.q_value < SURE);
  const lead = h(
    "p",
    { class: "lead" },
    h(
      "strong",
      {},
      sure.length ? `${plural(sure.length, "move")} ${sure.length === 1 ? "differs" : "differ"}` : "No move differs",
    ),
    ` beyond chance (q < ${SURE}) between ${plural(n_sessions.a, "session")} of A and ${count(n_sessions.b)} of B.`,
    both ? ` ${plural(both, "session")} with both ${both === 1 ? "is" : "are"} left out.` : "",
  );
  if (!data.length) return h("p", { class: "empty" }, "No sessions in these segments.");
  const points = (value) => `${value > 0 ? "+" : ""}${(value * 100).toFixed(1)}`;
  return [
    lead,
    table(
      [
        {
          title: "Move",
          cls: "whole",
          cell: (edge) =>
            h(
              "span",
              { class: "move" },
              node(edge.from, edge.labels[0], field),
              h("span", { class: "arrow", role: "img", "aria-label": "to" }, "→"),
              node(edge.to, edge.labels[1], field),
            ),
        },
        {
          title: `A: ${names[0]}`,
          hint: "Share of the sessions that make the move",
          cls: "number a",
          cell: (edge) => percent(edge.a_share),
        },
        {
          title: `B: ${names[1]}`,
          hint: "Share of the sessions that make the move",
          cls: "number b",
          cell: (edge) => percent(edge.b_share),
        },
        {
          title: "Difference",
          hint: "In percentage points, with its 95% confidence interval",
          cls: "number",
          cell: (edge) =>
            edge.difference === null
              ? "–"
              : [
                  h(
                    "span",
                    { class: `change ${edge.q_value < SURE ? (edge.difference > 0 ? "up" : "down") : ""}` },
                    points(edge.difference),
                  ),
                  h("span", { class: "fine" }, ` ${points(edge.low)} to ${points(edge.high)}`),
                ],
        },
        {
          title: "q",
          hint: "Share of false alarms among differences as sure as this one (Benjamini-Hochberg)",
          cls: "number",
          cell: (edge) => (edge.q_value === null ? "–" : edge.q_value < 0.001 ? "<0.001" : edge.q_value.toFixed(3)),
        },
      ],
      data,
      {
        label: "Moves that differ",
        cls: "fold",
        limit: 25,
        attributes: (edge) => ({
          "data-from": edge.from,
          "data-to": edge.to,
          class: edge.q_value !== null && edge.q_value < SURE ? "sure" : null,
        }),
      },
    ),
    rest.edges ? h("p", { class: "fine rest" }, `${plural(rest.edges, "rarer kind")} of moves more.`) : null,
  ];
}
