// The pictures, drawn by plotly in the colours of turret.css. Every text goes through `plain`: plotly reads some markup.

import { h } from "./dom.js";
import { count, day } from "./format.js";

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
export const cut = (text, n) => (text.length > n ? `${text.slice(0, n - 1).trimEnd()}…` : text);

const PALETTE = 8;
export const colour = (index) => (index === null || index < 0 ? css("--rest") : css(`--c${index % PALETTE}`));
export const colourName = (index) => (index === null || index < 0 ? "var(--rest)" : `var(--c${index % PALETTE})`);
export const faint = (value, alpha) => {
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

// A picture that draws itself once it is on the page. `make(element)` returns plotly's [traces, layout, options];
// `ready(element)` is called after the first drawing, to listen to its events.
export function picture(label, size, make, ready = () => {}) {
  const element = h("div", { class: `picture ${size}`, role: "img", "aria-label": label });
  element.draws = () => draw(element, make, ready);
  return element;
}

const drawn = new Map();

export function drawPictures(place) {
  for (const element of place.querySelectorAll(".picture")) {
    element.draws?.();
    element.draws = null;
  }
}

async function draw(element, make, ready) {
  try {
    await library();
  } catch (error) {
    element.append(h("p", { class: "problem", role: "alert" }, error.message));
    return;
  }
  if (!element.isConnected) return;
  const redraw = async () => {
    const [traces, extra, options = {}] = make(element);
    await window.Plotly.react(element, traces, layout(extra), { displayModeBar: false, responsive: true, ...options });
  };
  await redraw();
  drawn.set(element, redraw);
  ready(element);
  element.dataset.drawn = "yes";
}

// Draws a picture anew, after what it shows has changed.
export const redrawPicture = (element) => drawn.get(element)?.();

export function forgetPictures() {
  for (const element of drawn.keys()) window.Plotly?.purge(element);
  drawn.clear();
}

const redrawAll = () => drawn.forEach((redraw) => redraw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
addEventListener("turret:theme", redrawAll);

export async function saveImage(element, format, filename) {
  const { width, height } = element.getBoundingClientRect();
  const on = { ...element.layout, paper_bgcolor: css("--surface") };
  await window.Plotly.downloadImage({ data: element.data, layout: on, config: { staticPlot: true } }, { format, filename, width: Math.round(width), height: Math.round(height), scale: format === "png" ? 2 : 1 });
}

// Loaded when the first picture is drawn, after the page's words and numbers are there.
let loading = null;

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.getElementById("plotly").dataset.src;
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("The picture library did not load; reload the page.")));
    document.head.append(script);
  });
  return loading;
}

export const volume = (days, unit = "messages") => (element) => [
  [{ type: "bar", x: days.map((each) => each.date), y: days.map((each) => each.count), marker: { color: faint(css("--accent"), 0.82), cornerradius: 3 },
    customdata: days.map((each) => `${plain(day(each.date))}: <b>${count(each.count)}</b> ${unit}`), hovertemplate: "%{customdata}<extra></extra>" }],
  { bargap: 0.34, xaxis: { type: "date", showgrid: false, tickformat: "%-d %b", nticks: element.clientWidth < 500 ? 4 : 8 }, yaxis: { nticks: 3, rangemode: "tozero", showline: false } },
];
