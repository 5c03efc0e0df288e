// What precedes a good or a bad outcome: topics, moves and signs of friction, sessions with each beside those without.

import { get } from "./api.js";
import { go, here, link } from "./address.js";
import { SIGNS, askedJourneys, fromTo, naming, node } from "./data.js";
import { h } from "./dom.js";
import { count, measure, percent, plural, signed } from "./format.js";
import { sessionsTable } from "./moved.js";
import { saidOf, suggestions } from "./outcome_marks.js";
import { later, panel } from "./panel.js";
import { queryButton } from "./query.js";
import { mayEdit } from "./rights.js";
import { table } from "./tables.js";

const SURE = 0.05;
const KINDS = { topic: "Topics", move: "Moves", sign: "Signs of friction" };
const ONE = { move: ["move"], sign: ["sign of friction", "signs of friction"] };

export function outcomes(context) {
  const { field, query, fields, again } = context;
  const wanted = { ...askedJourneys(field, query), outcome: query.get("outcome"), limit: 1000 },
    answer = get("/v1/outcomes", wanted);
  return later(
    answer,
    (found) => {
      if (!found.outcome) return panel("Outcomes", "", { id: "outcomes" }, noneMarked(fields.data, again));
      const head = panel(
        "What precedes a good or bad outcome",
        "",
        { id: "outcomes", note: chooser(found), exports: { table: ["/v1/outcomes", wanted] } },
        found.outcome.problem ? changed(found.outcome) : lead(found),
      );
      if (!found.n_with_outcome) return head;
      return [
        head,
        Object.keys(KINDS).map((kind) => ofKind(kind, found, field, ["/v1/outcomes", wanted, ["data"]])),
        query.get("with") ? sessions(query.get("with"), found, context) : null,
      ];
    },
    400,
  );
}

const settingsLink = () => h("a", { href: link("/settings/metadata") }, "Settings → Metadata");

const changed = ({ problem }) => [
  h("p", { class: "problem" }, problem),
  h("p", {}, "Mark it anew in ", settingsLink(), "."),
];

const noneMarked = (fields, again) => [
  h(
    "p",
    {},
    "An outcome is a field that tells how well a session went, such as ",
    h("code", {}, "resolved"),
    " or ",
    h("code", {}, "rating"),
    ". None is marked yet: ",
    mayEdit ? ["mark one here or in ", settingsLink()] : ["an editor can mark one in ", settingsLink()],
    ".",
  ),
  suggestions(fields, again),
];

// Which outcome; a choice where there are several.
function chooser({ outcome, outcomes: all }) {
  if (all.length < 2) return h("span", { class: "chip" }, "Outcome", h("strong", {}, outcome.field));
  return h(
    "label",
    { class: "pick" },
    "Outcome",
    h(
      "select",
      { id: "outcome", onchange: ({ target }) => go(here({ outcome: target.value, with: null })) },
      all.map((each) => h("option", { value: each.field, selected: each.field === outcome.field }, each.field)),
    ),
  );
}

function lead({ outcome, counts, n_sessions, n_with_outcome, value, low, high }) {
  if (!n_with_outcome)
    return h(
      "p",
      { class: "empty" },
      `None of ${plural(n_sessions, "session")} has `,
      h("code", {}, outcome.field),
      " here.",
    );
  const [topics, ...others] = Object.keys(KINDS).map((kind) => counts.find((each) => each.kind === kind));
  const name = h("code", {}, outcome.field);
  return [
    h(
      "p",
      { class: "lead" },
      h("strong", {}, `${count(topics.n_worse)} of ${plural(topics.n, "topic")}`),
      ` ${topics.n_worse === 1 ? "precedes" : "precede"} a worse `,
      name,
      ` beyond chance (q < ${SURE}), ${count(topics.n_better)} a better one. `,
      others.filter((each) => each.n).map(alsoFound),
    ),
    h(
      "p",
      { class: "fine" },
      outcome.better
        ? `${plural(n_with_outcome, "session")} with a number, median ${measure(value)} (${saidOf(outcome)}). `
        : `${percent(value)} of ${plural(n_with_outcome, "session")} ended well (${percent(low)} to ${percent(high)}; ${saidOf(outcome)}). `,
      n_sessions > n_with_outcome ? `${plural(n_sessions - n_with_outcome, "session")} without it count nowhere. ` : "",
      "What came after the last value of a session does not count. What goes together need not be a cause.",
    ),
  ];
}

const alsoFound = ({ kind, n, n_worse, n_better }) =>
  `Of ${plural(n, ...ONE[kind])} ${count(n_worse)} ${n_worse === 1 ? "precedes" : "precede"} a worse one, ${count(n_better)} a better one. `;

function ofKind(kind, { data, counts, outcome }, field, query) {
  const rows = data.filter((row) => row.kind === kind).map((row) => ({ ...row, outcome })),
    { n, n_tested } = counts.find((each) => each.kind === kind);
  return panel(
    KINDS[kind],
    "",
    {
      id: `outcome-${kind}s`,
      note: n_tested < n ? `${count(n - n_tested)} of ${count(n)} have too few sessions to tell` : null,
      exports: { query },
    },
    rows.length
      ? contrasts(rows, {
          title: kind === "sign" ? "Sign" : kind === "move" ? "Move" : "Topic",
          cls: "whole",
          cell: (row) => thing(row, field),
        })
      : h("p", { class: "empty" }, "None before an outcome for these filters."),
  );
}

function thing(row, field) {
  if (row.kind === "topic") return node(row.topic_id, row.labels[0], field);
  if (row.kind === "sign") return h("span", {}, SIGNS[row.sign] ?? row.sign);
  return fromTo(node(row.from, row.labels[0], field), node(row.to, row.labels[1], field));
}

