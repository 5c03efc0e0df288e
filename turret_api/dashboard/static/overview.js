// The first page: how much, about what, what is new, from where to where, how fresh, and how much of the plan is used.

import { get } from "./api.js";
import { link } from "./address.js";
import { picture, volume } from "./charts.js";
import { asked, fieldChooser, freshness, loadTopics, pageHead, topicLink } from "./data.js";
import { h, meter } from "./dom.js";
import { flow, loadPaths, rank, depthFor } from "./flow.js";
import { ago, count, day, moment, percent, plural } from "./format.js";
import { topicMap } from "./map.js";
import { later, panel } from "./panel.js";
import { change, movesTable, table, topicsTable } from "./tables.js";

export function overview({ texts, field, query }) {
  const topics = loadTopics(field, query), usage = get("/v1/usage"), project = get("/v1/project");
  const graph = get("/v1/journeys", asked(field, query)), paths = loadPaths(field, query, depthFor(3));
  const all = [topics, graph, paths];
  return h("div", {},
    pageHead("Overview", later(topics.catch(() => null), (found) => period(found), 20), fieldChooser(texts, field), freshness(topics)),
    h("div", { class: "grid" },
      h("dl", { class: "tiles" },
        tile("n-messages", "Messages", topics, ({ n_messages, messages_per_day: days }) => [count(n_messages), days.length ? `${count(days.at(-1).count)} on ${day(days.at(-1).date)}` : null]),
        tile("n-sessions", "Sessions", Promise.all([topics, graph]), ([{ n_messages }, { n_sessions }]) => [count(n_sessions), n_sessions ? `${(n_messages / n_sessions).toFixed(1)} messages each` : null]),
        tile("n-topics", "Topics", topics, (found) => [count(found.topics.length), found.themes.length ? `in ${plural(found.themes.length, "theme")}` : null]),
        tile("assigned", "With a topic", topics, ({ n_messages, n_unassigned }) => [percent(n_messages ? 1 - n_unassigned / n_messages : null), `${count(n_unassigned)} without`]),
        tile("usage", "Plan", usage, plan)),
      panel("Messages a day", "two-thirds", { id: "volume" }, later(topics, ({ messages_per_day: days }) => (days.length
        ? picture(`Messages a day, ${days.length} days, from ${count(Math.min(...days.map((each) => each.count)))} to ${count(Math.max(...days.map((each) => each.count)))}`, "short", volume(days))
        : h("p", { class: "empty" }, "No messages in this time.")), 132)),
      panel("What changes", "third", { id: "trends", note: "The last 7 days against the 7 before" }, later(topics, (found) => trends(found, field), 132)),
      later(topics, (found) => (found.topics.length
        ? [panel("Topics", "wide", { id: "topics", note: h("a", { href: link("/topics") }, `All ${plural(found.topics.length, "topic")}`) }, topicsTable(found, field, { limit: 8 })),
          panel("Topic map", "narrow", { id: "map", note: "Near means alike; colour is the theme" }, topicMap(found, null, field))]
        : panel("Topics", "", { id: "topics" }, h("p", { class: "empty" }, "No topics yet: they are found once a few dozen different texts are there, at the next build."))), 380),
      later(Promise.all(all), ([found, { edges }, answer]) => (edges.length
        ? [panel("Journeys", "two-thirds", { id: "journeys", note: h("a", { href: link("/journeys") }, "Explore journeys") }, flow(answer, found)),
          panel("Most common moves", "third", { id: "moves" }, movesTable(rank(edges.filter((edge) => edge.from !== "start" && edge.to !== "end")).slice(0, 10), found.name, field))]
        : panel("Journeys", "", { id: "journeys" }, h("p", { class: "empty" }, "No journeys yet."))), 460),
      panel("How fresh the tables are", "", { id: "tables", note: h("a", { href: document.body.dataset.dagster, target: "_blank", rel: "noreferrer" }, "See the pipeline ↗") },
        later(project, ({ tables }) => freshnessOf(tables)))));
}

const period = (found) => (found?.messages_per_day.length ? `${day(found.messages_per_day[0].date)} – ${day(found.messages_per_day.at(-1).date)}` : "");

function tile(id, title, answer, make) {
  const part = (i, height) => later(answer.then(make), (parts) => parts.slice(i, i ? 3 : 1).reverse(), height);
  return h("div", { class: "tile", id }, h("dt", {}, title), h("dd", {}, part(0, 30)), h("dd", { class: "fine" }, part(1, 14)));
}

function plan({ plan: name, limit, used }) {
  const share = limit ? used / limit : 0;
  return [name[0].toUpperCase() + name.slice(1), limit === null ? `${plural(used, "event")}` : `${count(used)} of ${count(limit)} events`,
    limit === null ? null : meter(share, share > 0.95 ? "bad" : share > 0.8 ? "warn" : "")];
}

const WEEK_MS = 7 * 86_400_000;
const SHOWN = 4;

// New: first seen within the week before the newest message. Growing and fading: by the last week against the one before.
function trends(found, field) {
  const newest = found.messages_per_day.length ? new Date(found.messages_per_day.at(-1).date).getTime() : 0;
  const oldest = found.messages_per_day.length ? new Date(found.messages_per_day[0].date).getTime() : 0;
  const isNew = (topic) => topic.first_seen && new Date(topic.first_seen).getTime() > Math.max(newest - WEEK_MS, oldest + WEEK_MS);
  const moved = found.topics.filter((topic) => !isNew(topic) && topic.change !== null && Math.abs(topic.change) >= 0.05).sort((a, b) => b.change - a.change);
  const groups = [["New", found.topics.filter(isNew)], ["Growing", moved.filter((topic) => topic.change > 0)], ["Fading", moved.filter((topic) => topic.change < 0).reverse()]];
  if (groups.every(([, topics]) => !topics.length)) return h("p", { class: "empty" }, "No topic is new, and none grows or fades.");
  return h("div", { class: "trend-groups" }, groups.filter(([, topics]) => topics.length).map(([title, topics]) => h("div", {}, h("h3", {}, title),
    h("ul", {}, topics.slice(0, SHOWN).map((topic) => h("li", { "data-topic": topic.topic_id }, h("a", { class: "plain", href: topicLink(topic.topic_id, field) }, topic.label),
      title === "New" ? h("span", { class: "fine" }, `since ${day(topic.first_seen)}`) : change(topic.change)))))));
}

function freshnessOf(tables) {
  if (!tables.length) return h("p", { class: "empty" }, "No table was built yet.");
  return h("ul", { class: "fresh" }, tables.map(({ table: name, built_at }) => h("li", {}, h("span", {}, name.replaceAll("_", " ")), h("span", { class: "muted", title: moment(built_at) }, ago(built_at)))));
}
