// The first page: how much, what changed, about what, from where to where, how fresh, and how much of the plan is used.

import { afterwards, get, list } from "./api.js";
import { isFilter, link } from "./address.js";
import { changesPanel } from "./changes.js";
import { picture, volume } from "./charts.js";
import { chips } from "./filters.js";
import { asked, askedJourneys, fieldChooser, freshness, loadTopics, pageHead, withLevel } from "./data.js";
import { h, meter } from "./dom.js";
import { flow, loadPaths, pathsQuery, rank, depthFor } from "./flow.js";
import { ago, count, day, moment, percent, plural, titled } from "./format.js";
import { graph as graphOf } from "./graph.js";
import { topicMap } from "./map.js";
import { annotated, annotations } from "./notes.js";
import { later, panel, rowsOf, skeleton } from "./panel.js";
import { queryButton } from "./query.js";
import { mayReadTexts } from "./rights.js";
import { movesTable, topicsTable } from "./tables.js";
import { inUnit, titleOf, unitOf, unitSwitch } from "./units.js";

export function overview({ texts, field, query, again }) {
  const wanted = inUnit(asked(field, query), query),
    unit = unitOf(query),
    set = [...query].filter(([key]) => isFilter(key));
  // What needs no themes does not wait for them.
  const counts = list("/v1/topics", wanted),
    topics = loadTopics(field, query),
    usage = get("/v1/usage"),
    project = get("/v1/project"),
    totals = ["/v1/topics", wanted, ["totals"]];
  const leveled = withLevel(field, query),
    below = afterwards(() => leveled),
    graph = below.then((known) => get("/v1/journeys", inUnit(askedJourneys(field, known), known))),
    // A flow is drawn of paths, which are of single sessions; who may not see these sees a graph.
    paths = mayReadTexts ? below.then((known) => loadPaths(field, known, depthFor(3))) : null;
  const all = [topics, graph, paths, leveled];
  return h(
    "div",
    {},
    pageHead(
      "Overview",
      later(
        counts.catch(() => null),
        (found) => period(found),
        20,
      ),
      unitSwitch(query),
      fieldChooser(texts, field),
      freshness(counts),
    ),
    chips(set, field),
    h(
      "div",
      { class: "grid" },
      h(
        "dl",
        { class: "tiles" },
        tile("n-messages", "Messages", totals, counts, ({ n_messages, n_moves, messages_per_day: days }) => [
          count(n_messages),
          n_moves
            ? `without ${count(n_moves)} moves`
            : days.length
              ? `${count(days.at(-1).count)} on ${day(days.at(-1).date)}`
              : null,
        ]),
        tile(
          "n-sessions",
          "Sessions",
          ["/v1/journeys", wanted, ["totals"]],
          Promise.all([counts, graph]),
          // A viewer is told no journeys where few users began the sessions, but that these sessions have messages.
          ([{ n_messages, n_sessions: n_with_messages }, graph]) => {
            const n_sessions = graph.n_sessions || n_with_messages;
            return [count(n_sessions), n_sessions ? `${(n_messages / n_sessions).toFixed(1)} messages each` : null];
          },
        ),
        tile("n-users", "Users", totals, counts, ({ n_users, n_sessions }) => [
          count(n_users),
          n_users ? `${(n_sessions / n_users).toFixed(1)} sessions each` : null,
        ]),
        tile("n-topics", "Topics", ["/v1/topics", wanted, ["data"]], topics, (found) => [
          count(found.topics.length),
          found.themes.length ? `in ${plural(found.themes.length, "theme")}` : null,
        ]),
        mayReadTexts
          ? tile("assigned", "With a topic", totals, counts, (found) => {
              const n = found[`n_${unit}`];
              return [percent(n ? found.n_with_topic / n : null), `${count(n - found.n_with_topic)} without`];
            })
          : null,
        planTile(usage),
      ),
      mayReadTexts ? changesPanel(field, query, Promise.allSettled([graph, paths])) : null,
      panel(
        `${titleOf(unit)} a day`,
        "",
        {
          id: "volume",
          exports: {
            rows: async () => rowsOf((await counts).per_day, "date", "count"),
            picture: true,
            query: ["/v1/topics", wanted, ["per_day"]],
          },
        },
        later(
          Promise.all([counts, annotations()]),
          ([{ per_day: days }, marks]) =>
            days.length
              ? [
                  picture(
                    `${titleOf(unit)} a day, ${days.length} days, from ${count(Math.min(...days.map((each) => each.count)))} to ${count(Math.max(...days.map((each) => each.count)))}`,
                    "short",
                    volume(days, unit, marks),
                  ),
                  annotated(marks, days, again),
                ]
              : h("p", { class: "empty" }, "No messages in this time."),
          132,
        ),
      ),
      later(
        topics,
        (found) =>
          found.topics.length
            ? [
                panel(
                  "Topics",
                  "wide",
                  {
                    id: "topics",
                    note: h("a", { href: link("/topics") }, `All ${plural(found.topics.length, "topic")}`),
                    exports: { table: ["/v1/topics", { ...wanted, limit: 1000 }] },
                  },
                  topicsTable({ ...found, topics: found.ofLevel(found.isCrowded) }, field, { limit: 8 }),
                ),
                panel(
                  "Topic map",
                  "narrow",
                  {
                    id: "map",
                    note: "Near means alike",
                    exports: { picture: true, query: ["/v1/topics", wanted, ["data"]] },
                  },
                  topicMap(found, null, field, { moves: false }),
                ),
              ]
            : panel(
                "Topics",
                "",
                { id: "topics" },
                h(
                  "p",
                  { class: "empty" },
                  "No topics yet: they are found once a few dozen different texts are there, at the next build.",
                ),
              ),
        380,
      ),
      later(
        Promise.all(all),
        ([found, { edges, nodes }, answer, known]) =>
          edges.length
            ? [
                panel(
                  "Journeys",
                  "two-thirds",
                  {
                    id: "journeys",
                    note: h("a", { href: link("/journeys") }, "Explore journeys"),
                    exports: { picture: true, query: paths && pathsQuery(field, known, depthFor(3)) },
                  },
                  paths ? flow(answer, found, { unit }) : graphOf({ edges, nodes }, found),
                ),
                panel(
                  "Most common moves",
                  "third",
                  { id: "moves", exports: { table: ["/v1/journeys", { ...wanted, limit: 100_000 }] } },
                  movesTable(
                    rank(
                      edges.filter((edge) => edge.from !== "start" && edge.to !== "end"),
                      unit,
                    ).slice(0, 10),
                    found.name,
                    field,
                    { unit },
                  ),
                ),
              ]
            : panel("Journeys", "", { id: "journeys" }, h("p", { class: "empty" }, "No journeys yet.")),
        460,
      ),
      freshPanel(project),
    ),
  );
}

