// The map of topics: alike texts are near each other. Every text is a point, every topic a circle whose area follows its
// size, and names stand where they have room: of themes in large letters, of topics in small ones. Drawn here and not by
// plotly, for which 100,000 points are too many to be moved about without a graphics card.

import { go, note } from "./address.js";
import { PALETTE, colour, css, cut, keepDrawn } from "./charts.js";
import { topicLink } from "./data.js";
import { h, svg } from "./dom.js";
import { count, percent } from "./format.js";
import { gestures } from "./gestures.js";
import { namesWithRoom } from "./map_names.js";
import { countIn, drawPoints, nearest } from "./raster.js";

const MANY = 20_000,
  SOME = 3000; // points in view, from which on they are smaller
const DENSEST = 2; // pixels of the canvas to one of the page
const REACH = 7;
const REST = PALETTE; // the ink of texts without a theme

// found: as `loadTopics` gives it; texts: a promise of columns { x, y, topic_id, text }, or null; seen: [x0, x1, y0, y1] or
// null; `moves`: whether one can move about in it, and the address holds what is seen. The circles are there at once, the
// points as soon as they have come.
export function topicMap(found, texts, field, { seen = null, moves = true } = {}) {
  const topics = found.topics.filter((topic) => Number.isFinite(topic.x) && Number.isFinite(topic.y));
  const themes = found.themes.filter(
    (theme) => Number.isFinite(theme.x) && topics.some((topic) => topic.parent_id === theme.topic_id),
  );
  const byId = new Map(topics.map((topic) => [topic.topic_id, topic]));
  const circlesHome = bounds(
    topics.map((topic) => topic.x),
    topics.map((topic) => topic.y),
  );
  const state = {
    view: rangesOf(seen ?? circlesHome),
    home: circlesHome,
    moved: Boolean(seen),
    points: null,
    texts: null,
    theme: null,
    tools: moves,
    width: 0,
    height: 0,
  };
  const label = `Map of ${count(topics.length)} topics: alike ones are near each other. The list of topics says the same in words.`;
  const canvas = h("canvas", {}),
    over = svg("svg", { "aria-hidden": "true" }),
    tip = h("div", { class: "tip", hidden: true });
  const plot = h("div", { class: `plot ${moves ? "moves" : ""}`, role: "img", "aria-label": label }, canvas, over);
  const element = h("div", { class: "picture map tall" }, plot, tip);
  const radius = radii(topics);
  let waiting = 0;
  const draw = () => {
    waiting = 0;
    [state.width, state.height] = [plot.clientWidth, plot.clientHeight];
    if (!state.width) return;
    drawCanvas(canvas, state, found.place);
    drawOver(over, topics, themes, state, found.place, radius);
  };
  const soon = () => {
    waiting ||= requestAnimationFrame(draw);
  };
  const moved = () => {
    state.moved = true;
    tip.hidden = true;
    soon();
  };
  const settled = () => {
    note({ map: [...state.view.x, ...state.view.y].map((value) => Number(value.toPrecision(4))).join(",") });
  };
  const home = () => {
    Object.assign(state.view, rangesOf(state.home));
    moved();
    note({ map: null });
  };
  if (moves) element.append(tools(gestures(plot, state.view, { changed: moved, settled }), home));
  plot.addEventListener("pointermove", (event) =>
    event.buttons ? null : show(tip, under(event), plot, event, found.name),
  );
  plot.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  plot.addEventListener("click", (event) => {
    const { topic } = under(event);
    if (topic) go(topicLink(topic.topic_id, field));
  });

  // What is at a place of the page: a text, else a topic in whose circle it lies.
  function under({ clientX, clientY }) {
    const box = plot.getBoundingClientRect(),
      x = clientX - box.left,
      y = clientY - box.top;
    const i = state.points ? nearest(state.points, state.view, state, x, y, REACH) : -1;
    if (i >= 0) return { topic: byId.get(state.texts.topic_id[i]) ?? null, text: state.texts.text[i], isText: true };
    const topic = topics.find((each) => {
      const at = onPage(each, state);
      return Math.hypot(at.x - x, at.y - y) <= radius(each);
    });
    return { topic: topic ?? null, text: topic?.examples?.[0], isText: false };
  }

  element.draws = () => {
    const watch = new ResizeObserver(soon);
    watch.observe(plot);
    keepDrawn(element, soon, () => watch.disconnect());
    draw();
    element.dataset.drawn = "yes";
    texts
      ?.then((columns) => {
        if (!columns.x.length || !element.isConnected) return;
        const fills = new Map(topics.map((topic) => [topic.topic_id, inkOf(found.place(topic))]));
        state.texts = columns;
        state.points = {
          x: Float32Array.from(columns.x),
          y: Float32Array.from(columns.y),
          fill: Uint8Array.from(columns.topic_id, (id) => fills.get(id) ?? REST),
        };
        state.home = bounds(columns.x, columns.y);
        if (!state.moved) Object.assign(state.view, rangesOf(state.home));
        draw();
        element.dataset.points = columns.x.length;
      })
      .catch(() => null);
  };
  // For the legend: which theme stands out (null: all), and what there is, for exports and for who looks on.
  element.map = {
    state,
    draw,
    topics,
    highlight: (theme) => {
      state.theme = theme;
      soon();
    },
  };
  element.image = (scale) => imageOf(over, state, found.place, scale);
  return element;
}

