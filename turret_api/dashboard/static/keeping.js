// Settings → Keeping: for how many days what people wrote is kept, and what was removed by that.

import { get, put } from "./api.js";
import { h } from "./dom.js";
import { count, day, moment, plural } from "./format.js";
import { attempt } from "./notes.js";
import { later, panel } from "./panel.js";
import { mayOwn } from "./rights.js";
import { table } from "./tables.js";

export function keeping({ fields }) {
  if (!mayOwn)
    return panel(
      "Keeping",
      "",
      { id: "keeping" },
      h("p", { class: "empty" }, "Only an owner may see and change how long texts are kept."),
    );
  const place = h("div", { class: "later" });
  const fill = ([found, texts], words) => place.replaceChildren(...parts(found, texts, fill, words));
  const asked = Promise.all([get("/v1/keeping"), fields]).then(([found, { data }]) => [
    found,
    data.filter((each) => each.type === "text").map((each) => each.field),
  ]);
  place.append(later(asked, (found) => (fill(found, ""), null), 300));
  return place;
}

function parts(found, texts, fill, words) {
  const problem = h("p", { class: "problem", role: "alert" });
  const input = (name, value, label) =>
    h("input", { type: "number", min: 1, max: 36500, step: 1, name, value: value ?? "", "aria-label": label });
  const whole = input("days", found.days, "Days for which everything is kept");
  const names = [...new Set([...texts, ...Object.keys(found.fields)])].sort();
  const single = names.map((name) => [name, input("field", found.fields[name], `Days for which ${name} is kept`)]);
  const chosen = () => ({
    days: whole.value === "" ? null : Number(whole.value),
    fields: Object.fromEntries(
      single.filter(([, each]) => each.value !== "").map(([name, each]) => [name, Number(each.value)]),
    ),
  });
  const save = (event) => {
    event.preventDefault();
    attempt(problem, async () => {
      const next = await put("/v1/keeping", chosen());
      fill([next, texts], "Saved. ");
    });
  };
  return [
    panel(
      "Keeping",
      "",
      { id: "keeping", note: "Days since Turret received an event; counts and topics stay" },
      h(
        "form",
        { onsubmit: save },
        line("Everything, in days (empty: for ever)", whole),
        names.length ? h("p", { class: "fine days" }, "Some texts for fewer days (empty: as everything)") : null,
        single.map(([name, each]) => line(name, each)),
        h("div", { class: "controls" }, h("button", { class: "primary", type: "submit" }, "Save")),
      ),
      problem,
      h("p", { class: "fine", role: "status" }, words, dueOf(found)),
    ),
    panel(
      "Removed",
      "",
      { id: "removals", note: "By the daily run; it cannot be had back" },
      found.removals.length
        ? table(
            [
              { title: "When", cell: (each) => moment(each.removed_at) },
              { title: "What", cell: (each) => each.field ?? "all texts, and ids" },
              { title: "Received", cls: "muted", cell: (each) => span(each) },
              { title: "Kept", cls: "muted", cell: (each) => plural(each.days, "day") },
              { title: "Events", cls: "number", cell: (each) => count(each.n_events) },
              { title: "Messages", cls: "number", cell: (each) => count(each.n_messages) },
            ],
            found.removals,
            { limit: 20, label: "What was removed" },
          )
        : h("p", { class: "empty" }, "Nothing was removed yet."),
    ),
  ];
}

// Shown for as long as they wait, not only to who chose it.
const dueOf = ({ n_due: n }) =>
  n
    ? `${plural(n, "event is over, and goes", "events are over, and go")} with the next daily run, at 01:17 UTC. Until then the rule can be changed; what has gone cannot be had back.`
    : "";
const line = (words, input) => h("p", { class: "days" }, h("label", { class: "pick" }, h("span", {}, words), input));
const span = ({ from_date: from, until_date: until }) => (from === until ? day(from) : `${day(from)} to ${day(until)}`);
