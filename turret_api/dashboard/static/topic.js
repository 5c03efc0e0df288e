// One topic: how much and when, who, what people wrote, what comes before and after, and what is like it.

import { ApiError, get } from "./api.js";
import { link } from "./address.js";
import { draw, picture, volume } from "./charts.js";
import { filters, freshness, pageHead, topicLink } from "./data.js";
import { h, meter, panel } from "./dom.js";
import { filterBar } from "./filter_bar.js";
import { count, day, moment, percent, plural } from "./format.js";
import { SPECIAL } from "./flow.js";
import { change } from "./tables.js";
import { curation } from "./topic_edits.js";

export async function topic({ fields, field, id, query, again }) {
  const path = `/v1/topics/${encodeURIComponent(id)}`;
  const asked = { field, ...filters(query) };
  let one, recent, curate;
  try {
    [one, recent, curate] = await Promise.all([get(path, asked), get("/v1/messages", { ...asked, topic_id: id, limit: 25 }), curation(id, field, again)]);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return unknown();
    throw error;
  }
  const bars = picture(`Messages a day of ${one.label}`, "short");
  const content = h("div", {},
    pageHead(one.label, one.keywords.slice(0, 6).join(", "), { field }, h("a", { class: "button", href: link("/topics") }, "All topics"), freshness(one.built_at)),
    h("div", { class: "grid" },
      filterBar(fields.data, query),
      h("dl", { class: "tiles four" }, tile("Messages", count(one.size)), tile("Of all messages", percent(one.share)),
        tile("Last 7 days", change(one.change)), tile("First seen", one.first_seen ? day(one.first_seen) : "–")),
      panel("Messages a day", "", { id: "series" }, one.series.length ? bars : h("p", { class: "empty" }, "No messages for these filters.")),
      panel("What comes before", "half", { id: "before" }, moves(one.before, field)),
      panel("What comes after", "half", { id: "after" }, moves(one.after, field)),
      panel("Typical messages", "half", { id: "examples" }, h("ul", { class: "quotes" }, one.examples.map((text) => h("li", {}, text)))),
      panel("Topics like it", "half", { id: "neighbours" }, h("table", {}, h("tbody", {}, one.neighbours.map((near) => h("tr", {},
        h("td", {}, h("a", { class: "plain", href: topicLink(near.topic_id, field) }, near.label)), h("td", { class: "number" }, near.similarity.toFixed(2))))))),
      one.segments.map((segment) => panel(`By ${segment.field}`, "half", { id: `segment-${segment.field}`, note: "Beside its share of all messages" }, values(segment))),
      curate ? panel("Curate", "", { id: "curate", note: "In force at once, and through every refit; each can be taken back" }, curate) : null,
      panel("Recent messages", "", { id: "messages", note: plural(one.size, "message") }, messages(recent.data))));
  content.addEventListener("turret:shown", () => one.series.length && draw(bars, volume(one.series.map((each) => ({ date: each.date, count: each.size })))));
  return content;
}

const tile = (name, value) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value));

const unknown = () => h("div", { class: "state" }, h("h1", {}, "There is no such topic"),
  h("p", { class: "muted" }, "It may belong to another text field or another project."), h("p", {}, h("a", { class: "primary", href: link("/topics") }, "All topics")));

function moves(edges, field) {
  if (!edges.length) return h("p", { class: "empty" }, "Nothing yet.");
  return h("table", {}, h("tbody", {}, edges.map((edge) => h("tr", { "data-topic": edge.topic_id },
    h("td", {}, SPECIAL[edge.topic_id] ? h("span", { class: "muted" }, SPECIAL[edge.topic_id])
      : h("a", { class: "plain", href: topicLink(edge.topic_id, field) }, edge.label)),
    h("td", { class: "number count" }, count(edge.count)), h("td", {}, shareBar(edge.share))))));
}

const shareBar = (share) => h("div", { class: "share" }, h("span", { class: "number" }, percent(share)), meter(share));

function values(segment) {
  return h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, segment.field), h("th", { scope: "col", class: "number" }, "Messages"),
    h("th", { scope: "col" }, "Share"), h("th", { scope: "col", class: "number" }, "Of all"))),
  h("tbody", {}, segment.values.slice(0, 8).map((each) => h("tr", {}, h("td", {}, each.value), h("td", { class: "number" }, count(each.size)),
    h("td", {}, shareBar(each.share)), h("td", { class: "number muted" }, percent(each.share_of_all))))));
}

function messages(data) {
  return h("div", { class: "scroll" }, h("table", { class: "fold messages" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Message"), h("th", { scope: "col" }, "User"), h("th", { scope: "col" }, "When"))),
    h("tbody", {}, data.map((message) => h("tr", { "data-event": message.event_id }, h("td", { class: "whole text" }, message.text),
      h("td", { class: "muted" }, message.user_id), h("td", { class: "muted", title: message.session_id }, moment(message.timestamp)))))));
}
