// Alerts: what rules found, the rules and targets behind it, and the messages that did not arrive.

import { get, list, post } from "./api.js";
import { link } from "./address.js";
import { rules } from "./alert_rules.js";
import { targets } from "./alert_targets.js";
import { pageHead, tabs } from "./data.js";
import { h } from "./dom.js";
import { ago, moment, plural } from "./format.js";
import { attempt } from "./notes.js";
import { later, panel, rowsOf } from "./panel.js";
import { lookingAs, mayEdit, mayOwn } from "./rights.js";
import { table } from "./tables.js";

const SHOWN = 100;
const SECTIONS = {
  found: ["Found", found],
  rules: ["Rules", rules],
  targets: ["Targets", targets],
  messages: ["Messages", messages],
};

export function alerts({ query, again }) {
  const section = SECTIONS[query.get("view")] ? query.get("view") : "found";
  return h(
    "div",
    {},
    pageHead("Alerts", mayOwn ? null : `${lookingAs}; an editor may change rules, and an owner targets too.`),
    tabs(
      "Alerts",
      section,
      Object.entries(SECTIONS).map(([key, [title]]) => [key, title, link("/alerts", { view: key })]),
    ),
    h("div", { class: "grid" }, SECTIONS[section][1](again)),
  );
}

function found() {
  const first = get("/v1/alerts", { limit: SHOWN }),
    known = get("/v1/alerts/rules");
  return panel(
    "What rules found",
    "",
    {
      id: "found",
      note: "The words are those of the moment when it was found",
      exports: {
        rows: async () =>
          rowsOf((await list("/v1/alerts")).data, "alert_id", "rule", "kind", "sentence", "found_at", "ended_at"),
      },
    },
    later(Promise.all([first, known]), ([{ data }, { data: all }]) =>
      data.length
        ? alertsTable(data)
        : h(
            "p",
            { class: "empty" },
            all.length ? "Nothing yet. Rules are looked at after each build. " : "There are no rules yet. ",
            mayEdit && !all.length
              ? h("a", { class: "more", href: link("/alerts", { view: "rules" }) }, "Add one")
              : null,
          ),
    ),
  );
}

const alertsTable = (data) =>
  table(
    [
      {
        title: "What was found",
        cls: "whole",
        cell: ({ sentence, finding: { topic_id, field } }) =>
          topic_id
            ? h("a", { href: link(`/topics/${encodeURIComponent(topic_id)}`, { field, view: null }) }, sentence)
            : sentence,
      },
      { title: "Rule", cell: (each) => each.rule },
      { title: "Found", cls: "muted", cell: (each) => h("span", { title: moment(each.found_at) }, ago(each.found_at)) },
      {
        title: "State",
        cell: (each) =>
          each.ended_at
            ? h("span", { class: "muted", title: moment(each.ended_at) }, `ended ${ago(each.ended_at)}`)
            : h("span", { class: "mark new" }, "open"),
      },
    ],
    data,
    { cls: "fold", label: "What rules found", attributes: (each) => ({ "data-alert": each.alert_id }) },
  );

const STATES = {
  waiting: (each) => (each.n_attempts ? `tried ${plural(each.n_attempts, "time")}` : "waits"),
  sent: () => "arrived",
  dead: () => "given up",
};
const KINDS = { alert: "Alerts", digest: "Digest", test: "Test" };

function messages(again) {
  const problem = h("p", { class: "problem", role: "alert" });
  const both = Promise.all([get("/v1/alerts/deliveries", { limit: SHOWN }), get("/v1/alerts/targets")]);
  return panel(
    "Messages",
    "",
    {
      id: "messages",
      note: "A message is tried eight times within a day, then given up",
      exports: {
        rows: async () =>
          rowsOf(
            (await list("/v1/alerts/deliveries")).data,
            ...["delivery_id", "target_id", "kind", "state", "n_attempts", "next_at", "error", "created_at", "sent_at"],
          ),
      },
    },
    problem,
    later(both, ([{ data }, { data: all }]) => {
      const names = Object.fromEntries(all.map((each) => [each.target_id, each.name]));
      return data.length
        ? messagesTable(data, names, problem, again)
        : h("p", { class: "empty" }, "No message has been written yet.");
    }),
  );
}

const messagesTable = (data, names, problem, again) =>
  table(
    [
      {
        title: "Message",
        cell: (each) => [
          h("strong", {}, KINDS[each.kind] ?? each.kind),
          " ",
          each.alerts.length ? h("span", { class: "fine" }, plural(each.alerts.length, "alert")) : null,
        ],
      },
      { title: "Target", cell: (each) => names[each.target_id] ?? each.target_id },
      {
        title: "State",
        cell: (each) => h("span", { class: each.state === "dead" ? "mark fading" : "" }, STATES[each.state](each)),
      },
      { title: "Why", cls: "muted", cell: (each) => each.error ?? "" },
      {
        title: "Time",
        cls: "muted",
        cell: (each) =>
          each.sent_at
            ? h("span", { title: moment(each.sent_at) }, ago(each.sent_at))
            : each.next_at
              ? `next ${moment(each.next_at)}`
              : h("span", { title: moment(each.created_at) }, ago(each.created_at)),
      },
      {
        title: "Send again",
        unseen: true,
        cls: "number",
        cell: (each) => (mayEdit && each.state === "dead" ? sendAgain(each, problem, again) : ""),
      },
    ],
    data,
    { cls: "fold", label: "Messages", attributes: (each) => ({ "data-message": each.delivery_id }) },
  );

const sendAgain = (each, problem, again) =>
  h(
    "button",
    {
      class: "button",
      type: "button",
      "aria-label": `Send again: ${KINDS[each.kind] ?? each.kind} of ${moment(each.created_at)}`,
      onclick: () =>
        attempt(problem, async () => {
          await post(`/v1/alerts/deliveries/${each.delivery_id}/send`);
          again();
        }),
    },
    "Send again",
  );
