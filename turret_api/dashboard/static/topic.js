// One topic, or a theme: how much and when, who, with which numbers, what people wrote, what comes before and after.

import { ApiError, get, list } from "./api.js";
import { link } from "./address.js";
import { picture, volume } from "./charts.js";
import { cohortLink } from "./cohorts.js";
import { asked, freshness, isMove, pageHead, topicLink } from "./data.js";
import { h } from "./dom.js";
import { withFilters } from "./filters.js";
import { count, day, measure, percent } from "./format.js";
import { annotated, annotations, topicNotes } from "./notes.js";
import { outcomesOfTopic } from "./outcomes.js";
import { later, panel, rowsOf } from "./panel.js";
import { moodPanel, soundChoice } from "./mood.js";
import { asksSound } from "./sentiment.js";
import { queryButton } from "./query.js";
import { mayReadTexts } from "./rights.js";
import { sumChoice } from "./sums.js";
import { change, definedMark, isMarked, table, trendMark } from "./tables.js";
import { curationRow } from "./topic_edits.js";
import { answered, lineage, messages, moves, numbers, segmentPanel, theirTopics } from "./topic_parts.js";
import { inUnit, sizeOf, titleOf, unitOf, unitSwitch } from "./units.js";

// A comparison of the topic's users with all others.
const usersOf = (id) => ({ view: "compare", "a.cohort": `topic:${id}`, "b.cohort": `!topic:${id}` });

export async function topic(context) {
  const { field, id, query, again } = context;
  const wanted = asked(field, query),
    sounds = asksSound(query),
    spoken = { ...wanted, topic_id: id, ...(sounds ? { sentiment: sounds } : {}) },
    counted = inUnit(wanted, query),
    unit = unitOf(query),
    title = titleOf(unit);
  // The list of topics is at hand sooner, and says what stands at the top; hidden topics and themes are not in it.
  const path = `/v1/topics/${encodeURIComponent(id)}`,
    listed = list("/v1/topics", counted),
    below = listed.catch(() => null),
    whole = below.then(() => get(path, counted)),
    recent = mayReadTexts ? below.then(() => get("/v1/messages", { ...spoken, limit: 25 })) : null;
  for (const each of [whole, recent]) each?.catch(() => null);
  let one, known;
  try {
    known = await listed;
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
      mayReadTexts
        ? [
            cohortLink([id], { path: "/" }),
            h("a", { class: "button", href: link("/journeys", usersOf(id)) }, "Compare its users"),
          ]
        : null,
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
        mayReadTexts ? tile("Last 7 days", source("topic"), change(one.change, isMarked(one))) : null,
        mayReadTexts ? tile("First seen", source("topic"), one.first_seen ? day(one.first_seen) : "–") : null,
        query.get("number") ? sumTile(query.get("number"), whole, source("numbers")) : null,
      ),
      isMove(id) ? null : curationRow(one, field, again),
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
      mayReadTexts ? part((whole) => moodPanel(whole, source), 260) : null,
      isMove(id) || !mayReadTexts ? null : topicNotes(id, field, again),
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
      isMove(id) || !mayReadTexts ? null : outcomesOfTopic(one, context.fields.data, wanted),
      mayReadTexts
        ? panel(
            "Typical messages",
            "half",
            {
              id: "examples",
              exports: { query: source("topic"), rows: () => [["text"], ...one.examples.map((text) => [text])] },
            },
            one.examples.length
              ? h(
                  "ul",
                  { class: "quotes" },
                  one.examples.map((text) => h("li", {}, text)),
                )
              : h("p", { class: "empty" }, "Its texts were removed. What was counted of them stays."),
          )
        : null,
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
      mayReadTexts ? answered(wanted, one, field) : null,
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
          : mayReadTexts &&
            panel(
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
      one.level || !mayReadTexts
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
