// Alerts → Targets: where messages go; an owner adds, tests and removes targets.

import { get, post, put } from "./api.js";
import { choice, h } from "./dom.js";
import { moment, titled } from "./format.js";
import { attempt, takeAway } from "./notes.js";
import { later, panel, rowsOf } from "./panel.js";
import { mayOwn } from "./rights.js";
import { copyButton } from "./states.js";
import { table } from "./tables.js";

const KINDS = {
  slack: ["Slack", "https://hooks.slack.com/services/…"],
  teams: ["Teams", "https://….logic.azure.com/workflows/…"],
  email: ["E-mail", "ada@example.com, bob@example.com"],
  webhook: ["Webhook", "https://example.com/hook"],
};
const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const zoneHere = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function targets(again) {
  const problem = h("p", { class: "problem", role: "alert" });
  const made = h("div", { class: "made", role: "status" });
  const known = get("/v1/alerts/targets");
  return [
    mayOwn
      ? panel(
          "New target",
          "",
          { id: "new-target", note: "Messages name topics and numbers, and quote users only if you say so" },
          form(made, problem, again),
          problem,
          made,
        )
      : null,
    panel(
      "Targets",
      "",
      {
        id: "targets",
        exports: {
          rows: async () =>
            rowsOf((await known).data, "target_id", "name", "kind", "address", "created_at", "disabled_at"),
        },
      },
      later(known, ({ data }) =>
        data.length
          ? targetsTable(data, problem, again)
          : h("p", { class: "empty" }, "There are no targets yet. What rules find is shown here all the same."),
      ),
    ),
  ];
}

const targetsTable = (data, problem, again) =>
  table(
    [
      {
        title: "Target",
        cell: (each) => [
          h("strong", {}, each.name),
          " ",
          h("span", { class: "type" }, KINDS[each.kind]?.[0] ?? each.kind),
        ],
      },
      { title: "Address", cls: "whole", cell: (each) => h("code", {}, each.address) },
      { title: "Quiet hours", cls: "muted", cell: ({ quiet }) => (quiet ? quietOf(quiet) : "none") },
      { title: "Digest", cls: "muted", cell: ({ digest }) => (digest ? digestOf(digest) : "none") },
      {
        title: "State",
        cell: (each) =>
          each.disabled_at
            ? h("span", { class: "mark fading", title: moment(each.disabled_at) }, `disabled: ${each.disabled_for}`)
            : each.texts
              ? "with users’ texts"
              : "without texts",
      },
      {
        title: "Change",
        unseen: true,
        cls: "number",
        cell: (each) =>
          mayOwn
            ? [
                each.disabled_at ? enable(each, problem, again) : test(each),
                takeAway(`the target ${each.name}`, `/v1/alerts/targets/${each.target_id}`, problem, again),
              ]
            : "",
      },
    ],
    data,
    { cls: "fold", label: "Targets", attributes: (each) => ({ "data-target": each.target_id }) },
  );

const quietOf = ({ from, to, zone, weekends }) => `${from} to ${to}${weekends ? " and weekends" : ""}, ${zone}`;
const digestOf = ({ every, weekday, hour, zone }) =>
  `${every === "day" ? "each day" : `each ${titled(weekday)}`} at ${hour}:00, ${zone}`;

// Says in its place whether a test message arrived.
function test(each) {
  const button = h(
    "button",
    {
      class: "button",
      type: "button",
      "aria-label": `Send a test to ${each.name}`,
      onclick: async () => {
        button.disabled = true;
        result.textContent = "Sending…";
        try {
          const sent = await post(`/v1/alerts/targets/${each.target_id}/test`);
          result.textContent = sent.state === "sent" ? "It arrived." : `It did not arrive: ${sent.error}.`;
        } catch (error) {
          result.textContent = error.message;
        }
        button.disabled = false;
      },
    },
    "Send a test",
  );
  const result = h("span", { class: "fine test-result", role: "status" });
  return [button, " ", result];
}

