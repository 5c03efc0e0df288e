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

// Draws once plotly is there, and again when the colours change; `make` returns [traces, layout].
export async function draw(element, make, onClick = null) {
  await library();
  if (!element.isConnected) return;
  const redraw = async () => {
    const [traces, extra, options = {}] = make();
    await window.Plotly.react(element, traces, layout(extra), { displayModeBar: false, responsive: true, ...options });
  };
  await redraw();
  element.dataset.drawn = "yes";
  if (onClick) element.on("plotly_click", (event) => onClick(event.points[0]));
  drawn.set(element, redraw);
}

export function forgetPictures() {
  for (const element of drawn.keys()) window.Plotly?.purge(element);
  drawn.clear();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((redraw) => redraw()));

function library() {
  if (window.Plotly) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.querySelector('script[src$="plotly.min.js"]');
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("The picture library did not load; reload the page.")));
  });
}

export const picture = (label, size = "") => h("div", { class: `picture ${size}`, role: "img", "aria-label": label });

export const volume = (days) => () => [
  [{ type: "bar", x: days.map((each) => each.date), y: days.map((each) => each.size), marker: { color: css("--accent"), cornerradius: 3 },
    customdata: days.map((each) => `${plain(day(each.date))}: <b>${count(each.size)}</b> messages`), hovertemplate: "%{customdata}<extra></extra>" }],
  { bargap: 0.28, xaxis: { type: "date", showgrid: false, tickformat: "%-d %b", nticks: 8 }, yaxis: { nticks: 4, rangemode: "tozero" } },
];

// topics: with x, y, size, label; `place` gives each its colour's number. Bubble areas follow the sizes.
export const topicMap = (topics, place, themes, { labels = true } = {}) => () => {
  const largest = Math.max(1, ...topics.map((topic) => topic.size));
  const diameter = (topic) => Math.max(9, 58 * Math.sqrt(topic.size / largest));
  const fills = topics.map((topic) => colour(place(topic)));
  const bubbles = {
    type: "scatter", mode: "markers", x: topics.map((topic) => topic.x), y: topics.map((topic) => topic.y),
    marker: { size: topics.map(diameter), color: fills.map((fill) => faint(fill, 0.34)), line: { color: fills, width: 1.5 }, opacity: 1 },
    customdata: topics.map((topic) => topic.topic_id), hovertemplate: "%{text}<extra></extra>",
    text: topics.map((topic) => `<b>${plain(topic.label)}</b><br>${count(topic.size)} messages · ${percent(topic.share)}`
      + (topic.examples?.length ? `<br><i>${wrap(topic.examples[0])}</i>` : "")),
  };
  const named = labels ? topics : [];
  const annotations = named.map((topic) => ({
    x: topic.x, y: topic.y, text: plain(cut(topic.label, 26)), showarrow: false, yshift: -(diameter(topic) / 2 + 9), captureevents: false,
    font: { size: 11, color: css("--ink") },
  }));
  const hidden = { showgrid: false, showticklabels: false, fixedrange: false, range: undefined, automargin: false };
  return [[bubbles], {
    margin: { l: 4, r: 4, t: 4, b: 4 }, dragmode: "pan", annotations, hovermode: "closest",
    xaxis: { ...hidden, ...room(topics.map((topic) => topic.x)) }, yaxis: { ...hidden, ...room(topics.map((topic) => topic.y)) },
  }, { scrollZoom: true }];
};

function room(values) {
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  return { range: [low - span * 0.14, high + span * 0.14] };
}

// nodes: [{ key, topic_id, label, kind, place }], links: [{ from, to (keys), count, words }]; made by flow.js.
export const sankey = ({ nodes, links }) => () => {
  const index = new Map(nodes.map((node, i) => [node.key, i]));
  const fills = nodes.map((node) => (node.kind === "edge" ? css("--muted") : colour(node.place)));
  return [[{
    type: "sankey", arrangement: "snap", valueformat: ",d",
    node: { align: "left", label: nodes.map((node) => plain(cut(node.label, 30))), color: fills, pad: 16, thickness: 12, line: { width: 0 },
      customdata: nodes.map((node) => node.topic_id),
      hovertemplate: "<b>%{label}</b><br>%{value} sessions<extra></extra>" },
    link: { source: links.map((link) => index.get(link.from)), target: links.map((link) => index.get(link.to)), value: links.map((link) => link.count),
      color: links.map((link) => faint(fills[index.get(link.from)], 0.22)), customdata: links.map((link) => link.words),
      hovertemplate: "%{customdata}<extra></extra>" },
  }], { margin: { l: 6, r: 6, t: 8, b: 8 } }];
};
