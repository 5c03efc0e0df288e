// The pictures, drawn by plotly in the colours of turret.css. Every text goes through `plain`: plotly reads some markup.

import { h } from "./dom.js";
import { count, day } from "./format.js";

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
export const cut = (text, n) => (text.length > n ? `${text.slice(0, n - 1).trimEnd()}…` : text);

export const PALETTE = 8;
const DAY_MS = 86_400_000;
export const colour = (index) => (index === null || index < 0 ? css("--rest") : css(`--c${index % PALETTE}`));
export const colourName = (index) => (index === null || index < 0 ? "var(--rest)" : `var(--c${index % PALETTE})`);
export const faint = (value, alpha) => {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(value.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
};

function layout(extra) {
  const ink = css("--ink"),
    muted = css("--muted"),
    line = css("--line");
  const axis = {
    color: muted,
    gridcolor: line,
    linecolor: line,
    zeroline: false,
    tickfont: { size: 11 },
    fixedrange: true,
  };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 36, r: 4, t: 6, b: 26 },
    showlegend: false,
    font: { family: css("--sans"), size: 12, color: ink },
    dragmode: false,
    hoverlabel: {
      bgcolor: css("--surface"),
      bordercolor: line,
      font: { family: css("--sans"), size: 12, color: ink },
      align: "left",
    },
    ...extra,
    xaxis: { ...axis, ...extra.xaxis },
    yaxis: { ...axis, ...extra.yaxis },
  };
}

// A picture that draws itself once it is on the page. `make(element)` returns plotly's [traces, layout, options];
// `ready(element)` is called after the first drawing, to listen to its events.
export function picture(label, size, make, ready = () => {}) {
  const element = h("div", { class: `picture ${size}`, role: "img", "aria-label": label });
  element.draws = () => draw(element, make, ready);
  return element;
}

// The pictures on the page: for each how to draw it anew, and how to let go of it.
const drawn = new Map();

export const keepDrawn = (element, redraw, forget) => drawn.set(element, { redraw, forget });

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
  keepDrawn(element, redraw, () => window.Plotly.purge(element));
  ready(element);
  element.dataset.drawn = "yes";
}

export function forgetPictures() {
  drawn.forEach(({ forget }) => forget());
  drawn.clear();
}

const redrawAll = () => drawn.forEach(({ redraw }) => redraw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
addEventListener("turret:theme", redrawAll);

// A picture as a file, `png` or `svg`.
export async function imageOf(element, format) {
  if (element.image) {
    const vector = new Blob([element.image(2)], { type: "image/svg+xml" });
    return format === "svg" ? vector : painted(vector, element.getBoundingClientRect());
  }
  const { width, height } = element.getBoundingClientRect();
  const figure = {
    data: element.data,
    layout: { ...element.layout, paper_bgcolor: css("--surface") },
    config: { staticPlot: true },
  };
  const address = await window.Plotly.toImage(figure, {
    format,
    width: Math.round(width),
    height: Math.round(height),
    scale: format === "png" ? 2 : 1,
  });
  const [head, body] = [address.slice(0, address.indexOf(",")), address.slice(address.indexOf(",") + 1)];
  const bytes = head.endsWith("base64")
    ? Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0))
    : decodeURIComponent(body);
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}

async function painted(vector, { width, height }) {
  const address = URL.createObjectURL(vector),
    image = new Image();
  image.src = address;
  await image.decode();
  const sheet = h("canvas", { width: Math.round(width * 2), height: Math.round(height * 2) });
  sheet.getContext("2d").drawImage(image, 0, 0, sheet.width, sheet.height);
  URL.revokeObjectURL(address);
  return new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
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

// The axis of `days`: at least a week, so that one day is no wide block, and no day is named twice.
function spread(days, nticks) {
  const at = days.map((each) => Date.parse(each.date)),
    first = Math.min(...at),
    last = Math.max(...at),
    missing = Math.max(0, 6 - (last - first) / DAY_MS) * DAY_MS;
  return {
    range: [first - missing - DAY_MS * 0.6, last + DAY_MS * 0.6].map((time) => new Date(time).toISOString()),
    ...(last - first < 8 * DAY_MS ? { dtick: Math.ceil(7 / nticks) * DAY_MS } : { nticks }),
  };
}

// What people wrote down of days, over the pictures of days: a line at a day, a band over several, each with its number.
function marksOf(annotations, days) {
  const first = days[0]?.date,
    last = days.at(-1)?.date;
  const shown = annotations.filter((each) => each.date <= last && (each.until ?? each.date) >= first);
  const half = DAY_MS / 2,
    at = (date, shift = 0) => new Date(Date.parse(date) + shift).toISOString();
  return {
    shapes: shown.map((each) => ({
      type: each.until ? "rect" : "line",
      yref: "paper",
      y0: 0,
      y1: 1,
      layer: each.until ? "below" : "above",
      x0: at(each.date, each.until ? -half : 0),
      x1: each.until ? at(each.until, half) : at(each.date),
      ...(each.until ? { fillcolor: faint(css("--ink"), 0.09) } : {}),
      line: { color: css("--ink"), width: each.until ? 0 : 1.2, dash: each.kind ? "solid" : "dot" },
    })),
    annotations: shown.map((each) => ({
      x: at(each.date),
      y: 1,
      yref: "paper",
      yanchor: "top",
      xanchor: "left",
      showarrow: false,
      text: `<b>${annotations.indexOf(each) + 1}</b>`,
      hovertext: plain(`${day(each.date)}: ${each.text}`),
      bgcolor: css("--surface"),
      borderpad: 1,
      font: { size: 11, color: css("--ink") },
    })),
  };
}

// annotations: of /v1/annotations; each mark bears the number of its place among them.
export const volume =
  (days, unit = "messages", annotations = []) =>
  (element) => [
    [
      {
        type: "bar",
        x: days.map((each) => each.date),
        y: days.map((each) => each.count),
        width: DAY_MS * 0.68,
        marker: { color: faint(css("--accent"), 0.82), cornerradius: 3 },
        customdata: days.map((each) => `${plain(day(each.date))}: <b>${count(each.count)}</b> ${unit}`),
        hovertemplate: "%{customdata}<extra></extra>",
      },
    ],
    {
      xaxis: {
        type: "date",
        showgrid: false,
        tickformat: "%b %-d",
        ...spread(days, element.clientWidth < 500 ? 4 : 8),
      },
      yaxis: { nticks: 3, rangemode: "tozero", showline: false },
      ...marksOf(annotations, days),
    },
  ];
