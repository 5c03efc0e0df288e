// The pictures, drawn by plotly in the colours of turret.css. Every text goes through `plain`: plotly reads some markup.

import { h } from "./dom.js";
import { count, day, percent } from "./format.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const cut = (text, n) => (text.length > n ? `${text.slice(0, n - 1).trimEnd()}…` : text);
export const wrap = (text, n = 46) => {
  const lines = [""];
  for (const word of cut(text, 160).split(/\s+/)) {
    if (lines.at(-1) && lines.at(-1).length + word.length > n) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) ? " " : "") + cut(word, n);
  }
  return lines.map(plain).join("<br>");
};

const PALETTE = 8;
export const colour = (index) => (index === null || index < 0 ? css("--rest") : css(`--c${index % PALETTE}`));
export const colourName = (index) => (index === null || index < 0 ? "var(--rest)" : `var(--c${index % PALETTE})`);
const faint = (value, alpha) => {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(value.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
};

function layout(extra) {
  const ink = css("--ink"), muted = css("--muted"), line = css("--line");
  const axis = { color: muted, gridcolor: line, linecolor: line, zeroline: false, tickfont: { size: 11 }, fixedrange: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 36, r: 4, t: 6, b: 26 }, showlegend: false,
    font: { family: css("--sans"), size: 12, color: ink }, dragmode: false,
    hoverlabel: { bgcolor: css("--surface"), bordercolor: line, font: { family: css("--sans"), size: 12, color: ink }, align: "left" },
    ...extra, xaxis: { ...axis, ...extra.xaxis }, yaxis: { ...axis, ...extra.yaxis },
  };
}

const drawn = new Map();

// Draws once plotly is there, and again when the colours or what is seen of a map changes; `make(element, ranges)` returns
// [traces, layout, options], with `ranges` null at first.
export async function draw(element, make, onClick = null) {
  await library();
  if (!element.isConnected) return;
  let seen = null;
  const redraw = async () => {
    const [traces, extra, options = {}] = make(element, seen);
    await window.Plotly.react(element, traces, layout(extra), { displayModeBar: false, responsive: true, ...options });
  };
  await redraw();
  element.dataset.drawn = "yes";
  drawn.set(element, redraw);
  if (onClick) element.on("plotly_click", (event) => onClick(event.points[0]));
  element.on("plotly_relayout", (change) => {
    if (!("xaxis.range[0]" in change)) return;
    seen = { x: [change["xaxis.range[0]"], change["xaxis.range[1]"]], y: [change["yaxis.range[0]"], change["yaxis.range[1]"]] };
    redraw();
  });
}

export function forgetPictures() {
  for (const element of drawn.keys()) window.Plotly?.purge(element);
  drawn.clear();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((redraw) => redraw()));

// Loaded when the first picture is drawn, after the page's words and numbers are there.
let loading = null;

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.getElementById("plotly").href;
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("The picture library did not load; reload the page.")));
    document.head.append(script);
  });
  return loading;
}

export const picture = (label, size = "") => h("div", { class: `picture ${size}`, role: "img", "aria-label": label });

export const volume = (days) => (element) => [
  [{ type: "bar", x: days.map((each) => each.date), y: days.map((each) => each.count), marker: { color: faint(css("--accent"), 0.82), cornerradius: 3 },
    customdata: days.map((each) => `${plain(day(each.date))}: <b>${count(each.count)}</b> messages`), hovertemplate: "%{customdata}<extra></extra>" }],
  { bargap: 0.34, xaxis: { type: "date", showgrid: false, tickformat: "%-d %b", nticks: element.clientWidth < 500 ? 4 : 8 }, yaxis: { nticks: 3, rangemode: "tozero", showline: false } },
];

