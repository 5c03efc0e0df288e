// The digest: what the last whole days brought beside those before, in one column that prints on paper.

import { afterwards, get, text } from "./api.js";
import { go, here } from "./address.js";
import { asked, fieldChooser, freshness, node, pageHead, SIGNS, topicLink } from "./data.js";
import { list } from "./changes.js";
import { h } from "./dom.js";
import { count, day, measure, moment, percent, plural } from "./format.js";
import { later, panel, rowsOf } from "./panel.js";
import { queryButton } from "./query.js";
import { mayReadTexts } from "./rights.js";
import { change, shareBar, table } from "./tables.js";

const LENGTHS = [7, 14, 30];

export function digest({ texts, field, query }) {
  const days = Number(query.get("days")) || LENGTHS[0];
  const wanted = { field: asked(field, query).field, days },
    first = get("/v1/digest", { ...wanted, brief: true }),
    whole = mayReadTexts ? afterwards(() => get("/v1/digest", wanted)) : null;
  const source = (...parts) => ["/v1/digest", wanted, parts];
  return h(
    "div",
    { class: "digest" },
    pageHead(
      "Digest",
      later(
        first.catch(() => null),
        (all) => (all?.first_day ? `${day(all.first_day)} – ${day(all.last_day)}, complete days only` : ""),
        20,
      ),
      fieldChooser(texts, field),
      lengths(days),
      copyMarkdown(wanted),
      h("button", { class: "button", type: "button", onclick: () => print() }, "Print"),
      freshness(first),
    ),
    h(
      "div",
      { class: "grid" },
      later(first, (all) => (all.first_day ? sections(all, whole, field, source) : empty()), 420),
    ),
  );
}

const empty = () =>
  panel(
    "Nothing yet",
    "",
    { id: "digest-empty" },
    h("p", { class: "empty" }, "There is no complete day of messages yet."),
  );

const lengths = (days) =>
  h(
    "div",
    { class: "segments", role: "group", "aria-label": "Days" },
    LENGTHS.map((n) =>
      h(
        "button",
        {
          class: "segment",
          type: "button",
          id: `days-${n}`,
          "aria-pressed": String(n === days),
          onclick: () => go(here({ days: n === LENGTHS[0] ? null : n })),
        },
        `${n} days`,
      ),
    ),
  );

function copyMarkdown(wanted) {
  const button = h(
    "button",
    {
      class: "button",
      type: "button",
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(await text("/v1/digest", { ...wanted, format: "markdown" }));
          button.textContent = "Copied";
        } catch (error) {
          button.textContent = error.message;
        }
      },
    },
    "Copy as Markdown",
  );
  return button;
}

// What takes longest to tell comes with the `whole`; all else is in the brief digest. source: of `showQuery`, for parts of
// the digest.
function sections(all, whole, field, source) {
  const compared = all.messages.before !== null;
  const fact = (name, each) =>
    h(
      "div",
      { class: "tile", id: `digest-${name.toLowerCase()}` },
      h("dt", {}, name, queryButton(name, ...source("totals"))),
      h("dd", {}, count(each.now)),
      h("dd", { class: "fine" }, change(each.change, false), compared ? ` from ${count(each.before)}` : null),
    );
  return [
    h(
      "dl",
      { class: "tiles three" },
      fact("Messages", all.messages),
      fact("Sessions", all.sessions),
      fact("Users", all.users),
    ),
    compared
      ? null
      : h(
          "p",
          { class: "fine whole-row" },
          `The ${all.days} days before are not whole in the data, so nothing is compared with them.`,
        ),
    whole && later(whole, (found) => changes(found, field, compared, source("changes")), 160),
    topTopics(all, field, compared, source("topics", "totals")),
    whole &&
      later(
        whole,
        (found) => [
          friction(found, compared, source("friction")),
          found.numbers.length ? numbers(found, compared, source("numbers")) : null,
        ],
        160,
      ),
    happened(all, source("annotations")),
    whole && notes(all, field, source("notes")),
  ];
}

