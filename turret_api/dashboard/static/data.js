// What pages need in common from the answers of `/v1`, and how a page's head looks.

import { list } from "./api.js";
import { go, link } from "./address.js";
import { h } from "./dom.js";
import { ago, moment } from "./format.js";

// The filters that topics and journeys take from the address.
export function filters(query) {
  const taken = [...query].filter(([key]) => ["from", "to", "name"].includes(key) || key.startsWith("segment."));
  return Object.fromEntries(taken);
}

export async function loadTopics(field, query) {
  const asked = { field, ...filters(query) };
  const [answer, coarse] = await Promise.all([list("/v1/topics", asked), list("/v1/topics", { ...asked, level: 1 })]);
  // At level 1 a topic without a theme stands for itself.
  const topics = answer.data, themes = coarse.data.filter((topic) => topic.level === 1);
  return { ...answer, topics, themes, place: placing(topics, themes) };
}

// Which colour a topic has: its theme's, themes in order of size; without themes, its own rank.
function placing(topics, themes) {
  const size = new Map();
  for (const topic of topics) size.set(topic.parent_id, (size.get(topic.parent_id) ?? 0) + topic.size);
  const order = [...size.keys()].filter((id) => id !== null && id !== undefined).sort((a, b) => size.get(b) - size.get(a));
  const rank = new Map(topics.map((topic, i) => [topic.topic_id, i]));
  const theme = new Map(topics.map((topic) => [topic.topic_id, order.indexOf(topic.parent_id)]));
  for (const each of themes) theme.set(each.topic_id, order.indexOf(each.topic_id));
  return (topic) => {
    const found = theme.get(topic.topic_id);
    return found === undefined ? null : order.length ? found : rank.get(topic.topic_id) ?? null;
  };
}

export const topicLink = (topic_id, field) => link(`/topics/${encodeURIComponent(topic_id)}`, { field });

export function pageHead(title, about, { texts = [], field = null } = {}, ...tools) {
  const chooser = texts.length > 1
    ? h("label", { class: "pick" }, "Text field", h("select", { id: "field", onchange: (event) => go(link(location.pathname, { field: event.target.value })) },
      texts.map((each) => h("option", { value: each, selected: each === field }, each))))
    : field && h("span", { class: "chip", id: "field" }, "Text field", h("strong", {}, field));
  return h("div", { class: "page-head" }, h("div", {}, h("h1", {}, title), about ? h("p", { class: "fine" }, about) : null), h("div", { class: "tools" }, chooser, tools));
}

export function freshness(builtAt) {
  const old = !builtAt || Date.now() - new Date(builtAt) > 36 * 3600 * 1000;
  return h("span", { class: "chip", id: "freshness", title: builtAt ? moment(builtAt) : "" },
    h("i", { class: `dot ${old ? "warn" : "good"}` }), builtAt ? `Built ${ago(builtAt)}` : "Not built yet");
}