const rangesOf = ([x0, x1, y0, y1]) => ({ x: [x0, x1], y: [y0, y1] });
const inkOf = (place) => (place === null || place < 0 ? REST : place % PALETTE);
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const onPage = ({ x, y }, { view, width, height }) => ({
  x: ((x - view.x[0]) / (view.x[1] - view.x[0])) * width,
  y: ((view.y[1] - y) / (view.y[1] - view.y[0])) * height,
});

function radii(topics) {
  const largest = Math.max(1, ...topics.map((topic) => topic.size));
  return (topic) => Math.max(4.5, 27 * Math.sqrt(topic.size / largest));
}

function drawCanvas(canvas, state, place, scale = Math.min(DENSEST, devicePixelRatio || 1)) {
  const width = Math.round(state.width * scale),
    height = Math.round(state.height * scale);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (!state.points) return context.clearRect(0, 0, width, height);
  const shown = countIn(state.points, state.view),
    [size, alpha] = shown > MANY ? [1.1, 0.4] : shown > SOME ? [1.5, 0.55] : [2.1, 0.62];
  const theme = state.theme === null ? null : inkOf(place({ topic_id: state.theme }));
  const inks = [...Array(PALETTE).keys(), null].map((index, i) => ({
    rgb: rgb(colour(index)),
    alpha: theme === null || theme === i ? alpha : 0.1,
  }));
  drawPoints(context, state.points, state.view, inks, rgb(css("--surface")), size * scale);
}