const keyOf = (row) =>
  [row.kind, ...[row.topic_id, row.from, row.to, row.sign].filter((each) => each !== null)].join(",");
const named = (row) => row.labels.map((each) => SIGNS[each] ?? each).join(" → ");

// Rows of answers, each with its `outcome`. first: the column that says what each is of; links: whether their sessions can
// be listed here.
function contrasts(rows, first, { label = first.title, links = true } = {}) {
  const isNumber = ({ outcome }) => Boolean(outcome.better),
    shown = (row) => (isNumber(row) ? measure : percent),
    told = (row) => (isNumber(row) ? numbers(row) : points);
  const listed = (row) =>
    h(
      "a",
      { class: "plain", href: here({ with: keyOf(row) }), "aria-label": `Sessions: ${named(row)}` },
      count(row.n_with),
    );
  return table(
    [
      first,
      {
        title: "Sessions",
        hint: "That came to it no later than their outcome",
        cls: "number count",
        cell: (row) => (links ? listed(row) : count(row.n_with)),
      },
      {
        title: "With it",
        hint: "Of these sessions the share that ended well, or the median",
        cls: "number",
        cell: (row) => shown(row)(row.value_with),
      },
      {
        title: "Without",
        hint: "The same of all other sessions",
        cls: "number muted",
        cell: (row) => shown(row)(row.value_without),
      },
      {
        title: "Difference",
        hint: "In percentage points, or of the medians, with its 95% confidence interval",
        cls: "number",
        cell: (row) => [
          h(
            "span",
            { class: `change ${row.effect === "better" ? "up" : row.effect ? "down" : ""}` },
            told(row)(row.difference),
          ),
          row.low === null ? null : h("span", { class: "fine" }, ` ${told(row)(row.low)} to ${told(row)(row.high)}`),
        ],
      },
      rows.some(isNumber) && {
        title: "Larger",
        hint: "How often a session with it has the larger number of two, one without it; 50% is no difference",
        cls: "number muted",
        cell: (row) => (isNumber(row) ? percent(row.superiority) : ""),
      },
      {
        title: "q",
        hint: "Share of false alarms among differences as sure as this one (Benjamini-Hochberg)",
        cls: "number",
        cell: (row) => (row.q_value === null ? "–" : row.q_value < 0.001 ? "<0.001" : row.q_value.toFixed(3)),
      },
      { title: "Effect", cls: "effect", cell: (row) => row.effect ?? h("span", { class: "muted" }, "–") },
    ],
    rows,
    {
      cls: "fold contrasts",
      limit: 10,
      label,
      attributes: (row) => ({ "data-key": keyOf(row), class: row.effect ? "sure" : null }),
    },
  );
}

const points = (value) => (value === null ? "–" : signed((value * 100).toFixed(1)));

// A row's difference and the ends of its interval, all with as many digits as the largest needs.
function numbers({ difference, low, high }) {
  const size = Math.max(...[difference, low, high].map((value) => Math.abs(value ?? 0)));
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return (value) => (value === null ? "–" : size >= 10_000 ? measure(value) : signed(value.toFixed(digits)));
}

function sessions(key, { outcome, data }, { field, query }) {
  const [kind, ...ends] = key.split(","),
    row = data.find((each) => keyOf(each) === key),
    of = {
      topic: { to_topic: ends[0] },
      move: { from_topic: ends[0], to_topic: ends[1] },
      sign: { from_topic: "start", friction: ends[0] },
    }[kind];
  if (!of) return null;
  const asked = { ...askedJourneys(field, query), ...of, outcome: outcome.field };
  return later(
    get("/v1/journeys/sessions", { ...asked, limit: 25 }),
    ({ data: found, n_sessions }) =>
      panel(
        `Sessions: ${row ? named(row) : naming([])(ends.at(-1))}`,
        "",
        {
          id: "outcome-sessions",
          note: [`${plural(n_sessions, "session")} `, h("a", { class: "more", href: here({ with: null }) }, "Close")],
          exports: { table: ["/v1/journeys/sessions", { ...asked, limit: 1000 }] },
        },
        sessionsTable(found, n_sessions, field, "Sessions with an outcome", {
          title: outcome.field,
          cls: "number",
          cell: (each) => (outcome.better ? measure(each.outcome) : each.outcome ? "good" : "bad"),
        }),
      ),
    200,
  );
}

// On a topic's page: what each outcome that is marked is for the sessions that come to it; null: none is marked.
export function outcomesOfTopic({ topic_id, level }, fields, wanted) {
  const marked = fields.filter((each) => each.outcome && !each.outcome.problem);
  if (!marked.length) return null;
  const asked = (outcome) => ({ ...wanted, outcome, topic_id, level: level || null, limit: 1 });
  return panel(
    "Outcomes",
    "",
    { id: "topic-outcomes", note: "Sessions that came here before their outcome, beside all others" },
    later(Promise.all(marked.map((each) => get("/v1/outcomes", asked(each.field)))), (answers) => {
      const rows = answers.flatMap(({ data, outcome }) =>
        data.filter((row) => row.topic_id === topic_id).map((row) => ({ ...row, outcome })),
      );
      const column = {
        title: "Outcome",
        cls: "whole",
        cell: ({ outcome }) => [
          h("strong", { class: "field-name" }, outcome.field),
          " ",
          h("span", { class: "fine" }, saidOf(outcome)),
          queryButton(outcome.field, "/v1/outcomes", asked(outcome.field), ["data"]),
        ],
      };
      return rows.length
        ? contrasts(rows, column, { label: "Outcomes of sessions with this topic", links: false })
        : h("p", { class: "empty" }, "No session came here before an outcome, for these filters.");
    }),
  );
}
