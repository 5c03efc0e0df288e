// Alerts → Rules: what a project wants to be told of; an editor adds and removes rules.

import { get, post } from "./api.js";
import { choice, h } from "./dom.js";
import { percent, plural } from "./format.js";
import { attempt, takeAway } from "./notes.js";
import { later, panel, rowsOf } from "./panel.js";
import { mayEdit } from "./rights.js";
import { table } from "./tables.js";

// By kind: what it tells, and which inputs it has.
const KINDS = {
  new_topic: ["A topic is new", "topic", "sizes"],
  growing_topic: ["A topic grows, or is new", "topic", "sizes"],
  fading_topic: ["A topic shrinks, or is gone", "topic", "sizes"],
  segment: ["A topic grows among new users or in a segment", "topic", "sizes"],
  move: ["After a topic another one comes more often", "topic", "sizes"],
  friction: ["Friction rises on a topic or a move", "topic", "sizes"],
  sentiment: ["Negative messages rise on a topic", "topic", "sizes"],
  outcome: ["An outcome rises or falls", "topic", "direction", "sizes"],
  volume: ["More or fewer sessions than usual", "direction", "sizes"],
  silence: ["No event comes any more", "hours"],
  freshness: ["Events wait too long, or a file is damaged"],
};
export const said = (kind) => KINDS[kind]?.[0] ?? kind;

export function rules(again) {
  const problem = h("p", { class: "problem", role: "alert" });
  const known = get("/v1/alerts/rules"),
    targets = get("/v1/alerts/targets");
  // Without them a rule is about any topic.
  const topics = mayEdit ? get("/v1/topics", { limit: 1000 }).catch(() => ({ data: [] })) : null;
  return [
    mayEdit
      ? panel(
          "New rule",
          "",
          { id: "new-rule", note: "It is looked at within minutes, then after each build" },
          later(Promise.all([targets, topics]), ([to, of]) => form(to.data, of.data, problem, again), 90),
        )
      : null,
    panel(
      "Rules",
      "",
      {
        id: "rules",
        exports: { rows: async () => rowsOf((await known).data, "rule_id", "name", "kind", "urgent", "created_at") },
      },
      problem,
      later(Promise.all([known, targets]), ([{ data }, { data: all }]) =>
        data.length
          ? rulesTable(data, Object.fromEntries(all.map((each) => [each.target_id, each.name])), problem, again)
          : h("p", { class: "empty" }, "There are no rules yet."),
      ),
    ),
  ];
}

const rulesTable = (data, names, problem, again) =>
  table(
    [
      { title: "Rule", cell: (each) => h("strong", {}, each.name) },
      {
        title: "Tells that",
        cls: "whole",
        cell: (each) => [said(each.kind), h("span", { class: "fine" }, ` ${filtersOf(each.filters)}`)],
      },
      {
        title: "Goes to",
        cell: (each) =>
          each.targets ? each.targets.map((id) => names[id] ?? "a target that was removed").join(", ") : "all targets",
      },
      {
        title: "Quiet hours",
        cell: (each) => (each.urgent ? h("span", { class: "mark" }, "urgent") : h("span", { class: "muted" }, "waits")),
      },
      {
        title: "Remove",
        unseen: true,
        cls: "number",
        cell: (each) =>
          mayEdit ? takeAway(`the rule ${each.name}`, `/v1/alerts/rules/${each.rule_id}`, problem, again) : "",
      },
    ],
    data,
    { cls: "fold", label: "Rules", attributes: (each) => ({ "data-rule": each.rule_id }) },
  );

// What a rule leaves out, in words.
const filtersOf = (filters) =>
  [
    filters.field && `field ${filters.field}`,
    filters.topic_id && `topic ${filters.topic_id}`,
    filters.outcome && `outcome ${filters.outcome}`,
    filters.direction && `only ${filters.direction}`,
    filters.days !== 7 && `${filters.days} days`,
    filters.least_sessions && `${plural(filters.least_sessions, "session")} or more`,
    filters.least_change && `by ${percent(filters.least_change)} or more`,
    filters.hours !== 24 && `${filters.hours} hours`,
  ]
    .filter(Boolean)
    .join(", ");

function form(targets, topics, problem, again) {
  const kind = choice(
    "kind",
    Object.entries(KINDS).map(([value, [label]]) => [value, label]),
  );
  const name = h("input", { type: "text", name: "name", maxlength: 100, placeholder: "Growing topics" });
  const sessions = h("input", { type: "number", name: "least-sessions", min: 0, value: 0 });
  const change = h("input", { type: "number", name: "least-change", min: 0, value: 0, step: "any" });
  const hours = h("input", { type: "number", name: "hours", min: 1, max: 2160, value: 24 });
  const direction = choice("direction", [
    ["", "up or down"],
    ["up", "up"],
    ["down", "down"],
  ]);
  const named = topics.filter((each) => each.level === 0).sort((a, b) => a.label.localeCompare(b.label));
  const topic = choice("topic", [["", "any topic"], ...named.map((each) => [each.topic_id, each.label])]);
  const target = choice("target", [["", "all targets"], ...targets.map((each) => [each.target_id, each.name])]);
  const urgent = h("input", { type: "checkbox", name: "urgent", value: "urgent" });
  const parts = {
    topic: [h("label", { class: "pick" }, "Topic", topic)],
    direction: [h("label", { class: "pick" }, "Direction", direction)],
    sizes: [
      h("label", { class: "pick" }, "Sessions, at least", sessions),
      h("label", { class: "pick" }, "Change in percent, at least", change),
    ],
    hours: [h("label", { class: "pick" }, "Hours without an event", hours)],
  };
  const place = h("div", { class: "controls" });
  const fill = () =>
    place.replaceChildren(
      ...KINDS[kind.value]
        .slice(1)
        .map((part) => parts[part])
        .flat(),
    );
  kind.addEventListener("change", fill);
  fill();
  const submit = (event) => {
    event.preventDefault();
    const has = (part) => KINDS[kind.value].includes(part);
    attempt(problem, async () => {
      await post("/v1/alerts/rules", {
        kind: kind.value,
        name: name.value.trim() || null,
        targets: target.value ? [target.value] : null,
        urgent: urgent.checked,
        filters: {
          ...(has("topic") && topic.value ? { topic_id: topic.value } : {}),
          ...(has("direction") && direction.value ? { direction: direction.value } : {}),
          ...(has("sizes") ? { least_sessions: Number(sessions.value), least_change: Number(change.value) / 100 } : {}),
          ...(has("hours") ? { hours: Number(hours.value) } : {}),
        },
      });
      again();
    });
  };
  return h(
    "form",
    { onsubmit: submit },
    h(
      "div",
      { class: "controls" },
      h("label", { class: "pick" }, "Tell me when", kind),
      h("label", { class: "pick" }, "Its name", name),
      h("label", { class: "pick" }, "Goes to", target),
    ),
    place,
    h(
      "div",
      { class: "controls" },
      h("label", { class: "pick" }, urgent, "Urgent: in quiet hours too"),
      h("button", { class: "primary", type: "submit" }, "Add the rule"),
    ),
  );
}
