// Journeys as a flow (a Sankey diagram): sessions from their start, visit by visit, each in one node of every column until
// it ends.

import { get } from "./api.js";
import { go, here } from "./address.js";
import { colour, css, cut, faint, picture, plain } from "./charts.js";
import { SPECIAL, askedJourneys } from "./data.js";
import { count, percent } from "./format.js";
import { inUnit } from "./units.js";

const MOST_PATHS = 1000;
const LETTER = 7; // pixels
const ROOM = 10,
  NODE_HEIGHT = 44; // nodes that a column has room for, and the pixels of each where it has more
const SMALLEST = 0.012; // of all sessions; a thinner node's label would lie on the next one's
const PAD = 30; // pixels between nodes: a name in two lines has room
const MORE = 15; // topics that a click on "Other topics" adds to a column

// How many visits a picture shows: fewer where it would be too narrow for their labels.
export const depthFor = (wide) => Math.min(wide, innerWidth < 760 ? 2 : innerWidth < 1440 ? 3 : 4);

// The paths of all sessions' first `depth` visits; of users, those of each one's first session.
export const loadPaths = (field, query, depth) => get(...pathsQuery(field, query, depth));

export const pathsQuery = (field, query, depth) => [
  "/v1/journeys/paths",
  { ...inUnit(askedJourneys(field, query), query), topic_id: "start", depth, limit: MOST_PATHS },
];

export function rank(edges, unit = "messages") {
  const size = (edge) => (unit === "messages" ? edge.count : edge[unit]);
  return [...edges].sort((a, b) => size(b) - size(a) || (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1));
}

