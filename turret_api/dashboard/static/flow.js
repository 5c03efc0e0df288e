// Journeys as a picture: sessions from their start, visit by visit, each in one node of every column until it ends.

import { get } from "./api.js";
import { filters } from "./data.js";
import { plain } from "./charts.js";
import { count, percent } from "./format.js";

export const SPECIAL = { start: "Start", end: "End", unassigned: "No topic", rest: "Other topics" };
const MOST_PATHS = 1000;
const SMALLEST = 0.012; // of all sessions; a thinner node's label would lie on the next one's

// How many visits a picture shows: fewer where it would be too narrow for their labels.
export const depthFor = (wide) => (innerWidth < 760 ? 2 : wide);

// The graph of moves; with every session's first `depth` visits where `depth` is given.
export async function loadJourneys(field, query, depth = 0) {
  const asked = { field, ...filters(query) };
  const [graph, paths] = await Promise.all([
    get("/v1/journeys", asked), depth ? get("/v1/journeys/paths", { ...asked, topic_id: "start", depth, limit: MOST_PATHS }) : null,
  ]);
  return { ...graph, paths };
}

export function rank(edges) {
  return [...edges].sort((a, b) => b.count - a.count || (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1));
}

// Columns of visits. In each the `limit` topics with most sessions have a node; the others share one, "Other topics",
// and so do paths beyond those that the API lists, so what enters a column is what left the one before.
export function sankeyOf(journeys, topics, { limit = 7 } = {}) {
  const label = new Map(topics.topics.map((topic) => [topic.topic_id, topic.label]));
  const name = (key) => SPECIAL[key] ?? label.get(key) ?? key;
  const paths = journeys.paths.data.map((path) => ({ keys: path.topics, count: path.count }));
  if (journeys.paths.rest.count) paths.push({ keys: ["start", "rest"], count: journeys.paths.rest.count });
  const least = SMALLEST * paths.reduce((sum, path) => sum + path.count, 0);
  const shown = columns(paths).map((sizes) => new Set([...sizes].filter(([key, size]) => !SPECIAL[key] && size >= least).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, limit).map(([key]) => key)));
  const nodes = new Map(), links = new Map();
  const node = (step, key) => {
    const folded = SPECIAL[key] || shown[step].has(key) ? key : "rest";
    const id = `${step} ${folded}`;
    if (!nodes.has(id)) {
      nodes.set(id, { key: id, topic_id: SPECIAL[folded] ? "" : folded, label: name(folded), place: topics.place({ topic_id: folded }),
        kind: folded === "start" || folded === "end" ? "edge" : "topic" });
    }
    return id;
  };
  for (const path of paths) {
    for (let step = 0; step + 1 < path.keys.length; step += 1) {
      const from = node(step, path.keys[step]), to = node(step + 1, path.keys[step + 1]), id = `${from} ${to}`;
      const link = links.get(id) ?? { from, to, count: 0 };
      link.count += path.count;
      links.set(id, link);
    }
  }
  const out = new Map();
  for (const link of links.values()) out.set(link.from, (out.get(link.from) ?? 0) + link.count);
  const found = rank([...links.values()]);
  for (const link of found) {
    const from = nodes.get(link.from), to = nodes.get(link.to);
    link.words = `<b>${plain(from.label)} → ${plain(to.label)}</b><br>${count(link.count)} sessions, ${percent(link.count / out.get(link.from))} of those here`;
  }
  return { nodes: [...nodes.values()], links: found };
}

function columns(paths) {
  const sizes = [];
  for (const path of paths) {
    path.keys.forEach((key, step) => {
      sizes[step] ??= new Map();
      sizes[step].set(key, (sizes[step].get(key) ?? 0) + path.count);
    });
  }
  return sizes;
}