// What can be told before any table is read: the use of the plan, and how fresh the tables are.
export function opening() {
  const grey = (height) => h("div", { class: "whole-row" }, skeleton(height));
  const waiting = (title) =>
    h(
      "div",
      { class: "tile" },
      h("dt", {}, title),
      h("dd", {}, skeleton(30)),
      h("dd", { class: "fine" }, skeleton(14)),
    );
  return h(
    "div",
    {},
    pageHead("Overview", skeleton(18)),
    h(
      "div",
      { class: "grid" },
      h(
        "dl",
        { class: "tiles" },
        ["Messages", "Sessions", "Users", "Topics", mayReadTexts ? "With a topic" : null].filter(Boolean).map(waiting),
        planTile(get("/v1/usage")),
      ),
      grey(190),
      grey(420),
      freshPanel(get("/v1/project")),
    ),
  );
}

const planTile = (usage) => tile("usage", "Plan", null, usage, plan);

const freshPanel = (project) =>
  panel(
    "How fresh the tables are",
    "",
    {
      id: "tables",
      note: pipelineLink(),
      exports: { rows: async () => rowsOf((await project).tables, "table", "built_at") },
    },
    later(project, ({ tables }) => freshnessOf(tables)),
  );

// Dagster's pages, for who may see them.
function pipelineLink() {
  const { dagster } = document.body.dataset;
  return dagster ? h("a", { href: dagster, target: "_blank", rel: "noreferrer" }, "See the pipeline ↗") : null;
}

const period = (found) =>
  found?.messages_per_day.length
    ? `${day(found.messages_per_day[0].date)} – ${day(found.messages_per_day.at(-1).date)}`
    : "";

// query: of `showQuery`; null: the number comes from no table of the lake.
function tile(id, title, query, answer, make) {
  const part = (i, height) => later(answer.then(make), (parts) => parts.slice(i, i ? 3 : 1).reverse(), height);
  return h(
    "div",
    { class: "tile", id },
    h("dt", {}, title, query && queryButton(title, ...query)),
    h("dd", {}, part(0, 30)),
    h("dd", { class: "fine" }, part(1, 14)),
  );
}

function plan({ plan: name, limit, used }) {
  const share = limit ? used / limit : 0;
  return [
    titled(name),
    limit === null ? `${plural(used, "event")}` : `${count(used)} of ${count(limit)} events`,
    limit === null ? null : meter(share, share > 0.95 ? "bad" : share > 0.8 ? "warn" : ""),
  ];
}

function freshnessOf(tables) {
  if (!tables.length) return h("p", { class: "empty" }, "No table was built yet.");
  return h(
    "ul",
    { class: "fresh" },
    tables.map(({ table: name, built_at }) =>
      h(
        "li",
        {},
        h("span", {}, name.replaceAll("_", " ")),
        h("span", { class: "muted", title: moment(built_at) }, ago(built_at)),
      ),
    ),
  );
}
