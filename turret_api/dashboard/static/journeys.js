// Where sessions start, go and end, narrowed by the filters: as a flow or a graph, as tables, as paths, as funnels, where
// they meet with friction, what precedes a good or bad outcome, of two segments side by side, and over the sessions of a user.

import { afterwards, get } from "./api.js";
import { go, here } from "./address.js";
import { compare } from "./compare.js";
import { askedJourneys, freshness, isOfThemes, loadTopics, node, nothing, pageHead, tabs, withLevel } from "./data.js";
import { h } from "./dom.js";
import { withFilters } from "./filters.js";
import { depthFor, flow, loadPaths, pathsQuery, rank } from "./flow.js";
import { count, percent, plural } from "./format.js";
import { friction } from "./friction.js";
import { funnel } from "./funnel.js";
import { graph } from "./graph.js";
import { sessionsBehind } from "./moved.js";
import { outcomes } from "./outcomes.js";
import { later, panel } from "./panel.js";
import { paths } from "./paths.js";
import { returns } from "./returns.js";
import { mayReadTexts } from "./rights.js";
import { notWithThisRole } from "./states.js";
import { numberFields, numberOf } from "./sums.js";
import { movesTable, shareBar, table } from "./tables.js";
import { OF_PEOPLE, inUnit, titleOf, unitOf, unitSwitch } from "./units.js";

const VIEWS = { flow: moves, paths, funnel, friction, outcomes, compare, returns };
const TITLES = {
  flow: "Moves",
  paths: "Paths",
  funnel: "Funnel",
  friction: "Friction",
  outcomes: "Outcomes",
  compare: "Compare",
  returns: "Returns",
};

// What of each view may be counted; a view that says sessions in its words, for its statistics need independent units, is
// not here.
const UNITS = {
  flow: { ofMessages: "Moves" },
  paths: { ofMessages: "Moves" },
  funnel: { units: OF_PEOPLE },
  friction: { units: OF_PEOPLE },
  returns: { units: OF_PEOPLE },
};

export async function journeys(given) {
  const context = { ...given, query: await withLevel(given.field, given.query) };
  const { field, query } = context;
  const views = mayReadTexts ? VIEWS : { flow: moves },
    asked = query.get("view");
  if (VIEWS[asked] && !views[asked]) return notWithThisRole(`Journeys: ${TITLES[asked]}`, "may tell of few users");
  const current = views[asked] ? asked : "flow";
  // Names, and the head, wait for what a view is about.
  const first = (ask) => ask(),
    topics = (current === "compare" ? first : afterwards)(() => loadTopics(field, query)),
    found = (current === "flow" ? first : afterwards)(() =>
      get("/v1/journeys", { ...inUnit(askedJourneys(field, query), query), number: numberOf(query) }),
    );
  return h(
    "div",
    {},
    pageHead(
      "Journeys",
      later(
        found.catch(() => null),
        (all) =>
          all
            ? `${all.n_users === null ? "" : `${plural(all.n_users, "user")}, `}${plural(all.n_sessions, "session")}, ${plural(all.n_visits, "visit")} to topics`
            : "",
        20,
      ),
      later(
        topics.catch(() => null),
        (all) => (all?.themes.length ? levels(query) : null),
        30,
      ),
      UNITS[current] && (current !== "funnel" || query.get("steps")) ? unitSwitch(query, UNITS[current]) : null,
      freshness(found),
    ),
    tabs(
      "Ways to look at journeys",
      current,
      Object.keys(views).map((key) => [
        key,
        TITLES[key],
        here({ view: key === "flow" ? null : key, move: null, with: null }),
      ]),
    ),
    withFilters(context, views[current](context, topics, found)),
  );
}

function moves(context, topics, found) {
  const { field, query } = context;
  const wanted = inUnit(askedJourneys(field, query), query),
    unit = unitOf(query),
    number = numberOf(query),
    // A flow is drawn of paths, which are of single sessions.
    shape = query.get("shape") === "graph" || !mayReadTexts ? "graph" : "flow";
  const paths = shape === "flow" ? loadPaths(field, query, depthFor(4)) : null;
  const starts = get("/v1/journeys/starts", wanted),
    ends = get("/v1/journeys/drop-offs", wanted),
    loops = mayReadTexts ? afterwards(() => get("/v1/journeys/loops", wanted)) : null;
  const source = (route) => ({ table: [`/v1/journeys/${route}`, wanted] });
  const choose = choice(
    "shape",
    [
      ["flow", "Flow"],
      ["graph", "Graph"],
    ],
    shape,
    (key) => ({ shape: key === "flow" ? null : key }),
  );
  const behind = query.get("move") && mayReadTexts ? sessionsBehind(query.get("move"), context, topics) : null,
    isFirst = query.has("began_from"); // who comes from a change wants the sessions
  return [
    isFirst ? behind : null,
    later(
      Promise.all([topics, found, paths]),
      ([all, { edges, nodes }, answer]) => {
        if (!edges.length)
          return panel(
            "Where sessions go",
            "",
            { id: "journeys" },
            nothing(query, "sessions", "No sessions yet: journeys follow with the next build."),
          );
        const opened = query.getAll("more").map(Number);
        const shown =
          shape === "flow"
            ? flow(answer, all, { limit: 9, opened, unit })
            : graph(counted({ edges, nodes }, unit), all, { number, unit });
        const words =
          shape === "flow"
            ? `${unit === "users" ? "Every user's first session" : "Every session"} from its start, visit by visit; a column holds them all until they end. Click a move to read the sessions behind it, “Other topics” to see more of them.`
            : `From left to right: topics that sessions come to early, and late.${mayReadTexts ? " Click a move to read the sessions behind it." : ""}`;
        return panel(
          "Where sessions go",
          "",
          {
            id: "journeys",
            note: mayReadTexts ? choose : null,
            exports: {
              picture: true,
              query: paths ? pathsQuery(field, query, depthFor(4)) : ["/v1/journeys", { ...wanted, number }],
            },
          },
          shown,
          h("p", { class: "fine" }, words),
          shape === "flow" ? others(shown.folded, query.getAll("more")) : null,
        );
      },
      520,
    ),
    isFirst ? null : behind,
    panel(
      "Sessions start with",
      "half",
      { id: "starts", exports: source("starts") },
      later(starts, ({ data }) => endsTable(data, field, "Sessions start with", unit), 260),
    ),
    panel(
      "Sessions end after",
      "half",
      { id: "drop-offs", exports: source("drop-offs") },
      later(ends, ({ data }) => endsTable(data, field, "Sessions end after", unit), 260),
    ),
    loops &&
      panel(
        "Back and forth",
        "",
        { id: "loops", note: "From one topic to another and back again", exports: source("loops") },
        later(loops, ({ data }) => loopsTable(data, field, unit), 120),
      ),
    later(
      Promise.all([topics, found]),
      ([all, { edges, rest }]) =>
        edges.length
          ? panel(
              "All moves",
              "",
              {
                id: "moves",
                note: [`${plural(edges.length + rest.edges, "kind")} of moves `, numberChoice(context.fields, number)],
                exports: { table: ["/v1/journeys", { ...wanted, number, limit: 100_000 }] },
              },
              movesTable(rank(edges, unit), all.name, field, { limit: 25, full: true, sort: "sort", number, unit }),
            )
          : null,
      520,
    ),
  ];
}

