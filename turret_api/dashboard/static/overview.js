// The first page: how much, about what, from where to where, and how fresh.

import { get } from "./api.js";
import { go, link } from "./address.js";
import { draw, picture, sankey, topicMap, volume } from "./charts.js";
import { freshness, loadTopics, pageHead, topicLink } from "./data.js";
import { h, meter, panel } from "./dom.js";
import { count, day, percent, plural } from "./format.js";
import { SPECIAL, depthFor, loadJourneys, sankeyOf } from "./flow.js";
import { noTextField } from "./states.js";
import { fieldsTable } from "./fields.js";
import { movesTable, topicsTable } from "./tables.js";

export async function overview({ fields, texts, field, query }) {
  if (field === null) return noTextField(fields);
  const [topics, journeys, usage] = await Promise.all([loadTopics(field, query), loadJourneys(field, query, depthFor(3)), get("/v1/usage")]);
  const days = topics.messages_per_day;
  const builtAt = topics.built_at ?? fields.built_at;
  const name = namer(topics);

  const bars = picture(`Messages a day, ${days.length} days`, "short");
  const map = picture(`Map of ${topics.topics.length} topics: alike topics are near each other, larger ones have more messages`, "tall");
  const flow = picture("Where sessions go, visit by visit, from their start to their end", "tall");
  const content = h("div", {},
    pageHead("Overview", days.length ? `${day(days[0].date)} – ${day(days.at(-1).date)}` : null, { texts, field }, freshness(builtAt)),
    h("div", { class: "grid" },
      tiles(topics, journeys, usage, days),
      panel("Messages a day", "", { id: "volume" }, days.length ? bars : h("p", { class: "empty" }, "No messages in this time.")),
      topics.topics.length
        ? [panel("Topics", "wide", { id: "topics", note: h("a", { href: link("/topics") }, `All ${plural(topics.topics.length, "topic")}`) },
          topicsTable(topics, field, { limit: 8 })),
        panel("Topic map", "narrow", { id: "map", note: "Near means alike; colour is the theme" }, map)]
        : panel("Topics", "", { id: "topics" }, h("p", { class: "empty" },
          "No topics yet: they are found once a few dozen different texts are there, at the next build.")),
      journeys.edges.length
        ? [panel("Journeys", "two-thirds", { id: "journeys", note: h("a", { href: link("/journeys") }, "Explore journeys") }, flow),
          panel("Most common moves", "third", { id: "moves" }, movesTable(journeys, name, field, { limit: 10 }))]
        : panel("Journeys", "", { id: "journeys" }, h("p", { class: "empty" }, "No journeys yet.")),
      panel("Fields", "", { id: "fields", note: "Each key of your events' metadata, typed from its values" }, fieldsTable(fields.data))));

  content.addEventListener("turret:shown", () => {
    if (days.length) draw(bars, volume(days));
    if (topics.topics.length) draw(map, topicMap(topics.topics, topics.place, topics.themes), (point) => go(topicLink(point.customdata, field)));
    if (journeys.edges.length) draw(flow, sankey(sankeyOf(journeys, topics)));
  });
  return content;
}

export const namer = (topics) => {
  const labels = new Map(topics.topics.map((topic) => [topic.topic_id, topic.label]));
  return (key) => SPECIAL[key] ?? labels.get(key) ?? key;
};

function tiles(topics, journeys, usage, days) {
  const messages = topics.n_messages, assigned = messages - topics.n_unassigned, sessions = journeys.n_sessions;
  const share = usage.limit ? usage.used / usage.limit : 0;
  const tile = (id, title, value, note, below = null) => h("div", { class: "tile", id },
    h("dt", {}, title), h("dd", {}, value), below, note ? h("p", { class: "fine", title: note }, note) : null);
  return h("dl", { class: "tiles" },
    tile("n-messages", "Messages", count(messages), days.length ? `${count(days.at(-1).count)} on ${day(days.at(-1).date)}` : null),
    tile("n-sessions", "Sessions", count(sessions), sessions ? `${(messages / sessions).toFixed(1)} messages each` : null),
    tile("n-topics", "Topics", count(topics.topics.length), topics.themes.length ? `in ${plural(topics.themes.length, "theme")}` : null),
    tile("assigned", "With a topic", percent(messages ? assigned / messages : null), `${count(topics.n_unassigned)} without`),
    tile("usage", "Plan", [usage.plan[0].toUpperCase() + usage.plan.slice(1), " ", h("small", {}, usage.limit === null ? `${count(usage.used)} events` : `${count(usage.used)} of ${count(usage.limit)}`)], null,
      usage.limit === null ? null : meter(share, share > 0.95 ? "bad" : share > 0.8 ? "warn" : "")));
}


