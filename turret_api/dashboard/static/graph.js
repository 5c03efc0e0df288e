// Journeys as a graph: a node for each topic, an edge for each kind of move. From left to right as sessions come to a topic
// early or late; what is not among the largest topics shares the node "Other topics", so that every move is drawn.

import { colour, css, cut, faint, picture, plain } from "./charts.js";
import { SPECIAL } from "./data.js";
import { openMove } from "./flow.js";
import { count, gap, measure, percent } from "./format.js";

const STEPS = 40; // visits after which nearly every session has ended
const BEND = 0.16,
  ON_CURVE = 14;

// unit: what `journeys` counts in place of moves and visits, if that is sessions or users.
export function graph(journeys, topics, { limit = 14, edgeLimit = 60, number = null, unit = "messages" } = {}) {
  const { nodes, edges } = folded(journeys, topics, limit, unit);
  const at = places(nodes, edges);
  const shown = edges.slice(0, edgeLimit);
  const make = (element) => draw(element, nodes, shown, at, number, unit);
  const left = edges.length - shown.length;
  const label = `Graph of ${count(nodes.length)} nodes and ${count(shown.length)} kinds of moves${left ? `; ${count(left)} rarer kinds are not drawn` : ""}. The table of moves says the same in words.`;
  return picture(label, "tall graph", make, (element) =>
    element.on("plotly_click", ({ points: [point] }) => {
      const edge = shown[point.data.meta];
      if (edge) openMove(edge.from, edge.to);
    }),
  );
}

// The `limit` largest topics as nodes, the others as one; edges between the same nodes as one. Sessions and users do not add
// up: of them a node has its own count, and the others, taken together, that of those on its largest side.
function folded(journeys, topics, limit, unit) {
  const own = new Map(unit === "messages" ? [] : journeys.nodes.map((node) => [node.topic_id, node.count]));
  const large = journeys.nodes
    .filter((node) => node.kind === "topic")
    .slice(0, limit)
    .map((node) => node.topic_id);
  const others = journeys.nodes.filter((node) => node.kind !== "topic").map((node) => node.topic_id);
  const kept = new Set([...large, ...others]);
  const fold = (key) => (kept.has(key) ? key : "rest");
  const edges = new Map(),
    nodes = new Map();
  for (const edge of journeys.edges) {
    const from = fold(edge.from),
      to = fold(edge.to),
      id = `${from} ${to}`;
    const sum = edges.get(id) ?? {
      from,
      to,
      count: 0,
      median_gap_s: edge.median_gap_s,
      mean: edge.number?.mean,
      share: edge.share,
    };
    if (sum.count && (from === "rest" || to === "rest")) sum.median_gap_s = sum.mean = sum.share = null; // none of these adds up
    sum.count += edge.count;
    edges.set(id, sum);
  }
  for (const edge of edges.values())
    for (const [key, side] of [
      [edge.from, "out"],
      [edge.to, "into"],
    ]) {
      const node = nodes.get(key) ?? {
        key,
        label: topics.name(key),
        place: SPECIAL[key] ? null : topics.place({ topic_id: key }),
        into: 0,
        out: 0,
      };
      node[side] += edge.count;
      nodes.set(key, node);
    }
  for (const node of nodes.values()) node.size = own.get(node.key) ?? Math.max(node.into, node.out);
  return {
    nodes: [...nodes.values()],
    edges: [...edges.values()].sort((a, b) => b.count - a.count || (a.from + a.to < b.from + b.to ? -1 : 1)),
  };
}

// Where each node is: across, by how many visits come before it on average (of a walk along the edges, each taken as often
// as sessions take it), in columns of equal size; down, near the nodes it is reached from.
function places(nodes, edges) {
  const out = new Map(nodes.map((node) => [node.key, node.out]));
  let here = new Map([["start", 1]]);
  const mass = new Map(),
    late = new Map();
  for (let step = 0; step < STEPS; step += 1) {
    const next = new Map();
    for (const edge of edges)
      next.set(edge.to, (next.get(edge.to) ?? 0) + ((here.get(edge.from) ?? 0) * edge.count) / out.get(edge.from));
    for (const [key, value] of next) {
      mass.set(key, (mass.get(key) ?? 0) + value);
      late.set(key, (late.get(key) ?? 0) + value * (step + 1));
    }
    next.delete("end");
    here = next;
  }
  const inner = nodes
    .filter((node) => node.key !== "start" && node.key !== "end")
    .sort((a, b) => late.get(a.key) / mass.get(a.key) - late.get(b.key) / mass.get(b.key));
  const columns = Math.max(1, Math.round(Math.sqrt(inner.length * 1.3)));
  const at = new Map([
    ["start", { x: 0, y: 0.5 }],
    ["end", { x: columns + 1, y: 0.5 }],
  ]);
  for (let column = 0; column < columns; column += 1) {
    const members = inner.slice(
      Math.round((column * inner.length) / columns),
      Math.round(((column + 1) * inner.length) / columns),
    );
    const height = (node) => {
      const seen = edges.filter((edge) => edge.to === node.key && at.has(edge.from));
      const total = seen.reduce((sum, edge) => sum + edge.count, 0);
      return total ? seen.reduce((sum, edge) => sum + edge.count * at.get(edge.from).y, 0) / total : 0.5;
    };
    members
      .map((node) => [height(node), node])
      .sort((a, b) => a[0] - b[0] || (a[1].key < b[1].key ? -1 : 1))
      .forEach(([, node], i) =>
        at.set(node.key, { x: column + 1, y: (i + 0.5) / members.length + (column % 2 ? 0.04 : -0.04) }),
      );
  }
  return at;
}