const enable = (each, problem, again) =>
  h(
    "button",
    {
      class: "button",
      type: "button",
      "aria-label": `Enable ${each.name}`,
      onclick: () =>
        attempt(problem, async () => {
          const { name, texts, quiet, digest } = each;
          await put(`/v1/alerts/targets/${each.target_id}`, { name, texts, quiet, digest });
          again();
        }),
    },
    "Enable",
  );

function form(made, problem, again) {
  const kind = choice(
    "kind",
    Object.entries(KINDS).map(([value, [label]]) => [value, label]),
  );
  const name = h("input", { type: "text", name: "name", maxlength: 100, placeholder: "Team chat" });
  const address = h("input", { type: "text", name: "address", maxlength: 2000, required: true, autocomplete: "off" });
  const texts = h("input", { type: "checkbox", name: "texts", value: "texts" });
  const quiet = h("input", { type: "checkbox", name: "quiet", value: "quiet" });
  const from = h("input", { type: "time", name: "from", value: "20:00" });
  const to = h("input", { type: "time", name: "to", value: "07:30" });
  const weekends = h("input", { type: "checkbox", name: "weekends", value: "weekends" });
  const zone = h("input", { type: "text", name: "zone", maxlength: 60, value: zoneHere });
  const digest = choice("digest", [
    ["", "never"],
    ["day", "each day"],
    ...WEEKDAYS.map((day) => [day, `each ${titled(day)}`]),
  ]);
  const hour = h("input", { type: "number", name: "hour", min: 0, max: 23, value: 8 });
  const hint = () => address.setAttribute("placeholder", KINDS[kind.value][1]);
  kind.addEventListener("change", hint);
  hint();
  const plan = () => ({
    every: digest.value === "day" ? "day" : "week",
    hour: Number(hour.value),
    zone: zone.value.trim(),
    ...(digest.value === "day" ? {} : { weekday: digest.value }),
  });
  const submit = (event) => {
    event.preventDefault();
    attempt(problem, async () => {
      const found = await post("/v1/alerts/targets", {
        kind: kind.value,
        name: name.value.trim() || null,
        address: address.value.trim(),
        texts: texts.checked,
        quiet: quiet.checked
          ? { from: from.value, to: to.value, zone: zone.value.trim(), weekends: weekends.checked }
          : null,
        digest: digest.value ? plan() : null,
      });
      if (found.secret) made.replaceChildren(...secretOf(found, again));
      else again();
    });
  };
  const pick = (label, ...input) => h("label", { class: "pick" }, label, ...input);
  return h(
    "form",
    { onsubmit: submit },
    h(
      "div",
      { class: "controls" },
      pick("Kind", kind),
      pick("Its name", name),
      h("label", { class: "pick grow" }, "Address", address),
    ),
    h(
      "div",
      { class: "controls" },
      h("label", { class: "pick" }, quiet, "Quiet hours"),
      pick("from", from),
      pick("to", to),
      h("label", { class: "pick" }, weekends, "and weekends"),
      pick("Digest", digest),
      pick("at hour", hour),
      pick("Time zone", zone),
    ),
    h(
      "div",
      { class: "controls" },
      h("label", { class: "pick" }, texts, "Quote what users wrote"),
      h("button", { class: "primary", type: "submit" }, "Add the target"),
    ),
  );
}

const secretOf = ({ secret }, again) => [
  h(
    "p",
    {},
    h("strong", {}, "The webhook’s signing secret. "),
    "Keep it now; it is never shown again. Receivers check messages with it.",
  ),
  h(
    "div",
    { class: "line" },
    h("pre", { class: "code", id: "the-secret", tabindex: "0" }, secret),
    copyButton(() => secret),
  ),
  h("button", { class: "button", type: "button", onclick: again }, "Done: show the target"),
];
