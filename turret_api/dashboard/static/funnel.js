// A funnel: how many sessions go through chosen topics in order, other topics between them or not.

import { get } from "./api.js";
import { go, here } from "./address.js";
import { askedJourneys, isOfThemes, node } from "./data.js";
import { h, meter } from "./dom.js";
import { count, gap, percent } from "./format.js";
import { later, panel } from "./panel.js";
import { table } from "./tables.js";
import { inUnit, peopleOf, titleOf } from "./units.js";

const MOST = 10;
const WITHIN = [
  ["", "any time"],
  [600, "10 minutes"],
  [3600, "1 hour"],
  [86_400, "1 day"],
  [604_800, "7 days"],
];

export function funnel({ field, query }, topics) {
  const steps = (query.get("steps") ?? "").split(",").filter(Boolean);
  const within_s = query.get("within_s");
  const wanted = { ...inUnit(askedJourneys(field, query), query), steps: steps.join(","), within_s };
  return panel(
    "Funnel",
    "",
    { id: "funnel", exports: steps.length ? { table: ["/v1/journeys/funnel", wanted] } : null },
    later(topics, (all) => builder(all.ofLevel(isOfThemes(query)), all.name, steps, within_s), 80),
    steps.length
      ? later(get("/v1/journeys/funnel", wanted), (answer) => result(answer, field, peopleOf(query)), 240)
      : h("p", { class: "empty" }, "Choose the topic that sessions should come to first, then what should follow."),
  );
}

function builder(topics, name, steps, within_s) {
  const put = (next) => go(here({ steps: next.join(",") }));
  const labels = topics.map((topic) => [topic.topic_id, topic.label]);
  for (const step of steps) if (!labels.some(([id]) => id === step)) labels.push([step, name(step)]);
  const chooser = (i) =>
    h(
      "select",
      {
        id: `step-${i}`,
        "aria-label": `Topic of step ${i + 1}`,
        onchange: (event) => put([...steps.slice(0, i), event.target.value, ...steps.slice(i + 1)].filter(Boolean)),
      },
      i < steps.length ? null : h("option", { value: "" }, steps.length ? "Add a step…" : "Choose a topic…"),
      labels.map(([id, label]) => h("option", { value: id, selected: id === steps[i] }, label)),
    );
  const swapped = (i) => [...steps.slice(0, i - 1), steps[i], steps[i - 1], ...steps.slice(i + 1)];
  return [
    h(
      "ol",
      { class: "steps-list" },
      steps.map((step, i) =>
        h(
          "li",
          {},
          chooser(i),
          h(
            "button",
            {
              class: "icon",
              type: "button",
              disabled: i === 0,
              "aria-label": `Move step ${i + 1} up`,
              onclick: () => put(swapped(i)),
            },
            "↑",
          ),
          h(
            "button",
            {
              class: "icon",
              type: "button",
              "aria-label": `Remove step ${i + 1}`,
              onclick: () => put(steps.filter((_, k) => k !== i)),
            },
            "×",
          ),
        ),
      ),
      steps.length < MOST ? h("li", {}, chooser(steps.length)) : null,
    ),
    h(
      "div",
      { class: "controls" },
      h(
        "label",
        { class: "pick" },
        "Within",
        h(
          "select",
          { name: "within_s", onchange: (event) => go(here({ within_s: event.target.value })) },
          WITHIN.map(([value, label]) => h("option", { value, selected: String(value) === (within_s ?? "") }, label)),
        ),
      ),
    ),
  ];
}

function result({ data, ...all }, field, unit) {
  const last = data.at(-1),
    n = all[`n_${unit}`],
    first = data[0][unit];
  return [
    h(
      "p",
      { class: "lead" },
      h("strong", {}, percent(last.share_of_first)),
      ` of ${count(first)} ${unit} with the first step come to the last${unit === "users" ? " in one session" : ""}; ${percent(n ? first / n : 0)} of all ${count(n)} begin it.`,
    ),
    table(
      [
        {
          title: "Step",
          cell: (step) =>
            h("span", { class: "move" }, `${data.indexOf(step) + 1}.`, node(step.topic_id, step.label, field)),
        },
        { title: titleOf(unit), cls: "number count", cell: (step) => count(step[unit]) },
        {
          title: "Of the first",
          cls: "whole",
          cell: (step) =>
            h(
              "div",
              { class: "share wide" },
              h("span", { class: "number" }, percent(step.share_of_first)),
              meter(step.share_of_first),
            ),
        },
        { title: "Of the step before", cls: "number", cell: (step) => percent(step.share_of_previous) },
        {
          title: "Time from it",
          hint: "Median time from the step before",
          cls: "number",
          cell: (step) => gap(step.median_gap_s),
        },
      ],
      data,
      { label: "Funnel", cls: "fold" },
    ),
  ];
}
