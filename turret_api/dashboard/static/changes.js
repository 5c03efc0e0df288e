// What changed: what a page says first, with the sessions behind each change.

import { get } from "./api.js";
import { link } from "./address.js";
import { asked, node } from "./data.js";
import { h } from "./dom.js";
import { count, day, percent, plural, signed } from "./format.js";
import { later, panel } from "./panel.js";
import { change, table } from "./tables.js";

const SHOWN = 8;
const WORDS = { new: "New", gone: "Gone", up: "Up", down: "Down" };
const SIGN = { new: "★", gone: "–", up: "▲", down: "▼" };

// before: a promise; what changed takes longest to tell, so it is asked after that.
export function changesPanel(field, query, before) {
  const wanted = asked(field, query),
    answer = before.then(() => get("/v1/changes", wanted));
  return panel(
    "What changed",
    "",
    {
      id: "changes",
      note: later(
        answer.catch(() => null),
        (found) => (found?.now ? windows(found) : ""),
        16,
      ),
      exports: { table: ["/v1/changes", wanted] },
    },
    later(answer, (found) => shown(found, field), 160),
  );
}

// A window of whole days in words.
export const daysOf = ({ first, last }) => (first === last ? day(first) : `${day(first)} – ${day(last)}`);
const windows = ({ now, before }) => `${daysOf(now)}, against ${daysOf(before)}`;

function shown(found, field) {
  const { data, n_tests, n_whole_days: n, n_needed_days: needed } = found;
  if (!found.now)
    return h(
      "p",
      { class: "empty" },
      `Changes need ${needed} whole days; there ${n === 1 ? "is 1" : `are ${count(n)}`}. The days of the first and of the newest message do not count.`,
    );
  if (!data.length)
    return h(
      "p",
      { class: "empty" },
      n_tests
        ? `Nothing changed beyond chance: of ${plural(n_tests, "share and count", "shares and counts")} none differs.`
        : "Too few sessions to tell what changed.",
    );
  const rest = data.slice(SHOWN);
  return [
    list(data.slice(0, SHOWN), found, field),
    rest.length
      ? h(
          "details",
          { class: "more-values" },
          h("summary", {}, `All changes: ${count(rest.length)} more`),
          list(rest, found, field),
        )
      : null,
  ];
}

// The findings as a table. found: with the windows `now` and `before`.
export const list = (findings, found, field) =>
  table(
    [
      { title: "What changed", cls: "whole", cell: (each) => [sign(each), " ", words(each, field)] },
      { title: "Now", hint: windows(found), cls: "number now", cell: (each) => amount(each, "now") },
      { title: "Before", cls: "number before", cell: (each) => amount(each, "before") },
      {
        title: "Change",
        hint: "Of the share of sessions; 95% confidence interval of the difference in percentage points, or of the number in percent",
        cls: "number",
        cell: (each) => [change(each.change, false), h("span", { class: "fine" }, ` ${interval(each)}`)],
      },
      {
        title: "q",
        hint: "Share of false alarms among changes as sure as this one (Benjamini-Hochberg)",
        cls: "number",
        cell: (each) => (each.q_value < 0.001 ? "<0.001" : each.q_value.toFixed(3)),
      },
      {
        title: "Sessions behind it",
        unseen: true,
        cls: "number",
        cell: (each) =>
          h(
            "a",
            { class: "more", href: sessions(each, found), "aria-label": `Read sessions: ${each.sentence}` },
            "Read",
          ),
      },
    ],
    findings,
    {
      cls: "fold changes",
      label: "What changed",
      attributes: (each) => ({ "data-kind": each.kind, "data-topic": each.topic_id, "data-change": each.change }),
    },
  );

const sign = ({ direction }) =>
  h(
    "span",
    { class: "sign" },
    h("span", { "aria-hidden": "true" }, SIGN[direction]),
    h("span", { class: "unseen" }, WORDS[direction]),
  );

const VERBS = { new: "is new", gone: "is gone", up: "grew", down: "shrank" };

function words(each, field) {
  const topic = each.topic_id && node(each.topic_id, each.label, field);
  const verb = VERBS[each.direction],
    rose = each.direction === "up" ? "rose" : "fell",
    often = each.direction === "up" ? "More often than before" : "Less often than before";
  return {
    topic: () => [topic, ` ${verb}`],
    topic_of_new_users: () => [topic, ` ${verb} among new users, more than among others`],
    topic_of_segment: () => [
      topic,
      ` ${verb} for ${each.segment} `,
      h("strong", {}, each.value),
      ", more than for others",
    ],
    move: () => [
      node(each.to_topic, each.to_label, field),
      ` came ${each.direction === "up" ? "more" : "less"} often after `,
      topic,
    ],
    friction_of_topic: () => [`Friction ${rose} on `, topic],
    friction_of_move: () => [
      `Friction ${rose} on the way from `,
      topic,
      " to ",
      node(each.to_topic, each.to_label, field),
    ],
    outcome: () => [`${often} ${each.outcome} is ${each.value}`],
    outcome_of_topic: () => [`${often} ${each.outcome} is ${each.value} in sessions that came to `, topic],
    sentiment_of_topic: () => [`Negative messages ${rose} on `, topic],
    volume: () => [`${each.direction === "up" ? "More" : "Fewer"} sessions than weeks usually differ by`],
  }[each.kind]();
}

const amount = (each, side) => {
  const n = each[side],
    of = each[`of_${side}`];
  return of === null
    ? plural(n, "session")
    : [percent(n / Math.max(of, 1)), h("span", { class: "fine" }, ` ${count(n)} of ${count(of)}`)];
};

const interval = ({ low, high, of_now }) => {
  const points = (value) => signed((value * 100).toFixed(1));
  return `${points(low)} to ${points(high)} ${of_now === null ? "%" : "points"}`;
};

// The page with the sessions that the number of now counts, of outcomes and moods those that it is a share of; where
// they are gone, those of before.
function sessions(each, { now, before }) {
  const days = each.direction === "gone" ? before : now;
  const ends = { up: each.topic_id, to: each.to_topic };
  const move =
    each.kind === "outcome"
      ? "start,"
      : ends.up === null
        ? ",end"
        : ends.to === null
          ? `,${ends.up}`
          : `${ends.up},${ends.to}`;
  const dayAfter = new Date(new Date(days.last).getTime() + 86_400_000).toISOString().slice(0, 10);
  return link("/journeys", {
    level: 0,
    move,
    from: null,
    to: null,
    began_from: days.first,
    began_to: dayAfter,
    outcome: each.outcome,
    users: each.kind === "topic_of_new_users" ? "new" : null,
    friction: each.kind.startsWith("friction") ? "any" : null,
    here: each.kind.startsWith("friction") ? "true" : null,
    ...(each.segment ? { [`segment.${each.segment}`]: each.value } : {}),
  });
}
