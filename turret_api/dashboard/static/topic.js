// One topic, or a theme: how much and when, who, with which numbers, what people wrote, what comes before and after.

import { ApiError, get, list } from "./api.js";
import { link } from "./address.js";
import { withAnswer } from "./answer.js";
import { topicsOf } from "./answers.js";
import { picture, volume } from "./charts.js";
import { cohortLink } from "./cohorts.js";
import { asked, freshness, isMove, node, pageHead, sessionLink, topicLink, withKind } from "./data.js";
import { exampleButton } from "./definition.js";
import { h, said, spark } from "./dom.js";
import { withFilters } from "./filters.js";
import { count, day, measure, moment, percent, plural } from "./format.js";
import { annotated, annotations, topicNotes } from "./notes.js";
import { outcomesOfTopic } from "./outcomes.js";
import { later, panel, rowsOf } from "./panel.js";
import { moodPanel, soundChoice } from "./mood.js";
import { asksSound, withSound } from "./sentiment.js";
import { queryButton } from "./query.js";
import { sumChoice } from "./sums.js";
import { change, definedMark, isMarked, shareBar, table, trendMark } from "./tables.js";
import { curation } from "./topic_edits.js";
import { inUnit, sizeOf, titleOf, unitOf, unitSwitch } from "./units.js";

export async function topic(context) {
  const { field, id, query, again } = context;
  const wanted = asked(field, query),
    sounds = asksSound(query),
    spoken = { ...wanted, topic_id: id, ...(sounds ? { sentiment: sounds } : {}) },
    counted = inUnit(wanted, query),
    unit = unitOf(query),
    title = titleOf(unit);
  const path = `/v1/topics/${encodeURIComponent(id)}`,
    whole = get(path, counted),
    recent = get("/v1/messages", { ...spoken, limit: 25 });
  for (const each of [whole, recent]) each.catch(() => null);
  let one, known;
  try {
    // The list of topics is at hand sooner, and says what stands at the top; hidden topics and themes are not in it.
    known = await list("/v1/topics", counted);
    const row = known.data.find((each) => each.topic_id === id);
    one = row ? { ...row, built_at: known.built_at } : await whole;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return unknown();
    throw error;
  }
  const rows =
    (key, ...names) =>
    async () =>
      rowsOf((await whole)[key], ...names);
  const source = (...parts) => [path, counted, parts];
  const part = (make, height = 160) => later(whole, make, height);
  return h(
    "div",
    {},
    pageHead(
      one.label,
      one.summary ?? one.keywords.slice(0, 6).join(", "),
      trendMark(one),
      definedMark(one),
      unitSwitch(query),
      cohortLink([id], { path: "/" }),
      h("a", { class: "button", href: link("/topics") }, "All topics"),
      freshness(Promise.resolve(one)),
    ),
    withFilters(
      context,
      h(
        "dl",
        { class: query.get("number") ? "tiles" : "tiles four" },
        tile(title, source("topic"), count(sizeOf(one, unit))),
        tile(`Of all ${unit}`, source("topic"), percent(one.share)),
        tile("Last 7 days", source("topic"), change(one.change, isMarked(one))),
        tile("First seen", source("topic"), one.first_seen ? day(one.first_seen) : "–"),
        query.get("number") ? sumTile(query.get("number"), whole, source("numbers")) : null,
      ),
      panel(
        `${title} a day`,
        "",
        {
          id: "series",
          exports: { picture: true, query: source("series"), rows: rows("series", "date", "size", "share") },
        },
        later(
          Promise.all([whole, annotations()]),
          ([{ series, label }, marks]) =>
            series.length
              ? [
                  picture(
                    `${title} a day of ${label}`,
                    "short",
                    volume(
                      series.map((each) => ({ date: each.date, count: each.size })),
                      unit,
                      marks,
                    ),
                  ),
                  annotated(marks, series, again),
                ]
              : h("p", { class: "empty" }, "No messages for these filters."),
          132,
        ),
      ),
      part((whole) => moodPanel(whole, source), 260),
      isMove(id) ? null : topicNotes(id, field, again),
      panel(
        "What comes before",
        "half",
        {
          id: "before",
          exports: { query: source("before"), rows: rows("before", "topic_id", "label", "count", "share") },
        },
        part(({ before }) => moves(before, field, "Before", unit)),
      ),
      panel(
        "What comes after",
        "half",
        {
          id: "after",
          exports: { query: source("after"), rows: rows("after", "topic_id", "label", "count", "share") },
        },
        part(({ after }) => moves(after, field, "After", unit)),
      ),
      isMove(id) ? null : outcomesOfTopic(one, context.fields.data, wanted),
      panel(
        "Typical messages",
        "half",
        {
          id: "examples",
          exports: { query: source("topic"), rows: () => [["text"], ...one.examples.map((text) => [text])] },
        },
        h(
          "ul",
          { class: "quotes" },
          one.examples.map((text) => h("li", {}, text)),
        ),
      ),
      panel(
        "Topics like it",
        "half",
        {
          id: "neighbours",
          exports: { query: source("neighbours"), rows: rows("neighbours", "topic_id", "label", "similarity") },
        },
        part(({ neighbours }) =>
          table(
            [
              {
                title: "Topic",
                cell: (near) => h("a", { class: "plain", href: topicLink(near.topic_id, field) }, near.label),
              },
              {
                title: "Alike",
                hint: "Cosine of the angle between the two: 1 is the same",
                cls: "number",
                cell: (near) => near.similarity.toFixed(2),
              },
            ],
            neighbours,
            { label: "Topics like it" },
          ),
        ),
      ),
      answered(wanted, one, field),
      part(({ segments, numbers: all }) => [
        ...segments.map((each) => segmentPanel(each, source("segments", "segments.n_none"), unit)),
        all.length
          ? panel(
              "Numbers",
              "",
              {
                id: "numbers",
                note: ["Of this topic's messages ", sumChoice(context.fields, query.get("number"))],
                exports: {
                  query: source("numbers", "numbers.bins"),
                  rows: () => rowsOf(all, "field", "count", "sum", "min", "mean", "max", "mean_of_all"),
                },
              },
              numbers(all, query.get("number")),
            )
          : null,
      ]),
      isMove(id)
        ? null
        : one.level
          ? theirTopics(
              known.data.filter((each) => each.parent_id === id),
              field,
              ["/v1/topics", { ...counted, level: 0, limit: 1000 }, ["data"]],
              unit,
            )
          : panel(
              "What it came from and became",
              "",
              {
                id: "lineage",
                note: "At each fit of the topics, by the texts shared",
                exports: {
                  query: source("lineage"),
                  rows: () =>
                    rowsOf(
                      one.lineage,
                      "model_version",
                      "kind",
                      "from_topic",
                      "from_label",
                      "to_topic",
                      "to_label",
                      "n_texts",
                      "share",
                    ),
                },
              },
              lineage(one, field),
            ),
      later(
        isMove(id) ? Promise.resolve(null) : curation(one, field, again),
        (controls) =>
          controls &&
          panel(
            "Curate",
            "",
            { id: "curate", note: "In force at once, and through every refit; each can be taken back" },
            controls,
          ),
        80,
      ),
      one.level
        ? null
        : panel(
            "Recent messages",
            "",
            {
              id: "messages",
              note: soundChoice(query),
              exports: { table: ["/v1/messages", { ...spoken, limit: 1000 }] },
            },
            later(recent, (answer) => messages(answer.data, field), 320),
          ),
    ),
  );
}