// Columns of visits. In each the `limit` topics with most sessions have a node; the others share one, "Other topics",
// and so do paths beyond those that the API lists, so what enters a column is what left the one before.
// opened: the columns, each as often as its "Other topics" were asked for.
function sankeyOf(answer, topics, limit, opened, word) {
  const name = topics.name;
  const paths = answer.data.map((path) => ({ keys: path.topics, count: path.count }));
  if (answer.rest.count) paths.push({ keys: ["start", "rest"], count: answer.rest.count });
  const least = SMALLEST * paths.reduce((sum, path) => sum + path.count, 0);
  const sizes = columns(paths);
  const shown = sizes.map((of, step) => {
    const times = opened.filter((each) => each === step).length;
    return new Set(
      [...of]
        .filter(([key, size]) => !SPECIAL[key] && (times || size >= least))
        .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
        .slice(0, limit + times * MORE)
        .map(([key]) => key),
    );
  });
  // How many topics share the node "Other topics" of each column that has one; 0: those of paths that are not listed.
  const folded = sizes
    .map((of, step) => ({ step, n: [...of.keys()].filter((key) => !SPECIAL[key] && !shown[step].has(key)).length }))
    .filter(({ step, n }) => n || sizes[step].has("rest"));
  const nodes = new Map(),
    links = new Map();
  const node = (step, key) => {
    const folded = SPECIAL[key] || shown[step].has(key) ? key : "rest";
    const id = `${step} ${folded}`;
    if (!nodes.has(id)) {
      nodes.set(id, {
        key: id,
        step,
        topic_id: folded,
        label: name(folded),
        place: topics.place({ topic_id: folded }),
        kind: folded === "start" || folded === "end" ? "edge" : "topic",
      });
    }
    return id;
  };
  for (const path of paths) {
    for (let step = 0; step + 1 < path.keys.length; step += 1) {
      const from = node(step, path.keys[step]),
        to = node(step + 1, path.keys[step + 1]),
        id = `${from} ${to}`;
      const link = links.get(id) ?? { from, to, count: 0 };
      link.count += path.count;
      links.set(id, link);
    }
  }
  const out = new Map();
  for (const link of links.values()) out.set(link.from, (out.get(link.from) ?? 0) + link.count);
  const found = rank([...links.values()]);
  for (const link of found) {
    const from = nodes.get(link.from),
      to = nodes.get(link.to);
    link.words = `<b>${plain(from.label)} → ${plain(to.label)}</b><br>${count(link.count)} ${word}, ${percent(link.count / out.get(link.from))} of those here`;
  }
  return { nodes: [...nodes.values()], links: found, folded: folded.filter(({ n }) => n) };
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

// The picture of `answer` (of `loadPaths`); a click on a link opens the sessions with that move, one on "Other topics" the
// next topics of its column. `folded` of what is returned: by column, how many topics are among the others.
export function flow(answer, topics, { limit = 7, opened = [], unit = "messages" } = {}) {
  const word = unit === "users" ? "users" : "sessions"; // every session has one path from its start
  const { nodes, links, folded } = sankeyOf(answer, topics, limit, opened, word);
  const index = new Map(nodes.map((node, i) => [node.key, i]));
  const steps = Math.max(...nodes.map((node) => node.step));
  const isEndAlone = nodes.every((node) => node.step < steps || node.kind === "edge");
  const make = (element) => {
    const fills = nodes.map((node) => (node.kind === "edge" ? css("--muted") : colour(node.place)));
    return [
      [
        {
          type: "sankey",
          arrangement: "fixed", // a node that can be dragged takes no click
          valueformat: ",d",
          node: {
            align: "left",
            label: nodes.map((node) => inLines(node.label, roomFor(node, steps, element.clientWidth, isEndAlone))),
            color: fills,
            pad: PAD,
            thickness: 12,
            line: { width: 0 },
            customdata: nodes.map((node) => node.topic_id),
            hovertemplate: `<b>%{label}</b><br>%{value} ${word}<extra></extra>`,
          },
          link: {
            source: links.map((link) => index.get(link.from)),
            target: links.map((link) => index.get(link.to)),
            value: links.map((link) => link.count),
            color: links.map((link) => faint(fills[index.get(link.from)], 0.22)),
            customdata: links.map((link) => link.words),
            hovertemplate: "%{customdata}<extra></extra>",
          },
        },
      ],
      { margin: { l: 6, r: 6, t: 14, b: 18 } },
    ];
  };
  const most = Math.max(...[...new Set(nodes.map((node) => node.step))].map((step) => inColumn(nodes, step)));
  const element = picture(
    "Where sessions go, visit by visit, from their start to their end. The table of moves says the same in words.",
    "tall",
    make,
    (drawn) => {
      drawn.on("plotly_click", ({ points: [point] }) => {
        const place = point.pointNumber ?? point.index;
        const link = point.source && links[place];
        const [from, to] = link ? [nodes[index.get(link.from)], nodes[index.get(link.to)]] : [nodes[place], null];
        const other = [from, to].find((node) => node?.topic_id === "rest");
        if (other) openOthers(other.step, opened);
        else if (link) openMove(from.topic_id, to.topic_id);
      });
    },
  );
  if (most > ROOM) element.style.setProperty("min-height", `${most * NODE_HEIGHT}px`);
  element.folded = folded;
  return element;
}

const inColumn = (nodes, step) => nodes.filter((node) => node.step === step).length;

const openOthers = (step, opened) => go(here({ more: [...opened, step] }));

// How many letters a node's name has room for: plotly writes those of the last column to its left, where those of the column
// before it stand to the right of theirs, so these two share the room; "End" needs little of it.
function roomFor({ step }, steps, width, isEndAlone) {
  const room = width / Math.max(1, steps) - 26,
    ofLast = isEndAlone ? LETTER * 4 : room / 2,
    mine = step < steps - 1 ? room : step < steps ? room - ofLast : ofLast;
  return Math.max(8, Math.min(26, Math.floor(mine / LETTER)));
}

// A name in one line of so many letters, or in two; what is left then is cut off.
function inLines(label, letters) {
  if (label.length <= letters) return plain(label);
  const at = label.lastIndexOf(" ", letters);
  if (at <= 0) return plain(cut(label, letters));
  return `${plain(label.slice(0, at))}<br>${plain(cut(label.slice(at + 1), letters))}`;
}

// Opens the sessions behind a move, unless one end stands for several topics.
export function openMove(from, to) {
  if (from !== "rest" && to !== "rest") go(here({ move: `${from},${to}` }));
}