// The graph with what the unit counts in place of moves.
const counted = ({ edges, nodes }, unit) =>
  unit === "messages"
    ? { edges, nodes }
    : {
        edges: edges.map((edge) => ({ ...edge, count: edge[unit] })),
        nodes: nodes.map((node) => ({ ...node, count: node[unit] })),
      };

// What a click on "Other topics" does, for those who do not click in pictures; and the way back.
function others(folded, opened) {
  if (!folded.length && !opened.length) return null;
  return h(
    "p",
    { class: "fine others" },
    folded.map(({ step, n }) =>
      h(
        "a",
        { class: "more", href: here({ more: [...opened, step] }), id: `more-${step}` },
        `Visit ${step}: ${n ? plural(n, "other topic") : "other topics"}`,
      ),
    ),
    opened.length ? h("a", { class: "more", href: here({ more: null }), id: "fold" }, "Fold other topics") : null,
  );
}

// Journeys of topics or of themes; what names topics of the other level leaves the address.
const levels = (query) =>
  choice(
    "level",
    [
      ["0", "Topics"],
      ["1", "Themes"],
    ],
    isOfThemes(query) ? "1" : "0",
    (key) => ({ level: key, more: null, move: null, steps: null, topic_id: null }),
  );

const choice = (name, options, current, changes) =>
  h(
    "div",
    { class: "segments" },
    options.map(([key, title]) =>
      h(
        "button",
        {
          class: "segment",
          type: "button",
          id: `${name}-${key}`,
          "aria-pressed": String(key === current),
          onclick: () => go(here(changes(key))),
        },
        title,
      ),
    ),
  );

// A number field to add up over the moves of each kind.
function numberChoice(fields, current) {
  const numbers = numberFields(fields);
  if (!numbers.length) return null;
  return h(
    "label",
    { class: "pick" },
    "Show with each a number of its events",
    h(
      "select",
      { name: "number", onchange: (event) => go(here({ number: event.target.value })) },
      h("option", { value: "" }, "none"),
      numbers.map((each) => h("option", { value: each, selected: each === current }, each)),
    ),
  );
}

// Where sessions start, or after which topic they end: each session once.
function endsTable(rows, field, label, unit) {
  const of = unit === "users" ? "users" : "sessions";
  if (!rows.length) return h("p", { class: "empty" }, "No sessions for these filters.");
  return table(
    [
      { title: "Topic", cell: (row) => node(row.topic_id, row.label, field) },
      { title: titleOf(of), cls: "number count", cell: (row) => count(row[of]) },
      { title: "Share", cell: (row) => shareBar(row.share) },
      rows[0].rate !== undefined && {
        title: "Of visits",
        hint: "Share of the topic's visits that are the last of their session",
        cls: "number",
        cell: (row) => percent(row.rate),
      },
    ],
    rows,
    { limit: 10, label, attributes: (row) => ({ "data-topic": row.topic_id }) },
  );
}

function loopsTable(rows, field, unit) {
  if (!rows.length) return h("p", { class: "empty" }, "No session goes back and forth between two topics.");
  return table(
    [
      {
        title: "Topics",
        cell: ({ topics, labels }) =>
          h(
            "span",
            { class: "move" },
            node(topics[0], labels[0], field),
            h("span", { class: "arrow", role: "img", "aria-label": "and" }, "⇄"),
            node(topics[1], labels[1], field),
          ),
      },
      unit !== "messages" && { title: titleOf(unit), cls: "number count", cell: (row) => count(row[unit]) },
      { title: "Times", cls: `number ${unit === "messages" ? "count" : ""}`, cell: (row) => count(row.count) },
      unit === "messages" && { title: "Sessions", cls: "number", cell: (row) => count(row.sessions) },
    ],
    rows,
    { limit: 10, label: "Back and forth" },
  );
}