const changes = (all, field, compared, query) =>
  panel(
    "What changed",
    "",
    {
      id: "digest-changes",
      note: compared ? `These ${plural(all.days, "day")} against those before, beyond chance` : "",
      exports: { query, rows: () => rowsOf(all.changes, "kind", "topic_id", "label", "sentence", "change", "q_value") },
    },
    all.changes.length
      ? list(all.changes, windows(all), field)
      : h(
          "p",
          { class: "fine" },
          compared ? "Nothing changed beyond chance." : "Nothing is compared: too few whole days.",
        ),
  );

// The window and that before it, as `/v1/changes` has them.
function windows({ first_day: first, last_day: last, days }) {
  const before = (date) => new Date(new Date(date).getTime() - days * 86_400_000).toISOString().slice(0, 10);
  return { now: { first, last }, before: { first: before(first), last: before(last) } };
}

const topTopics = (all, field, compared, query) =>
  panel(
    "Top topics",
    "",
    {
      id: "digest-topics",
      exports: {
        query,
        rows: () => rowsOf(all.topics, "topic_id", "label", "size", "share", "size_before", "share_before"),
      },
    },
    table(
      [
        { title: "Topic", cell: (each) => node(each.topic_id, each.label, field) },
        { title: "Messages", cls: "number size", cell: (each) => count(each.size) },
        { title: "Share", cell: (each) => shareBar(each.share) },
        compared && { title: "Before", cls: "number muted", cell: (each) => percent(each.share_before) },
      ],
      all.topics,
      { cls: "fold", label: "Top topics", attributes: (each) => ({ "data-topic": each.topic_id }) },
    ),
    h(
      "p",
      { class: "fine rest" },
      `${plural(all.n_other, "message")} of other topics, ${plural(all.n_unassigned, "message")} without one.`,
    ),
  );

const friction = ({ friction: data }, compared, query) =>
  panel(
    "Friction",
    "",
    {
      id: "digest-friction",
      exports: { query, rows: () => rowsOf(data, "sign", "n_sessions", "share", "share_before") },
    },
    data.some((each) => each.n_sessions)
      ? table(
          [
            { title: "Sign", cell: (each) => (each.sign === "any" ? "Any sign" : (SIGNS[each.sign] ?? each.sign)) },
            { title: "Sessions", cls: "number", cell: (each) => count(each.n_sessions) },
            { title: "Of the sessions", cls: "number", cell: (each) => percent(each.share) },
            compared && { title: "Before", cls: "number muted", cell: (each) => percent(each.share_before) },
          ],
          data,
          { cls: "fold", label: "Friction" },
        )
      : h("p", { class: "fine" }, "No session met with friction."),
  );

const numbers = ({ numbers: data }, compared, query) =>
  panel(
    "Cost and other numbers",
    "",
    { id: "digest-numbers", exports: { query, rows: () => rowsOf(data, "field", "sum", "mean", "n", "sum_before") } },
    table(
      [
        { title: "Field", cell: (each) => h("strong", {}, each.field) },
        { title: "In all", cls: "number", cell: (each) => measure(each.sum) },
        { title: "A message", cls: "number", cell: (each) => measure(each.mean) },
        compared && { title: "Before, in all", cls: "number muted", cell: (each) => measure(each.sum_before) },
      ],
      data,
      { cls: "fold", label: "Cost and other numbers" },
    ),
  );

const happened = ({ annotations: data }, query) =>
  data.length
    ? panel(
        "What happened",
        "",
        { id: "digest-annotations", exports: { query } },
        h(
          "ul",
          { class: "plain-list" },
          data.map((each) =>
            h(
              "li",
              {},
              h("strong", {}, each.until ? `${day(each.date)} to ${day(each.until)}` : day(each.date)),
              each.kind ? h("span", { class: "mark" }, each.kind) : null,
              h("span", {}, each.text),
            ),
          ),
        ),
      )
    : null;

const notes = ({ notes: data }, field, query) =>
  data.length
    ? panel(
        "Notes",
        "",
        { id: "digest-notes", exports: { query } },
        h(
          "ul",
          { class: "quotes" },
          data.map((note) =>
            h(
              "li",
              {},
              h("div", { class: "text" }, note.text),
              h(
                "span",
                { class: "fine" },
                `${note.author ?? "A key without a name"}, ${moment(note.written_at)} `,
                note.on_topic
                  ? h("a", { class: "more", href: topicLink(note.on_topic, field) }, "See the topic")
                  : null,
              ),
            ),
          ),
        ),
      )
    : null;