function draw(element, nodes, edges, at, number, unit) {
  const isOfMoves = unit === "messages";
  const fill = (node) => (node.key === "start" || node.key === "end" ? css("--muted") : colour(node.place));
  const fills = new Map(nodes.map((node) => [node.key, fill(node)]));
  const outs = new Map(nodes.map((node) => [node.key, node.out])),
    name = new Map(nodes.map((node) => [node.key, node.label]));
  const most = Math.max(1, ...edges.map((edge) => edge.count)),
    largest = Math.max(1, ...nodes.map((node) => node.size));
  const said = (edge) => {
    if (isOfMoves) return `, ${percent(edge.count / outs.get(edge.from))} of moves out`;
    return edge.share === null ? "" : `, ${percent(edge.share)} of those there`;
  };
  const lines = edges.map((edge, i) => {
    const { x, y } = curve(at.get(edge.from), at.get(edge.to));
    const words = `<b>${plain(name.get(edge.from))} → ${plain(name.get(edge.to))}</b><br>${count(edge.count)} ${isOfMoves ? "times" : unit}${said(edge)}${edge.median_gap_s === null || edge.median_gap_s === undefined ? "" : `<br>${gap(edge.median_gap_s)} between, by the median`}${number && edge.mean !== null && edge.mean !== undefined ? `<br>${plain(number)}: ${measure(edge.mean)} on average` : ""}`;
    const width = 0.8 + 7 * (edge.count / most);
    return {
      type: "scatter",
      mode: "lines+markers",
      meta: i,
      x,
      y,
      line: { width, color: faint(fills.get(edge.from), 0.16 + 0.4 * (edge.count / most)), shape: "spline" },
      marker: {
        symbol: "arrow",
        angleref: "previous",
        size: x.map((_, k) => (k === Math.floor(ON_CURVE * 0.6) ? 7 + width : 0)),
        color: fills.get(edge.from),
      },
      hovertemplate: "%{text}<extra></extra>",
      text: words,
    };
  });
  const dots = {
    type: "scatter",
    mode: "markers+text",
    x: nodes.map((node) => at.get(node.key).x),
    y: nodes.map((node) => at.get(node.key).y),
    customdata: nodes.map((node) => node.key),
    marker: {
      size: nodes.map((node) => 10 + 26 * Math.sqrt(node.size / largest)),
      color: nodes.map((node) => fills.get(node.key)),
      opacity: 1,
      line: { width: 2, color: css("--surface") },
    },
    text: nodes.map((node) => plain(cut(node.label, element.clientWidth < 600 ? 12 : 22))),
    textposition: "bottom center",
    textfont: { size: 11.5, color: css("--ink") },
    cliponaxis: false,
    hovertemplate: nodes.map(
      (node) =>
        `<b>${plain(node.label)}</b><br>${count(node.size)} ${isOfMoves ? (node.key === "start" || node.key === "end" ? "sessions" : "visits") : unit}<extra></extra>`,
    ),
  };
  const hidden = { showgrid: false, showline: false, showticklabels: false, ticks: "" };
  const across = Math.max(...[...at.values()].map((place) => place.x));
  return [
    [...lines, dots],
    {
      margin: { l: 10, r: 10, t: 6, b: 10 },
      hovermode: "closest",
      xaxis: { ...hidden, range: [-0.4, across + 0.4] },
      yaxis: { ...hidden, range: [1.12, -0.1] },
    },
  ];
}

// A bent line, so that there and back are two; a topic's way to itself cannot be: visits are runs of one topic.
function curve(from, to) {
  const middle = {
    x: (from.x + to.x) / 2 - BEND * (to.y - from.y) * 2,
    y: (from.y + to.y) / 2 + BEND * Math.max(-1.6, Math.min(1.6, to.x - from.x)) * 0.6,
  };
  const x = [],
    y = [];
  for (let i = 0; i <= ON_CURVE; i += 1) {
    const t = i / ON_CURVE,
      a = (1 - t) ** 2,
      b = 2 * t * (1 - t),
      c = t ** 2;
    x.push(a * from.x + b * middle.x + c * to.x);
    y.push(a * from.y + b * middle.y + c * to.y);
  }
  return { x, y };
}
