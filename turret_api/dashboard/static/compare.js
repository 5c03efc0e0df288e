// Two sides, each a segment, a cohort or a period: which topics, or moves, the sessions of one have more often than those of the
// other, and how sure that is. A release makes a period of either side: from its date on, and as long before.

import { get } from "./api.js";
import { go, here } from "./address.js";
import { asked, fromTo, isOfThemes, node } from "./data.js";
import { h } from "./dom.js";
import { count, percent, plural, signed } from "./format.js";
import { releases } from "./notes.js";
import { later, panel } from "./panel.js";
import { SIDES, choosers, hasCohort, namesOf, sidesOf } from "./sides.js";
import { change, table } from "./tables.js";

const SURE = 0.05;
const TOLD = 4;
const MARKS_IN_TIME = { new: "New", grew: "Grew", shrank: "Shrank", gone: "Gone" };
const MARKS_OF_GROUPS = { new: "Only in A", grew: "More in A", shrank: "Less in A", gone: "Only in B" };
const marksOf = ({ periods }) =>
  SIDES.every((side) => periods[side].from || periods[side].to) ? MARKS_IN_TIME : MARKS_OF_GROUPS;

export function compare({ fields, field, query }, topics) {
  const ofMoves = query.get("of") === "moves";
  const title = ofMoves ? "Compare moves" : "Compare topics";
  return later(
    Promise.all([topics, releases()]).then(([all, told]) => ({
      all,
      told,
      sides: sidesOf(query, all.whole_days, fields),
    })),
    ({ all, told, sides }) => {
      const path = ofMoves ? "/v1/journeys/compare" : "/v1/topics/compare";
      const wanted = { ...asked(field, query), level: isOfThemes(query) ? 1 : null, ...sides, limit: 100 };
      return panel(
        title,
        "",
        {
          id: "compare",
          note: switchOf(ofMoves),
          exports: sides ? { table: [path, { ...wanted, limit: 1000 }] } : null,
        },
        choosers(fields, all.whole_days, sides ?? {}, told, all.ofLevel(isOfThemes(query)), all.name),
        sides
          ? later(
              get(path, wanted),
              (answer) => [
                (ofMoves ? movesOf : topicsOf)(answer, namesOf(sides, answer, all.name), field),
                answer.data.length ? h("p", { class: "fine" }, cautions(sides)) : null,
              ],
              400,
            )
          : h("p", { class: "empty" }, "Choose what stands on each side: a period, a cohort, or a value of a field."),
      );
    },
    460,
  );
}

const cautions = (sides) =>
  [
    "Overview may call chance what is marked here: it tests topics, friction, outcomes and all else at once, this page its own rows alone.",
    hasCohort(sides)
      ? "The topics of a cohort differ because its users were chosen by them; and all sessions of a user are on one side, so a few busy users weigh more than the intervals say."
      : "",
  ].join(" ");

const switchOf = (ofMoves) =>
  h(
    "div",
    { class: "segments" },
    [
      ["topics", "Shares of topics"],
      ["moves", "Moves"],
    ].map(([key, title]) =>
      h(
        "button",
        {
          class: "segment",
          type: "button",
          id: `of-${key}`,
          "aria-pressed": String(ofMoves === (key === "moves")),
          onclick: () => go(here({ of: key === "topics" ? null : key })),
        },
        title,
      ),
    ),
  );

const points = (value) => signed((value * 100).toFixed(1));

const sizes = ({ n_sessions, n_sessions_in_both: both }) => [
  ` between ${plural(n_sessions.a, "session")} of A and ${count(n_sessions.b)} of B.`,
  both ? ` ${plural(both, "session")} on both sides ${both === 1 ? "is" : "are"} left out.` : "",
];

const difference = (row) =>
  row.difference === null
    ? "–"
    : [
        h(
          "span",
          { class: `change ${row.q_value < SURE ? (row.difference > 0 ? "up" : "down") : ""}` },
          points(row.difference),
        ),
        h("span", { class: "fine" }, ` ${points(row.low)} to ${points(row.high)}`),
      ];

