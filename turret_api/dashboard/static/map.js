// The map of topics: alike texts are near each other. Every text is a point (drawn by WebGL, so that 100,000 move
// smoothly), every topic a circle whose area follows its size. From afar the themes are named, from near the topics.

import { go, note } from "./address.js";
import { colour, css, cut, faint, picture, plain, redrawPicture } from "./charts.js";
import { topicLink } from "./data.js";
import { h } from "./dom.js";
import { count, percent } from "./format.js";

const MOST_SLOW = 3000;
const LABEL = 28, LETTER = { fine: 6.4, coarse: 7.6 };

// found: as `loadTopics` gives it; texts: a promise of columns { x, y, topic_id, text }, or null; seen: [x0, x1, y0, y1] or
// null. The circles are there at once, the points as soon as they have come.
export function topicMap(found, texts, field, { size = "tall", seen = null, remember = false } = {}) {
  const topics = found.topics.filter((topic) => Number.isFinite(topic.x) && Number.isFinite(topic.y));
  const themes = found.themes.filter((theme) => Number.isFinite(theme.x) && topics.some((topic) => topic.parent_id === theme.topic_id));
  const home = seen ?? bounds({ x: topics.map((topic) => topic.x), y: topics.map((topic) => topic.y) });
  const view = { x: [home[0], home[1]], y: [home[2], home[3]] };
  let points = null, moved = Boolean(seen), fast = true;
  const label = `Map of ${count(topics.length)} topics: alike ones are near each other. The list of topics says the same in words.`;
  return picture(label, `map ${size}`, (element) => draw(element, topics, themes, found.place, points, view, fast), (element) => {
    hovering(element, topics, () => points, found.name);
    element.on("plotly_click", ({ points: [point] }) => {
      const topic_id = point.data.name === "topics" ? topics[point.pointNumber].topic_id : points.topic_id[point.customdata];
      if (topic_id) go(topicLink(topic_id, field));
    });
    element.on("plotly_relayout", (change) => {
      if (!("xaxis.range[0]" in change)) return;
      moved = true;
      view.x = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      view.y = [change["yaxis.range[0]"], change["yaxis.range[1]"]];
      window.Plotly.relayout(element, { annotations: labels(element, topics, themes, view, points) });
      if (remember) note({ map: [...view.x, ...view.y].map((value) => Number(value.toPrecision(4))).join(",") });
    });
    texts?.then(async (columns) => {
      if (!columns.x.length || !element.isConnected) return;
      points = columns;
      if (!moved) [view.x[0], view.x[1], view.y[0], view.y[1]] = bounds(columns);
      await redrawPicture(element);
      if (element.querySelector(".no-webgl")) {
        // The browser has no WebGL: fewer points, drawn without it.
        [points, fast] = [evenly(columns), false];
        await redrawPicture(element);
      }
      element.dataset.points = columns.x.length;
    }).catch(() => null);
  });
}

function draw(element, topics, themes, place, points, view, fast) {
  const fills = topics.map((topic) => colour(place(topic)));
  const circles = {
    type: "scatter", mode: "markers", name: "topics", x: topics.map((topic) => topic.x), y: topics.map((topic) => topic.y), hoverinfo: "none",
    customdata: topics.map((topic) => topic.topic_id),
    marker: { size: topics.map(diameter(topics)), color: fills.map((fill) => faint(fill, points ? 0.12 : 0.3)), line: { color: fills, width: 1.5 }, opacity: 1 },
  };
  const hidden = { showgrid: false, showline: false, showticklabels: false, fixedrange: false, ticks: "" };
  return [[...(points ? pointTraces(points, topics, place, fast) : []), circles], {
    margin: { l: 2, r: 2, t: 2, b: 2 }, dragmode: "pan", annotations: labels(element, topics, themes, view, points), hovermode: "closest", hoverdistance: 12,
    xaxis: { ...hidden, range: view.x }, yaxis: { ...hidden, range: view.y },
  }, { scrollZoom: true }];
}