// topics: with x, y, size, label; `place` gives each its colour's number. Bubble areas follow the sizes. Labels that
// would lie on a larger topic's label wait until there is room, that is until one zooms in.
export const topicMap = (topics, place) => (element, seen = null) => {
  const largest = Math.max(1, ...topics.map((topic) => topic.size));
  const diameter = (topic) => Math.max(9, 54 * Math.sqrt(topic.size / largest));
  const fills = topics.map((topic) => colour(place(topic)));
  const ranges = seen ?? { x: room(topics.map((topic) => topic.x)), y: room(topics.map((topic) => topic.y)) };
  const bubbles = {
    type: "scatter", mode: "markers", x: topics.map((topic) => topic.x), y: topics.map((topic) => topic.y),
    marker: { size: topics.map(diameter), color: fills.map((fill) => faint(fill, 0.3)), line: { color: fills, width: 1.5 }, opacity: 1 },
    customdata: topics.map((topic) => topic.topic_id), hovertemplate: "%{text}<extra></extra>",
    text: topics.map((topic) => `<b>${plain(topic.label)}</b><br>${count(topic.size)} messages · ${percent(topic.share)}`
      + (topic.examples?.length ? `<br><i>${wrap(topic.examples[0])}</i>` : "")),
  };
  const annotations = withRoom(topics, ranges, element, diameter).map((topic) => ({
    x: topic.x, y: topic.y, text: plain(cut(topic.label, LABEL)), showarrow: false, yshift: -(diameter(topic) / 2 + 9), captureevents: false,
    font: { size: 11.5, color: css("--ink") },
  }));
  const hidden = { showgrid: false, showline: false, showticklabels: false, fixedrange: false, ticks: "" };
  return [[bubbles], {
    margin: { l: 2, r: 2, t: 2, b: 2 }, dragmode: "pan", annotations, hovermode: "closest",
    xaxis: { ...hidden, range: ranges.x }, yaxis: { ...hidden, range: ranges.y },
  }, { scrollZoom: true }];
};

const LABEL = 28;

// The topics whose labels do not overlap, the largest first; sizes in pixels, a letter taken as 6.4 wide.
function withRoom(topics, ranges, element, diameter) {
  const at = (value, [low, high], pixels) => ((value - low) / (high - low)) * pixels;
  const boxes = [];
  return [...topics].sort((a, b) => b.size - a.size).filter((topic) => {
    const half = (Math.min(topic.label.length, LABEL) * 6.4) / 2 + 3;
    const x = at(topic.x, ranges.x, element.clientWidth), y = at(topic.y, ranges.y, element.clientHeight) - diameter(topic) / 2 - 9;
    if (x - half < 0 || x + half > element.clientWidth || boxes.some((box) => Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y) < 15)) return false;
    boxes.push({ x, y, half });
    return true;
  });
}

function room(values) {
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  return [low - span * 0.16, high + span * 0.16];
}

// nodes: [{ key, topic_id, label, kind, place }], links: [{ from, to (keys), count, words }]; made by flow.js.
export const sankey = ({ nodes, links }) => (element) => {
  const index = new Map(nodes.map((node, i) => [node.key, i]));
  const fills = nodes.map((node) => (node.kind === "edge" ? css("--muted") : colour(node.place)));
  return [[{
    type: "sankey", arrangement: "snap", valueformat: ",d",
    node: { align: "left", label: nodes.map((node) => plain(cut(node.label, element.clientWidth < 500 ? 13 : 22))), color: fills, pad: 14, thickness: 12, line: { width: 0 },
      customdata: nodes.map((node) => node.topic_id),
      hovertemplate: "<b>%{label}</b><br>%{value} sessions<extra></extra>" },
    link: { source: links.map((link) => index.get(link.from)), target: links.map((link) => index.get(link.to)), value: links.map((link) => link.count),
      color: links.map((link) => faint(fills[index.get(link.from)], 0.22)), customdata: links.map((link) => link.words),
      hovertemplate: "%{customdata}<extra></extra>" },
  }], { margin: { l: 6, r: 6, t: 8, b: 8 } }];
};