const sureness = {
  title: "q",
  hint: "Share of false alarms among differences as sure as this one (Benjamini-Hochberg)",
  cls: "number",
  cell: (row) => (row.q_value === null ? "–" : row.q_value < 0.001 ? "<0.001" : row.q_value.toFixed(3)),
};

const shares = (names, hint) =>
  SIDES.map((side, i) => ({
    title: `${side.toUpperCase()}: ${names[i]}`,
    hint,
    cls: `number of-side ${side}`,
    cell: (row) => percent(row[`${side}_share`]),
  }));

const DIFFERENCE = {
  title: "Difference",
  hint: "In percentage points, with its 95% confidence interval",
  cls: "number",
  cell: difference,
};

function topicsOf(answer, names, field) {
  const { data, rest } = answer,
    marks = marksOf(answer);
  if (!data.length) return h("p", { class: "empty" }, "No sessions on these sides.");
  return [
    tells(data, marks, field),
    h(
      "p",
      { class: "lead" },
      h("strong", {}, differ(data.filter((row) => row.mark).length, "topic")),
      ` beyond chance (q < ${SURE})`,
      sizes(answer),
    ),
    table(
      [
        {
          title: "Topic",
          cls: "whole",
          cell: (row) => [
            node(row.topic_id, row.label, field),
            row.mark ? [" ", h("span", { class: "mark" }, marks[row.mark])] : null,
          ],
        },
        ...shares(names, "Share of the sessions that have the topic"),
        DIFFERENCE,
        {
          title: "Change",
          hint: "A's share over B's; –: none in B",
          cls: "number change-of",
          cell: (row) => change(row.change, false),
        },
        sureness,
      ],
      data,
      {
        label: "Topics of both sides",
        cls: "fold sides",
        limit: 25,
        attributes: (row) => ({
          "data-topic": row.topic_id,
          "data-mark": row.mark,
          "data-change": row.change,
          class: row.mark ? "sure" : null,
        }),
      },
    ),
    rest ? h("p", { class: "fine rest" }, `${plural(rest, "topic")} more.`) : null,
  ];
}

const differ = (n, word) => (n ? `${plural(n, word)} ${n === 1 ? "differs" : "differ"}` : `No ${word} differs`);

// What is new, grew, shrank or is gone, each with the topics that differ most.
function tells(data, marks, field) {
  const lines = Object.entries(marks)
    .map(([mark, title]) => [
      title,
      data.filter((row) => row.mark === mark).sort((x, y) => Math.abs(y.difference) - Math.abs(x.difference)),
    ])
    .filter(([, rows]) => rows.length);
  if (!lines.length) return null;
  return h(
    "ul",
    { class: "tells" },
    lines.map(([title, rows]) =>
      h(
        "li",
        {},
        h("strong", {}, `${title}: `),
        rows
          .slice(0, TOLD)
          .map((row, i) => [
            i ? ", " : "",
            node(row.topic_id, row.label, field),
            h("span", { class: "fine" }, ` ${points(row.difference)} points`),
          ]),
        rows.length > TOLD ? `, and ${count(rows.length - TOLD)} more` : "",
        ".",
      ),
    ),
  );
}

function movesOf(answer, names, field) {
  const { data, rest } = answer;
  if (!data.length) return h("p", { class: "empty" }, "No sessions on these sides.");
  const isSure = (edge) => edge.q_value !== null && edge.q_value < SURE;
  return [
    h(
      "p",
      { class: "lead" },
      h("strong", {}, differ(data.filter(isSure).length, "move")),
      ` beyond chance (q < ${SURE})`,
      sizes(answer),
    ),
    table(
      [
        {
          title: "Move",
          cls: "whole",
          cell: (edge) => fromTo(node(edge.from, edge.labels[0], field), node(edge.to, edge.labels[1], field)),
        },
        ...shares(names, "Share of the sessions that make the move"),
        DIFFERENCE,
        sureness,
      ],
      data,
      {
        label: "Moves that differ",
        cls: "fold sides",
        limit: 25,
        attributes: (edge) => ({ "data-from": edge.from, "data-to": edge.to, class: isSure(edge) ? "sure" : null }),
      },
    ),
    rest.edges ? h("p", { class: "fine rest" }, `${plural(rest.edges, "rarer kind")} of moves more.`) : null,
  ];
}