// Circles and names: shapes, so that letters are sharp at any size, and an export holds them as such.
function drawOver(over, topics, themes, state, place, radius) {
  over.setAttribute("viewBox", `0 0 ${state.width} ${state.height}`);
  const parts = [],
    dim = (topic) => (state.theme !== null && topic.parent_id !== state.theme ? 0.25 : 1);
  const seen = topics
    .map((topic) => ({ topic, at: onPage(topic, state), r: radius(topic) }))
    .filter(({ at, r }) => at.x > -r && at.x < state.width + r && at.y > -r && at.y < state.height + r);
  for (const { topic, at, r } of seen) {
    const ink = colour(place(topic));
    parts.push(
      svg("circle", {
        cx: at.x.toFixed(1),
        cy: at.y.toFixed(1),
        r: r.toFixed(1),
        fill: ink,
        "fill-opacity": state.points ? 0.08 : 0.3,
        stroke: ink,
        "stroke-width": 1.3,
        opacity: dim(topic),
      }),
    );
  }
  const ground = css("--surface"),
    ink = css("--ink"),
    family = css("--sans");
  const theirs = themes
    .map((theme) => ({ theme, members: seen.filter(({ topic }) => topic.parent_id === theme.topic_id) }))
    .filter(({ members }) => members.length > 1)
    .map(({ theme, members }) => ({
      theme,
      at: onPage(theme, state),
      top: Math.min(...members.map(({ at, r }) => at.y - r)),
      bottom: Math.max(...members.map(({ at, r }) => at.y + r)),
    }));
  for (const name of namesWithRoom(
    seen,
    theirs,
    state,
    state.tools ? [{ x: state.width - 24, y: 66, half: 24, high: 66 }] : [],
  )) {
    const coarse = name.kind === "coarse";
    parts.push(
      svg(
        "text",
        {
          x: name.x.toFixed(1),
          y: name.y.toFixed(1),
          "text-anchor": "middle",
          "dominant-baseline": "central",
          "font-family": family,
          "font-size": name.size,
          "font-weight": coarse ? 680 : 450,
          fill: coarse ? colour(place(name.of)) : ink,
          stroke: ground,
          "stroke-width": coarse ? 4 : 3,
          "stroke-linejoin": "round",
          "paint-order": "stroke",
          opacity: coarse ? 1 : dim(name.of),
        },
        name.text,
      ),
    );
  }
  over.replaceChildren(...parts);
}

function show(tip, { topic, text, isText }, plot, { clientX, clientY }, name) {
  plot.classList.toggle("over", Boolean(topic));
  tip.hidden = !topic && !text;
  if (tip.hidden) return;
  tip.replaceChildren(
    h("strong", {}, topic ? topic.label : name("unassigned")),
    isText || !topic ? "" : h("span", { class: "muted" }, `${count(topic.size)} messages · ${percent(topic.share)}`),
    text ? h("q", {}, cut(text, 160)) : isText ? h("em", { class: "muted" }, "The text was removed.") : "",
  );
  const box = plot.getBoundingClientRect(),
    x = clientX - box.left,
    y = clientY - box.top;
  tip.style.setProperty("left", `${Math.max(0, Math.min(x + 14, box.width - tip.offsetWidth - 4))}px`);
  tip.style.setProperty(
    "top",
    `${y + 18 + tip.offsetHeight > box.height ? Math.max(0, y - tip.offsetHeight - 14) : y + 18}px`,
  );
}

function tools({ zoom }, home) {
  const button = (label, sign, onclick) =>
    h("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick }, sign);
  return h(
    "div",
    { class: "map-tools", role: "group", "aria-label": "Map" },
    button("Zoom in", "+", () => zoom(0.6)),
    button("Zoom out", "−", () => zoom(1 / 0.6)),
    button("Show all", "⤢", home),
  );
}

// The picture as SVG text: the points as one image in it, drawn anew at `scale` pixels to one of the page.
function imageOf(over, state, place, scale) {
  const sheet = document.createElement("canvas");
  drawCanvas(sheet, state, place, scale);
  const all = svg(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width: state.width,
      height: state.height,
      viewBox: `0 0 ${state.width} ${state.height}`,
    },
    svg("rect", { width: "100%", height: "100%", fill: css("--surface") }),
  );
  if (state.points)
    all.append(svg("image", { href: sheet.toDataURL("image/png"), width: state.width, height: state.height }));
  all.append(...[...over.children].map((each) => each.cloneNode(true)));
  return new XMLSerializer().serializeToString(all);
}

function bounds(x, y) {
  const ends = (values) => {
    let low = Infinity,
      high = -Infinity;
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) [low, high] = [0, 1];
    const span = high - low || 1;
    return [low - span * 0.1, high + span * 0.1];
  };
  return [...ends(x), ...ends(y)];
}
