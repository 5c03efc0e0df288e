// Where sessions did not get what they asked for: how often each sign of that is, and in which topics and moves.

import { afterwards, get } from "./api.js";
import { here } from "./address.js";
import { SIGNS, askedJourneys, fromTo, node } from "./data.js";
import { h } from "./dom.js";
import { count, percent, plural } from "./format.js";
import { sessionsTable } from "./moved.js";
import { later, panel, rowsOf } from "./panel.js";
import { table } from "./tables.js";
import { inUnit, peopleOf, titleOf } from "./units.js";

export function friction({ field, query }) {
  const wanted = askedJourneys(field, query),
    answer = get("/v1/friction", inUnit(wanted, query)),
    unit = peopleOf(query),
    sign = SIGNS[query.get("sign")] ? query.get("sign") : "any";
  const rows = (name, ...columns) => ({
    rows: async () => rowsOf((await answer)[name], ...columns),
    query: ["/v1/friction", wanted, [name]],
  });
  return [
    panel(
      "Signs of friction",
      "",
      {
        id: "signs",
        note: "What happened in sessions that did not get what they asked for",
        exports: rows("data", "sign", "n_messages", "share_of_messages", `n_${unit}`, `share_of_${unit}`),
      },
      later(answer, (found) => [lead(found, unit), signsTable(found.data, sign, unit)], 260),
    ),
    panel(
      "Topics with friction",
      "half",
      {
        id: "friction-topics",
        note: `Those first that most ${unit} met with`,
        exports: rows(
          "topics",
          "topic_id",
          "label",
          "n_requests",
          "n_with_friction",
          `n_${unit}`,
          "share",
          "low",
          "high",
        ),
      },
      later(
        answer,
        ({ topics }) => placesTable(topics, "Topic", (row) => node(row.topic_id, row.label, field), unit),
        300,
      ),
    ),
    panel(
      "Moves with friction",
      "half",
      {
        id: "friction-moves",
        note: "Out of a visit with a sign",
        exports: rows("moves", "from", "to", "n_moves", "n_with_friction", `n_${unit}`, "share", "low", "high"),
      },
      later(answer, ({ moves }) => placesTable(moves, "Move", (row) => move(row, field), unit), 300),
    ),
    sessions(wanted, sign, field),
  ];
}

function lead({ data, ...found }, unit) {
  const any = data.find((each) => each.sign === "any");
  if (!any?.[`n_${unit}`]) return null;
  return h(
    "p",
    { class: "lead" },
    h("strong", {}, percent(any[`share_of_${unit}`])),
    ` of ${plural(found[`n_${unit}`], unit.slice(0, -1))} met with friction (${interval(any[`share_of_${unit}_low`], any[`share_of_${unit}_high`])}).`,
  );
}

function signsTable(data, chosen, unit) {
  if (!data.some((each) => each.n_messages))
    return h("p", { class: "empty" }, "No sign of friction for these filters.");
  return table(
    [
      {
        title: "Sign",
        cell: (row) =>
          h(
            "a",
            {
              class: "plain",
              href: here({ sign: row.sign === "any" ? null : row.sign }),
              "aria-current": row.sign === chosen ? "true" : null,
            },
            SIGNS[row.sign] ?? row.sign,
          ),
      },
      { title: "Messages", cls: "number", cell: (row) => count(row.n_messages) },
      { title: titleOf(unit), cls: "number count", cell: (row) => count(row[`n_${unit}`]) },
      { title: `Of ${unit}`, cls: "number", cell: (row) => percent(row[`share_of_${unit}`]) },
      intervalColumn((row) => interval(row[`share_of_${unit}_low`], row[`share_of_${unit}_high`])),
    ],
    data,
    { cls: "fold", label: "Signs of friction", attributes: (row) => ({ "data-sign": row.sign }) },
  );
}

function placesTable(rows, title, cell, unit) {
  const some = rows.filter((row) => row.n_with_friction);
  if (!some.length) return h("p", { class: "empty" }, "None for these filters.");
  return table(
    [
      { title, cls: "whole", cell },
      { title: titleOf(unit), cls: "number count", cell: (row) => count(row[`n_${unit}`]) },
      { title: "Share", cls: "number", cell: (row) => percent(row.share) },
      intervalColumn((row) => interval(row.low, row.high)),
    ],
    some,
    { cls: "fold", limit: 10, label: `${title}s with friction` },
  );
}

const move = (row, field) => fromTo(node(row.from, row.labels[0], field), node(row.to, row.labels[1], field));

function sessions(wanted, sign, field) {
  const asked = { ...wanted, from_topic: "start", friction: sign };
  return later(
    afterwards(() => get("/v1/journeys/sessions", { ...asked, limit: 25 })),
    ({ data, n_sessions }) =>
      data.length
        ? panel(
            sign === "any" ? "Sessions with friction" : `Sessions: ${SIGNS[sign].toLowerCase()}`,
            "",
            {
              id: "friction-sessions",
              note: plural(n_sessions, "session"),
              exports: { table: ["/v1/journeys/sessions", { ...asked, limit: 1000 }] },
            },
            sessionsTable(data, n_sessions, field, "Sessions with friction"),
          )
        : null,
    200,
  );
}

const interval = (low, high) => (low === null || low === undefined ? "–" : `${percent(low)} to ${percent(high)}`);

const intervalColumn = (cell) => ({
  title: "Interval",
  hint: "95% confidence interval of the share before it",
  cls: "number muted",
  cell,
});
