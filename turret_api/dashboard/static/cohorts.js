// Cohorts: the users of a topic or of a path, as a filter (`cohort`) that every page keeps.

import { list } from "./api.js";
import { go, here, link } from "./address.js";
import { naming } from "./data.js";
import { h } from "./dom.js";
import { later } from "./panel.js";

// A link to a page with the users of a topic, or of a path of topics, as one filter more.
export function cohortLink(topics, { path = null, changes = {}, words = "Use its users as a cohort" } = {}) {
  const cohort = topics.length === 1 ? `topic:${topics[0]}` : `path:${topics.join(">")}`;
  const set = new URLSearchParams(location.search).getAll("cohort").filter((each) => each !== cohort);
  const all = { ...changes, cohort: [...set, cohort] };
  return h(
    "a",
    {
      class: path ? "button" : "more",
      href: path ? link(path, all) : here(all),
      title: "Every page then shows all that these users did, until the filter is removed",
    },
    words,
  );
}

// A cohort that is set, in words, to be taken away.
export function cohortChip(value, field, left) {
  const chip = ([before, ...topics], name) =>
    h(
      "button",
      {
        class: "chip",
        type: "button",
        "aria-label": `Remove filter ${before} ${topics.map((topic) => name(topic)).join(" → ")}`,
        onclick: () => go(here({ cohort: left })),
      },
      `${before} `,
      h("em", {}, topics.map((topic) => name(topic)).join(" → ")),
      h("span", { "aria-hidden": "true" }, "×"),
    );
  return later(
    names(field).catch(() => (topic) => topic),
    (name) => chip(parts(value), name),
    24,
  );
}

// A cohort in words; name: from a topic to its name.
export function cohortWords(value, name) {
  const [before, ...topics] = parts(value);
  return `${before} ${topics.map((topic) => name(topic)).join(" → ")}`;
}

// All others than those of a cohort.
export const othersThan = (value) => (value.startsWith("!") ? value.slice(1) : `!${value}`);

function parts(value) {
  const isOut = value.startsWith("!");
  const named = isOut ? value.slice(1) : value;
  return [isOut ? "All but users of" : "Users of", ...named.slice(named.indexOf(":") + 1).split(">")];
}

async function names(field) {
  const [topics, themes] = await Promise.all([
    list("/v1/topics", { field, kinds: "all" }),
    list("/v1/topics", { field, level: 1 }),
  ]);
  return naming([...topics.data, ...themes.data, ...topics.hidden, ...themes.hidden]);
}