// What the topic's requests were answered; nothing where no field holds answers, or none has one.
const answered = (wanted, { topic_id, level }, field) =>
  later(get("/v1/answers", { ...wanted, level: level || null, limit: 1000 }), ({ data, answer_field }) => {
    const row = data.find((each) => each.topic_id === topic_id);
    if (!row) return null;
    const unserved = link("/answers", { field, of: level ? null : topic_id });
    return panel(
      "Answers",
      "",
      {
        id: "answers",
        note: h("a", { class: "more", href: unserved }, "Those not served"),
        exports: { rows: () => rowsOf(row.answers, "topic_id", "label", "count", "share") },
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

function segmentPanel({ field, values, n_rest, n_none }, query, unit) {
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

// What a theme consists of.
const theirTopics = (topics, field, query, unit) =>
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
      { label: "Its topics" },
    ),
  );

const tile = (name, query, value) =>
  h("div", { class: "tile" }, h("dt", {}, name, queryButton(name, ...query)), h("dd", {}, value));

// What the chosen number field comes to over the topic's messages.
const sumTile = (field, whole, query) =>
  h(
    "div",
    { class: "tile", id: "sum" },
    h("dt", {}, `${field}, in all`, queryButton(`${field}, in all`, ...query)),
    h(
      "dd",
      {},
      later(whole, ({ numbers: all }) => measure(all.find((each) => each.field === field)?.sum ?? 0), 30),
    ),
  );

const unknown = () =>
  h(
    "div",
    { class: "state" },
    h("h1", {}, "There is no such topic"),
    h("p", { class: "muted" }, "It may belong to another text field or another project."),
    h("p", {}, h("a", { class: "primary", href: link("/topics") }, "All topics")),
  );

function moves(edges, field, label, unit) {
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
function lineage({ lineage: ways, topic_id }, field) {
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
        h(
          "span",
          { class: "move" },
          way.from_topic ? name(way.from_topic, way.from_label) : "new texts",
          h("span", { class: "arrow", role: "img", "aria-label": "to" }, "→"),
          way.to_topic ? name(way.to_topic, way.to_label) : "no topic",
        ),
        h("span", { class: "fine" }, `${plural(way.n_texts, "text")}, ${percent(way.share)}; fit ${way.model_version}`),
      ),
    ),
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

// `chosen`: the field that stands first, if one is to be added up.
function numbers(all, chosen) {
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
    { label: "Numbers", attributes: (number) => ({ "data-field": number.field }) },
  );
}

function messages(data, field) {
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
      {
        title: "When",
        cls: "muted",
        cell: (message) =>
          h(
            "a",
            {
              class: "plain",
              href: sessionLink(message.session_id, field),
              "aria-label": `Read the session of ${moment(message.timestamp)}`,
            },
            moment(message.timestamp),
          ),
      },
      { title: "Example", unseen: true, cls: "number", cell: (message) => exampleButton(message.text, field) },
    ],
    data,
    { cls: "fold messages", label: "Recent messages", attributes: (message) => ({ "data-event": message.event_id }) },
  );
}
