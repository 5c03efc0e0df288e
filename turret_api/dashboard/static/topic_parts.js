// The parts of a topic's page: its answers, its segments and numbers, what comes before and after, where it came from, and
// its messages.

import { get } from "./api.js";
import { link } from "./address.js";
import { withAnswer } from "./answer.js";
import { topicsOf } from "./answers.js";
import { fromTo, isMove, node, topicLink, withKind } from "./data.js";
import { h, said, spark } from "./dom.js";
import { count, measure, percent, plural } from "./format.js";
import { exampleColumn, whenColumn } from "./messages.js";
import { later, panel, rowsOf } from "./panel.js";
import { withSound } from "./sentiment.js";
import { shareBar, table, trendMark } from "./tables.js";
import { sizeOf, titleOf } from "./units.js";

// What the topic's requests were answered; nothing where no field holds answers, or none has one.
export const answered = (wanted, { topic_id, level }, field) => {
  const asked = { ...wanted, level: level || null, limit: 1000 };
  return later(get("/v1/answers", asked), ({ data, answer_field }) => {
    const row = data.find((each) => each.topic_id === topic_id);
    if (!row) return null;
    const unserved = link("/answers", { field, of: level ? null : topic_id });
    return panel(
      "Answers",
      "",
      {
        id: "answers",
        note: h("a", { class: "more", href: unserved }, "Those not served"),
        exports: {
          query: ["/v1/answers", asked, ["data", "data.answers"]],
          rows: () => rowsOf(row.answers, "topic_id", "label", "count", "share"),
        },
      },
      h(
        "p",
        { class: "lead" },
        h("strong", {}, `${count(row.n_unserved)} of ${plural(row.n_requests, "request")}`),
        ` ${row.n_unserved === 1 ? "was" : "were"} not served (${percent(row.share)}; 95% interval ${percent(row.low)} to ${percent(row.high)}).`,
        row.n_answered ? ` ${plural(row.n_answered, "answer")}, by what they are about:` : "",
      ),
      row.n_answered ? topicsOf(row, answer_field) : null,
    );
  });
};

export function segmentPanel({ field, values, n_rest, n_none }, query, unit) {
  return panel(
    `By ${field}`,
    "half",
    {
      id: `segment-${field}`,
      note: `Beside all ${unit}`,
      exports: { query, rows: () => rowsOf(values, "value", "size", "share", "share_of_all") },
    },
    table(
      [
        { title: field, cell: (each) => each.value },
        { title: titleOf(unit), cls: "number", cell: (each) => count(each.size) },
        { title: "Share", cell: (each) => shareBar(each.share) },
        { title: "Of all", cls: "number muted", cell: (each) => percent(each.share_of_all) },
      ],
      values,
      { limit: 8, label: `By ${field}` },
    ),
    without(n_rest, n_none, unit.slice(0, -1)),
  );
}

// What a table of values leaves out.
const without = (n_rest, n_none, word) =>
  n_rest || n_none
    ? h(
        "p",
        { class: "fine rest" },
        [n_rest ? `${plural(n_rest, word)} with rarer values` : "", n_none ? `${plural(n_none, word)} without one` : ""]
          .filter(Boolean)
          .join(", "),
        ".",
      )
    : null;

// What a theme consists of.
export const theirTopics = (topics, field, query, unit) =>
  panel(
    "Its topics",
    "",
    { id: "topics", exports: { query, rows: () => rowsOf(topics, "topic_id", "label", "size", "share") } },
    table(
      [
        {
          title: "Topic",
          cell: (each) =>
            h(
              "span",
              { class: "topic-name" },
              h("a", { class: "plain", href: topicLink(each.topic_id, field) }, each.label),
              trendMark(each),
            ),
        },
        { title: titleOf(unit), cls: "number size", cell: (each) => count(sizeOf(each, unit)) },
        { title: `Of all ${unit}`, cell: (each) => shareBar(each.share) },
      ],
      topics,
      { cls: "fold", label: "Its topics" },
    ),
  );

export function moves(edges, field, label, unit) {
  if (!edges.length) return h("p", { class: "empty" }, "Nothing yet.");
  return table(
    [
      { title: "Topic", cell: (edge) => node(edge.topic_id, edge.label, field) },
      { title: titleOf(unit, "Times"), cls: "number count", cell: (edge) => count(edge.count) },
      { title: "Share", cell: (edge) => shareBar(edge.share) },
    ],
    edges,
    { label, attributes: (edge) => ({ "data-topic": edge.topic_id }) },
  );
}

// What it was born from, split into or merged with, newest first.
export function lineage({ lineage: ways, topic_id }, field) {
  if (!ways.length) return h("p", { class: "empty" }, "It has been itself since the first fit.");
  const name = (id, label) =>
    id === topic_id
      ? h("strong", {}, "this topic")
      : h("a", { class: "plain", href: topicLink(id, field) }, label ?? id);
  const words = { birth: "born", end: "ended", split: "split", merge: "merged" };
  return h(
    "ol",
    { class: "history-list" },
    ways.map((way) =>
      h(
        "li",
        { "data-kind": way.kind },
        h("span", { class: "type" }, words[way.kind]),
        fromTo(
          way.from_topic ? name(way.from_topic, way.from_label) : "new texts",
          way.to_topic ? name(way.to_topic, way.to_label) : "no topic",
        ),
        h("span", { class: "fine" }, `${plural(way.n_texts, "text")}, ${percent(way.share)}; fit ${way.model_version}`),
      ),
    ),
  );
}

// `chosen`: the field that stands first, if one is to be added up.
export function numbers(all, chosen) {
  const quantile = (share) => (number) => measure(number.quantiles?.[share]);
  return table(
    [
      { title: "Field", cell: (number) => h("strong", {}, number.field) },
      {
        title: "Spread",
        cell: (number) =>
          spark(
            number.bins.map((bin) => bin.count),
            `By bins of all messages' numbers, from least to most: ${number.bins.map((bin) => bin.count).join(", ")}`,
          ),
      },
      { title: "Messages", cls: "number", cell: (number) => count(number.count) },
      { title: "Sum", cls: "number", cell: (number) => measure(number.sum) },
      { title: "Mean", cls: "number", cell: (number) => measure(number.mean) },
      { title: "Mean of all", cls: "number muted", cell: (number) => measure(number.mean_of_all) },
      { title: "5%", cls: "number", cell: quantile("0.05") },
      { title: "Median", cls: "number", cell: quantile("0.5") },
      { title: "95%", cls: "number", cell: quantile("0.95") },
    ],
    all.toSorted((a, b) => (b.field === chosen) - (a.field === chosen)),
    { cls: "fold contrasts", label: "Numbers", attributes: (number) => ({ "data-field": number.field }) },
  );
}

export function messages(data, field) {
  if (!data.length) return h("p", { class: "empty" }, "No messages for these filters.");
  return table(
    [
      {
        title: "Message",
        cls: "whole text",
        cell: (message) =>
          withAnswer(
            withSound(isMove(message.kind) ? said(message) : withKind(said(message), message), message),
            message,
          ),
      },
      { title: "User", cls: "muted", cell: (message) => message.user_id },
      whenColumn(field),
      exampleColumn(field),
    ],
    data,
    { cls: "fold messages", label: "Recent messages", attributes: (message) => ({ "data-event": message.event_id }) },
  );
}
