// Topics and moves as tables.

import { go } from "./address.js";
import { colourName } from "./charts.js";
import { topicLink } from "./data.js";
import { h, meter, spark } from "./dom.js";
import { count, gap, percent } from "./format.js";
import { SPECIAL, rank } from "./flow.js";

export function topicsTable(topics, field, { limit = Infinity } = {}) {
  const largest = Math.max(0.0001, ...topics.topics.map((topic) => topic.share));
  const full = limit === Infinity;
  const rows = topics.topics.slice(0, limit).map((topic) => {
    const address = topicLink(topic.topic_id, field);
    return h("tr", { class: "link", "data-topic": topic.topic_id, onclick: (event) => { if (!event.target.closest("a")) go(address); } },
      h("td", {}, h("span", { class: "topic-name" },
        h("i", { class: "dot", style: { background: colourName(topics.place(topic)) } }), h("a", { href: address }, topic.label))),
      h("td", { class: "number size" }, count(topic.size)),
      h("td", { class: "whole" }, h("div", { class: "share" }, h("span", { class: "number" }, percent(topic.share)), meter(topic.share / largest))),
      full ? h("td", {}, spark(topic.trend.map((each) => each.count), `Messages a day: ${topic.trend.map((each) => each.count).join(", ")}`)) : null,
      h("td", { class: "number" }, change(topic.change)),
      h("td", { class: "whole" }, h("div", { class: "words" }, (topic.keywords ?? []).slice(0, full ? 6 : 3).map((word) => h("span", { class: "word" }, word)))),
      full ? h("td", { class: "whole" }, h("div", { class: "quote" }, (topic.examples ?? [])[0] ?? "")) : null);
  });
  return h("div", { class: "scroll" }, h("table", { class: "fold topics" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Topic"), h("th", { scope: "col", class: "number" }, "Messages"), h("th", { scope: "col" }, "Share"),
      full ? h("th", { scope: "col" }, "Trend") : null, h("th", { scope: "col", class: "number", title: "Last 7 days against the 7 days before" }, "7 days"), h("th", { scope: "col" }, "Keywords"), full ? h("th", { scope: "col" }, "A typical message") : null)),
    h("tbody", {}, rows)));
}

// The last week against the one before, as a sign and a number, not by colour alone; null: nothing was before.
export function change(value) {
  if (value === null) return h("span", { class: "muted" }, "–");
  const share = Math.round(value * 100);
  return h("span", { class: `change ${share > 0 ? "up" : share < 0 ? "down" : ""}` }, share ? `${share > 0 ? "▲" : "▼"} ${Math.abs(share)}%` : "=");
}

// Moves between topics, most common first; starts and ends only where asked for.
export function movesTable(journeys, name, field, { limit = 20, ends = false, more = false } = {}) {
  const inner = ends ? journeys.edges : journeys.edges.filter((edge) => edge.from !== "start" && edge.to !== "end");
  const place = (key) => (SPECIAL[key] ? name(key) : h("a", { href: topicLink(key, field) }, name(key)));
  const rows = rank(inner).slice(0, more ? Infinity : limit).map((edge, i) => h("tr", { hidden: i >= limit, "data-from": edge.from, "data-to": edge.to },
    h("td", {}, h("span", { class: "move" }, place(edge.from), h("span", { class: "arrow", "aria-label": "to" }, "→"), place(edge.to))),
    h("td", { class: "number count" }, count(edge.count)),
    h("td", { class: "number" }, percent(edge.probability)),
    ends ? [h("td", { class: "number" }, count(edge.sessions)), h("td", { class: "number" }, gap(edge.median_gap_s))] : null));
  const all = more && rows.length > limit && h("button", { class: "button", onclick: (event) => { rows.forEach((row) => { row.hidden = false; }); event.target.remove(); } },
    `Show all ${count(rows.length)}`);
  return h("div", { class: "scroll" }, h("table", { class: "moves" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Move"), h("th", { scope: "col", class: "number" }, "Times"),
      h("th", { scope: "col", class: "number", title: "Share of the moves out of the first topic" }, "Of moves out"),
      ends ? [h("th", { scope: "col", class: "number" }, "Sessions"), h("th", { scope: "col", class: "number", title: "Median time between the two" }, "Gap")] : null)),
    h("tbody", {}, rows)), all);
}
