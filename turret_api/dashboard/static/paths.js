// The most common paths from a topic, or to one.

import { get } from "./api.js";
import { go, here } from "./address.js";
import { cohortLink } from "./cohorts.js";
import { arrow, askedJourneys, isOfThemes, node } from "./data.js";
import { h } from "./dom.js";
import { count, percent, plural } from "./format.js";
import { later, panel } from "./panel.js";
import { shareBar, table } from "./tables.js";
import { inUnit, titleOf, unitOf } from "./units.js";

const LONGEST = 6;

export function paths({ field, query }, topics) {
  const direction = query.get("direction") === "to" ? "to" : "from";
  const topic_id = query.get("topic_id") ?? (direction === "to" ? "end" : "start");
  const depth = Math.min(LONGEST, Math.max(1, Number(query.get("depth")) || 3));
  const wanted = { ...inUnit(askedJourneys(field, query), query), topic_id, direction, depth };
  return panel(
    "Paths",
    "",
    { id: "paths", exports: { table: ["/v1/journeys/paths", { ...wanted, limit: 1000 }] } },
    later(topics, (all) => controls(all.ofLevel(isOfThemes(query)), { topic_id, direction, depth }), 40),
    later(get("/v1/journeys/paths", { ...wanted, limit: 50 }), (answer) => list(answer, field, unitOf(query)), 400),
  );
}

function controls(all, { topic_id, direction, depth }) {
  const choice = (label, name, options, current) =>
    h(
      "label",
      { class: "pick" },
      label,
      h(
        "select",
        { name, onchange: (event) => go(here({ [name]: event.target.value })) },
        options.map(([value, words]) => h("option", { value, selected: String(value) === String(current) }, words)),
      ),
    );
  const nodes = [
    ["start", "Start"],
    ["end", "End"],
    ["unassigned", "No topic"],
    ...all.map((topic) => [topic.topic_id, topic.label]),
  ];
  return h(
    "div",
    { class: "controls" },
    choice(
      "Paths",
      "direction",
      [
        ["from", "from"],
        ["to", "to"],
      ],
      direction,
    ),
    choice("Topic", "topic_id", nodes, topic_id),
    choice(
      "Up to",
      "depth",
      Array.from({ length: LONGEST }, (_, i) => [i + 1, plural(i + 1, "move")]),
      depth,
    ),
  );
}

function list({ data, n_paths, rest }, field, unit) {
  if (!data.length) return h("p", { class: "empty" }, "No session has such a path.");
  const largest = Math.max(...data.map((path) => path.share));
  return [
    table(
      [
        {
          title: "Path",
          cls: "whole",
          cell: ({ topics, labels }) =>
            h(
              "span",
              { class: "move" },
              topics.map((topic, i) => [i ? arrow() : null, node(topic, labels[i], field)]),
            ),
        },
        {
          title: titleOf(unit, "Times"),
          hint: unit === "messages" ? null : "Each counts once, by its first such path",
          cls: "number count",
          cell: (path) => count(path.count),
        },
        unit === "messages" && { title: "Sessions", cls: "number", cell: (path) => count(path.sessions) },
        { title: "Share", cell: (path) => shareBar(path.share, largest) },
        {
          title: "Cohort",
          unseen: true,
          cls: "number",
          cell: ({ topics }) => cohortLink(topics, { words: "Its users" }),
        },
      ],
      data,
      { label: "Paths", cls: "fold" },
    ),
    h(
      "p",
      { class: "fine rest" },
      rest.paths
        ? `${plural(rest.paths, "rarer path")} more, with ${percent(rest.count / n_paths)} of ${count(n_paths)}.`
        : `These are all ${count(n_paths)}.`,
    ),
  ];
}
