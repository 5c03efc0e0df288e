// Tables: one row, one thing; of topics and of moves, and what any table needs.

import { go, here, note } from "./address.js";
import { colourName } from "./charts.js";
import { fromTo, node, topicLink } from "./data.js";
import { h, meter, spark } from "./dom.js";
import { count, gap, measure, percent } from "./format.js";
import { mayReadTexts } from "./rights.js";
import { moodColumn } from "./sentiment.js";
import { sumColumn } from "./sums.js";
import { NOT_ONE, sizeOf, titleOf } from "./units.js";

// columns: { title, hint, cls, value (to sort by), cell }, both from a row. sort: the key in the address that holds which
// column sorts, "-" before it the other way round: numbers fall at first, words (`words`) rise. Without it rows stay as they
// are given. `limit` rows are shown at first.
export function table(
  columns,
  rows,
  { cls = "", attributes = () => ({}), limit = Infinity, sort = null, label = null } = {},
) {
  const shown = columns.filter(Boolean);
  const body = h("tbody");
  let all = limit === Infinity;
  const more = h("button", {
    class: "button more-rows",
    type: "button",
    hidden: true,
    onclick: () => {
      all = true;
      fill();
    },
  });
  const fill = () => {
    const ordered = sorted(rows, shown, sort);
    const part = all ? ordered : ordered.slice(0, limit);
    body.replaceChildren(
      ...part.map((row) =>
        h(
          "tr",
          attributes(row),
          shown.map((column, i) =>
            h("td", { class: column.cls, "data-title": i && !column.unseen ? column.title : null }, column.cell(row)),
          ),
        ),
      ),
    );
    more.textContent = `Show all ${count(rows.length)}`;
    more.hidden = part.length === rows.length;
  };
  const heads = shown.map((column) =>
    head(column, sort, () => {
      fill();
      mark();
    }),
  );
  const mark = () =>
    shown.forEach((column, i) => column.value && sort && heads[i].setAttribute("aria-sort", direction(column, sort)));
  fill();
  mark();
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": label ?? "Table" },
    h("table", { class: cls }, h("thead", {}, h("tr", {}, heads)), body),
    more,
  );
}

function head(column, sort, again) {
  const key = column.value && sort ? column.title.toLowerCase() : null;
  const cls =
    column.cls
      ?.split(" ")
      .filter((each) => each === "number")
      .join(" ") || null;
  if (!key)
    return h(
      "th",
      { scope: "col", class: cls, title: column.hint },
      column.unseen ? h("span", { class: "unseen" }, column.title) : column.title,
    );
  return h(
    "th",
    { scope: "col", class: cls, title: column.hint },
    h(
      "button",
      {
        type: "button",
        class: "sort",
        onclick: () => {
          const now = new URLSearchParams(location.search).get(sort);
          note({ [sort]: now === key ? `-${key}` : key });
          again();
        },
      },
      column.title,
    ),
  );
}

const direction = (column, sort) => {
  const now = new URLSearchParams(location.search).get(sort),
    key = column.title.toLowerCase();
  return now !== key && now !== `-${key}`
    ? "none"
    : (now === key) === Boolean(column.words)
      ? "ascending"
      : "descending";
};

function sorted(rows, columns, sort) {
  const now = sort && new URLSearchParams(location.search).get(sort);
  const column = now && columns.find((each) => each.value && each.title.toLowerCase() === now.replace(/^-/, ""));
  if (!column) return rows;
  const sign = now.startsWith("-") ? 1 : -1;
  const compare = (a, b) => (typeof a === "string" ? b.localeCompare(a) : (a ?? -Infinity) - (b ?? -Infinity));
  return [...rows].sort((a, b) => sign * compare(column.value(a), column.value(b)));
}

export const shareBar = (share, of = 1) =>
  h("div", { class: "share" }, h("span", { class: "number" }, percent(share)), meter(share / of));
export const words = (all, n) =>
  h(
    "div",
    { class: "words" },
    (all ?? []).slice(0, n).map((word) => h("span", { class: "word" }, word)),
  );

// number: the field that the topics were added up by.
export function topicsTable(found, field, { limit = Infinity, sort = null, number = null } = {}) {
  const largest = Math.max(0.0001, ...found.topics.map((topic) => topic.share));
  const full = sort !== null,
    unit = found.unit ?? "messages";
  return table(
    [
      {
        title: "Topic",
        words: true,
        value: (topic) => topic.label,
        cell: (topic) =>
          h(
            "span",
            { class: "topic-name" },
            h("i", { class: "dot", style: { background: colourName(found.place(topic)) } }),
            isFew(topic)
              ? h("span", { title: FEW }, topic.label)
              : h("a", { href: topicLink(topic.topic_id, field, number) }, topic.label),
            trendMark(topic),
            definedMark(topic),
          ),
      },
      {
        title: titleOf(unit),
        cls: "number size",
        value: (topic) => sizeOf(topic, unit),
        cell: (topic) => count(sizeOf(topic, unit)),
      },
      {
        title: "Share",
        hint: unit === "messages" ? null : NOT_ONE,
        cls: "whole",
        cell: (topic) => shareBar(topic.share, largest),
      },
      sumColumn(number),
      // The sums take the place of the days, or the table would be too wide.
      full &&
        !number &&
        mayReadTexts && {
          title: "Days",
          cell: (topic) => spark(dayCounts(topic), `${titleOf(unit)} a day: ${dayCounts(topic).join(", ")}`),
        },
      mayReadTexts && {
        title: "7 days",
        hint: "Share of sessions in the last 7 whole days against the 7 before; –: none before, or these days are not all whole",
        cls: "number",
        value: (topic) => topic.change,
        cell: (topic) => change(topic.change, isMarked(topic)),
      },
      full && mayReadTexts && moodColumn(),
      mayReadTexts && {
        title: full ? "What people write" : "Keywords",
        cls: "whole",
        cell: (topic) => [
          words(topic.keywords, full ? 5 : 3),
          full ? h("div", { class: "quote" }, topic.summary ?? topic.examples?.[0] ?? "") : null,
        ],
      },
    ],
    found.topics.slice(0, full ? Infinity : limit),
    {
      cls: "fold topics",
      sort,
      label: "Topics",
      limit: full ? 100 : Infinity,
      attributes: (topic) => ({
        class: isFew(topic) ? null : "link",
        "data-topic": topic.topic_id,
        onclick: (event) => {
          if (!isFew(topic) && !event.target.closest("a")) go(topicLink(topic.topic_id, field, number));
        },
      }),
    },
  );
}