// The points in one trace for each colour; `customdata` is a point's place in the columns.
function pointTraces(points, topics, place, fast) {
  const placeOf = new Map(topics.map((topic) => [topic.topic_id, place(topic)]));
  const groups = new Map();
  points.topic_id.forEach((topic_id, i) => {
    const key = colour(placeOf.get(topic_id) ?? null);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(i);
  });
  const size = points.x.length > 20_000 ? 2.5 : points.x.length > 3000 ? 3 : 4.5;
  return [...groups].map(([fill, members]) => ({
    type: fast ? "scattergl" : "scatter", mode: "markers", name: "points", hoverinfo: "none", customdata: members,
    x: Float32Array.from(members, (i) => points.x[i]), y: Float32Array.from(members, (i) => points.y[i]), marker: { size, color: fill, opacity: 0.55 },
  }));
}

// At most `MOST_SLOW` of the points; they come in order of hashes, so the first ones are an even sample.
const evenly = (columns) => Object.fromEntries(["x", "y", "topic_id", "text"].map((name) => [name, columns[name].slice(0, MOST_SLOW)]));

// What is under the pointer, in our own box: as text, so nothing in a message can be markup.
function hovering(element, topics, columns, name) {
  const tip = h("div", { class: "tip", hidden: true });
  element.append(tip);
  element.on("plotly_hover", ({ points: [point], event }) => {
    const isTopic = point.data.name === "topics", points = columns();
    const topic = isTopic ? topics[point.pointNumber] : topics.find((each) => each.topic_id === points.topic_id[point.customdata]);
    const text = isTopic ? topic.examples?.[0] : points.text[point.customdata];
    tip.replaceChildren(h("strong", {}, topic ? topic.label : name("unassigned")), topic && isTopic ? h("span", { class: "muted" }, `${count(topic.size)} messages · ${percent(topic.share)}`) : "", text ? h("q", {}, cut(text, 160)) : "");
    tip.hidden = false;
    const box = element.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    tip.style.setProperty("left", `${Math.max(0, Math.min(x + 14, box.width - tip.offsetWidth - 4))}px`);
    tip.style.setProperty("top", `${y + 18 + tip.offsetHeight > box.height ? Math.max(0, y - tip.offsetHeight - 14) : y + 18}px`);
  });
  element.on("plotly_unhover", () => { tip.hidden = true; });
}

function diameter(topics) {
  const largest = Math.max(1, ...topics.map((topic) => topic.size));
  return (topic) => Math.max(9, 54 * Math.sqrt(topic.size / largest));
}

// The labels that have room, coarse ones before fine ones, large before small; the others wait until one zooms in. From
// afar (where most topics' labels have no room) themes are named; from near they are not, for one is inside of them.
function labels(element, topics, themes, view, points) {
  const boxes = [], taken = [];
  const wide = diameter(topics);
  const at = (value, [low, high], pixels) => ((value - low) / (high - low)) * pixels;
  const put = (each, kind, shift) => {
    const text = cut(each.label, kind === "coarse" ? 40 : LABEL);
    const half = (text.length * LETTER[kind]) / 2 + 3, high = kind === "coarse" ? 20 : 15;
    const x = at(each.x, view.x, element.clientWidth), y = element.clientHeight - at(each.y, view.y, element.clientHeight) - shift;
    if (x - half < 0 || x + half > element.clientWidth || y < 8 || y > element.clientHeight - 8) return;
    if (boxes.some((box) => Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y) < (box.high + high) / 2)) return;
    boxes.push({ x, y, half, high });
    taken.push({ x: each.x, y: each.y, text: kind === "coarse" ? `<b>${plain(text)}</b>` : plain(text), showarrow: false, yshift: shift, captureevents: false,
      font: { size: kind === "coarse" ? 13.5 : 11.5, color: css("--ink") }, ...(points ? { bgcolor: faint(css("--surface"), 0.72), borderpad: 1 } : {}) });
  };
  const inView = topics.filter((topic) => topic.x >= view.x[0] && topic.x <= view.x[1] && topic.y >= view.y[0] && topic.y <= view.y[1]);
  const far = inView.length > 40;
  if (far) for (const theme of themes) put(theme, "coarse", 0);
  for (const topic of [...inView].sort((a, b) => b.size - a.size).slice(0, 400)) put(topic, "fine", wide(topic) / 2 + 9);
  return taken;
}

function bounds({ x, y }) {
  const ends = (values) => {
    let low = Infinity, high = -Infinity;
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const span = high - low || 1;
    return [low - span * 0.1, high + span * 0.1];
  };
  return [...ends(x), ...ends(y)];
}
