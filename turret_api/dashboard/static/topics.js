// All topics of a text field: the map, search by meaning, and the list, narrowed by the filters.

import { get } from "./api.js";
import { go, here, note } from "./address.js";
import { asked, freshness, loadTopics, node, pageHead, sessionLink } from "./data.js";
import { h } from "./dom.js";
import { withFilters } from "./filters.js";
import { count, moment, percent, plural } from "./format.js";
import { topicMap } from "./map.js";
import { later, panel } from "./panel.js";
import { table, topicsTable } from "./tables.js";

const MOST_POINTS = 100_000;

export function topics(context) {
  const { field, query } = context;
  const found = loadTopics(field, query);
  const source = (level) => ["/v1/topics", { ...asked(field, query), level, limit: 1000 }];
  const q = query.get("q") ?? "", texts = get("/v1/topics/map", { ...asked(field, query), limit: MOST_POINTS });
  texts.catch(() => null);
  return h("div", {},
    pageHead("Topics", later(found.catch(() => null), (all) => (all ? `${plural(all.topics.length, "topic")} of ${field}${all.themes.length ? `, in ${plural(all.themes.length, "theme")}` : ""}` : ""), 20), freshness(found)),
    withFilters(context,
      search(q, field),
      q ? panel(`Messages like “${q}”`, "", { id: "found", exports: { table: ["/v1/messages", { ...asked(field, query), q, limit: 100 }] } },
        later(Promise.all([get("/v1/messages", { ...asked(field, query), q, limit: 25 }), found]), ([answer, all]) => hits(answer.data, all.name, field))) : null,
      later(found, (all) => (all.topics.length ? mapPanel(all, texts, field, query) : panel("Topics", "", { id: "topics" }, h("p", { class: "empty" }, "No topics for these filters."))), 520),
      later(found, (all) => (all.topics.length ? listPanel(all, field, query, source(0)) : null), 520)));
}

function search(q, field) {
  const input = h("input", { type: "search", id: "search", value: q, placeholder: "Search messages by meaning: “cannot pay with my card”", "aria-label": "Search messages by meaning", maxlength: 1000 });
  return h("form", { class: "panel search", role: "search", onsubmit: (event) => { event.preventDefault(); go(here({ q: input.value.trim() })); } },
    input, h("button", { class: "primary", type: "submit" }, "Search"), q ? h("button", { class: "button", type: "button", onclick: () => go(here({ q: null })) }, "Clear") : null);
}

function hits(data, name, field) {
  if (!data.length) return h("p", { class: "empty" }, "No message is like it.");
  return table([
    { title: "Message", cls: "whole text", cell: (message) => message.text },
    { title: "Topic", cell: (message) => node(message.topic_id ?? "unassigned", message.topic_label ?? name(message.topic_id), field) },
    { title: "Alike", hint: "Cosine of the angle between the message and what is searched for: 1 is the same", cls: "number", cell: (message) => message.similarity?.toFixed(2) ?? "–" },
    { title: "When", cls: "muted", cell: (message) => h("a", { class: "plain", href: sessionLink(message.session_id, field), "aria-label": `Read the session of ${moment(message.timestamp)}` }, moment(message.timestamp)) },
  ], data, { cls: "fold messages", label: "Messages found" });
}

function mapPanel(all, texts, field, query) {
  const seen = query.get("map")?.split(",").map(Number);
  const map = topicMap(all, texts, field, { seen: seen?.length === 4 && seen.every(Number.isFinite) ? seen : null, remember: true });
  return panel("Map", "", { id: "map", note: "Drag to move, scroll to zoom, click to open", exports: { picture: map } }, map, legend(all));
}

function legend(all) {
  const size = (theme) => all.topics.filter((topic) => topic.parent_id === theme.topic_id).reduce((sum, topic) => sum + topic.size, 0);
  const total = all.topics.reduce((sum, topic) => sum + topic.size, 0) || 1;
  const themes = all.themes.map((theme) => [theme, size(theme)]).filter(([, n]) => n).sort((a, b) => b[1] - a[1]);
  return h("ul", { class: "legend", "aria-label": "Themes" }, themes.map(([theme, n]) => h("li", {},
    h("i", { class: "dot", style: { background: `var(--c${Math.max(0, all.place(theme)) % 8})` } }), theme.label,
    h("span", { class: "muted", title: `${count(n)} messages` }, percent(n / total)))));
}

function listPanel(all, field, query, source) {
  const place = h("div", {});
  const input = h("input", { type: "search", id: "find", value: query.get("find") ?? "", placeholder: "Find a topic…", "aria-label": "Find a topic by label or keyword" });
  const fill = () => {
    const wanted = input.value.trim().toLowerCase();
    const matching = all.topics.filter((topic) => [topic.label, ...(topic.keywords ?? []), topic.examples?.[0] ?? ""].join(" ").toLowerCase().includes(wanted));
    place.replaceChildren(matching.length ? topicsTable({ ...all, topics: matching }, field, { sort: "sort" }) : h("p", { class: "empty" }, "No topic has these words."));
  };
  input.addEventListener("input", () => { note({ find: input.value.trim() }); fill(); });
  fill();
  return panel("All topics", "", { id: "topics", note: input, exports: { table: source } }, place);
}