// What is counted of topics that too few users have to be shown by themselves.
const isFew = ({ topic_id }) => topic_id === "few";
const FEW = "Topics that too few users have to be shown by themselves";

export const dayCounts = ({ trend }) => trend.days.map((each) => each.count);

// Whether a topic's share of the sessions has changed beyond chance.
export const isMarked = ({ trend }) => ["new", "growing", "fading"].includes(trend.mark);

// What is said of a topic whose share of the sessions has changed beyond chance.
export function trendMark({ trend }) {
  if (!isMarked({ trend })) return null;
  return h(
    "span",
    { class: `mark ${trend.mark}`, title: trend.q_value === null ? null : `q = ${trend.q_value.toPrecision(2)}` },
    trend.mark,
  );
}

// What tells a topic that a person defined from those that were found.
export const definedMark = ({ defined }) =>
  defined ? h("span", { class: "mark", title: "A person defined it by examples" }, "defined") : null;

// A change as a sign and a number, in colour only if it is more than chance (`sure`); null: nothing was before.
export function change(value, sure = true) {
  if (value === null || value === undefined) return h("span", { class: "muted" }, "–");
  const share = Math.round(value * 100);
  return h(
    "span",
    { class: `change ${!sure || !share ? "" : share > 0 ? "up" : "down"}` },
    share ? `${share > 0 ? "▲" : "▼"} ${count(Math.abs(share))}%` : "=",
  );
}

// Moves from topic to topic; each opens the sessions behind it where `open` says how.
// `number`: the field whose numbers the edges carry.
export function movesTable(
  edges,
  name,
  field,
  { limit = 20, full = false, sort = null, number = null, unit = "messages" } = {},
) {
  const ofMoves = unit === "messages";
  return table(
    [
      {
        title: "Move",
        cls: "whole",
        words: true,
        value: (edge) => `${name(edge.from)} ${name(edge.to)}`,
        cell: (edge) => fromTo(node(edge.from, name(edge.from), field), node(edge.to, name(edge.to), field)),
      },
      {
        title: ofMoves ? "Times" : titleOf(unit),
        cls: "number count",
        value: (edge) => (ofMoves ? edge.count : edge[unit]),
        cell: (edge) => count(ofMoves ? edge.count : edge[unit]),
      },
      {
        title: ofMoves ? "Of moves out" : `Of ${unit} there`,
        hint: ofMoves
          ? "Share of the moves out of the first topic"
          : `Share of the ${unit} that visit the first topic; shares do not add up to 100%`,
        cls: "number",
        value: (edge) => edge.share,
        cell: (edge) => percent(edge.share),
      },
      full && {
        title: ofMoves ? "Sessions" : "Times",
        cls: "number",
        value: (edge) => (ofMoves ? edge.sessions : edge.count),
        cell: (edge) => count(ofMoves ? edge.sessions : edge.count),
      },
      full && {
        title: "Gap",
        hint: "Median time between the two",
        cls: "number",
        value: (edge) => edge.median_gap_s,
        cell: (edge) => gap(edge.median_gap_s),
      },
      full && {
        title: "Lift",
        hint: "Times, over those expected if where to did not depend on where from",
        cls: "number",
        value: (edge) => edge.lift,
        cell: (edge) => (edge.lift ? `${edge.lift.toFixed(edge.lift < 10 ? 1 : 0)}×` : "–"),
      },
      number && {
        title: `Mean ${number}`,
        hint: "Over the messages that begin the visits moved to; to the end, those that sessions end with",
        cls: "number mean",
        value: (edge) => edge.number?.mean,
        cell: (edge) => measure(edge.number?.mean),
      },
      number && {
        title: "Median",
        hint: `Of ${number}`,
        cls: "number median",
        value: (edge) => edge.number?.quantiles?.["0.5"],
        cell: (edge) => measure(edge.number?.quantiles?.["0.5"]),
      },
      full &&
        mayReadTexts && {
          title: "Sessions behind it",
          unseen: true,
          cls: "number",
          cell: (edge) =>
            h(
              "a",
              {
                class: "more",
                href: here({ move: `${edge.from},${edge.to}` }),
                "aria-label": `Read sessions with ${name(edge.from)} to ${name(edge.to)}`,
              },
              "Read",
            ),
        },
    ],
    edges,
    {
      cls: "fold moves",
      limit,
      sort,
      label: "Moves",
      attributes: (edge) => ({ "data-from": edge.from, "data-to": edge.to }),
    },
  );
}
