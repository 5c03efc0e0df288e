// What an admin decides about a topic: its name, whether it is one with another, whether it stays through refits, whether
// lists show it; and taking it back.

import { list, post } from "./api.js";
import { go } from "./address.js";
import { topicLink } from "./data.js";
import { changeDefinition, removeDefinition } from "./definition.js";
import { h } from "./dom.js";
import { moment } from "./format.js";
import { later, panel } from "./panel.js";
import { mayEdit } from "./rights.js";
import { table } from "./tables.js";

const WORDS = {
  rename: "renamed",
  merge: "merged into",
  hide: "hidden from lists",
  define: "defined by examples",
  pin: "pinned: kept with its id and name through every refit",
};

// The controls for one topic in a row, or null for who may only look.
export function curationRow(one, field, again) {
  if (!mayEdit) return null;
  return h(
    "section",
    { class: "panel slim", id: "curate", "aria-labelledby": "curate-title" },
    h(
      "h2",
      { id: "curate-title", title: "In force at once, and through every refit; each can be taken back" },
      "Curate",
    ),
    later(curation(one, field, again), (controls) => controls, 34),
  );
}

async function curation({ topic_id: id, label: present, level, defined }, field, again) {
  const [edits, topics] = await Promise.all([list("/v1/topics/edits"), list("/v1/topics", { field })]);
  const label = new Map(topics.data.map((topic) => [topic.topic_id, topic.label]));
  const problem = h("p", { class: "problem", role: "alert" });
  const decide = async (topic_id, action, value, then = again) => {
    try {
      await post("/v1/topics/edits", { topic_id, action, value, field });
      then();
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  const name = h("input", {
    type: "text",
    id: "new-name",
    value: present,
    maxlength: 200,
    "aria-label": "Name of the topic",
    required: true,
  });
  const rename = h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        decide(id, "rename", name.value.trim());
      },
    },
    name,
    h("button", { class: "button" }, "Rename"),
  );
  const others = topics.data.filter((topic) => topic.topic_id !== id);
  const merge = level
    ? null
    : h(
        "select",
        {
          id: "merge-into",
          "aria-label": "Merge into another topic",
          onchange: (event) => {
            const target = event.target.value;
            if (target) decide(id, "merge", target, () => go(topicLink(target, field)));
          },
        },
        h("option", { value: "" }, "Merge into…"),
        others.map((topic) => h("option", { value: topic.topic_id }, topic.label)),
      );
  const mine = inForce(edits.data, field).filter(
    (edit) => (edit.topic_id === id && edit.action !== "define") || (edit.action === "merge" && edit.value === id),
  );
  const button = (action, words) =>
    mine.some((edit) => edit.action === action && edit.topic_id === id)
      ? null
      : h("button", { class: "button", type: "button", onclick: () => decide(id, action, "true") }, words);
  return [
    h(
      "div",
      { class: "curate" },
      rename,
      merge,
      level ? null : button("pin", "Pin"),
      button("hide", "Hide from lists"),
      defined
        ? [
            h(
              "button",
              { class: "button", type: "button", onclick: () => changeDefinition(id, present, field) },
              "Change its examples",
            ),
            h("button", { class: "button", type: "button", onclick: () => removeDefinition(id) }, "Remove"),
          ]
        : null,
    ),
    problem,
    mine.length
      ? h(
          "ul",
          { class: "decisions" },
          mine.map((edit) =>
            h(
              "li",
              { "data-action": edit.action },
              h("span", { class: "muted" }, sentence(edit, id, label)),
              h("button", { class: "button", onclick: () => decide(edit.topic_id, edit.action, null) }, "Take back"),
            ),
          ),
        )
      : null,
  ];
}

// All decisions in force, on the page of all topics: a hidden or merged topic is in no list, and this is the way back to it.
export function decisions(field, topics, again) {
  return later(
    Promise.all([list("/v1/topics/edits"), topics.catch(() => null)]),
    ([edits, found]) => {
      const mine = inForce(edits.data, field);
      if (!mine.length || !found) return null;
      const labels = new Map(
        mine.filter((edit) => edit.action === "define").map((edit) => [edit.topic_id, labelOf(edit)]),
      );
      const name = (id) => found.name(id, labels.get(id));
      const problem = h("p", { class: "problem", role: "alert" });
      const takeBack = (edit) =>
        h(
          "button",
          {
            class: "button",
            type: "button",
            "aria-label": `Take back: ${name(edit.topic_id)} ${WORDS[edit.action]}`,
            onclick: async () => {
              try {
                await post("/v1/topics/edits", { topic_id: edit.topic_id, action: edit.action, value: null, field });
                again();
              } catch (error) {
                problem.textContent = error.message;
              }
            },
          },
          "Take back",
        );
      return panel(
        "What people decided",
        "",
        {
          id: "decisions",
          note: "In force through every refit",
          exports: { table: ["/v1/topics/edits", { limit: 1000 }] },
        },
        problem,
        table(
          [
            {
              title: "Topic",
              cell: (edit) => h("a", { class: "plain", href: topicLink(edit.topic_id, field) }, name(edit.topic_id)),
            },
            {
              title: "Decision",
              cls: "text",
              cell: (edit) =>
                `${WORDS[edit.action]}${edit.action === "rename" ? ` “${edit.value}”` : edit.action === "merge" ? ` “${name(edit.value)}”` : ""}`,
            },
            { title: "When", cls: "muted", cell: (edit) => moment(edit.decided_at) },
            mayEdit && { title: "Take back", unseen: true, cls: "number", cell: takeBack },
          ],
          mine,
          {
            cls: "fold keys",
            label: "Decisions",
            limit: 10,
            attributes: (edit) => ({ "data-action": edit.action, "data-topic": edit.topic_id }),
          },
        ),
      );
    },
    0,
  );
}

// The name that a definition gives its topic: before the next build no list has it.
const labelOf = (edit) => JSON.parse(edit.value).label;

function sentence(edit, id, label) {
  if (edit.action === "rename") return `${WORDS.rename} “${edit.value}”`;
  if (edit.action === "hide" || edit.action === "pin") return WORDS[edit.action];
  return edit.topic_id === id
    ? `${WORDS.merge} “${label.get(edit.value) ?? edit.value}”`
    : `has the messages of ${edit.topic_id}, merged into it`;
}

// The latest decision of each kind about each topic, if it was not taken back; they come newest first.
function inForce(edits, field) {
  const latest = new Map();
  for (const edit of edits) {
    const key = `${edit.topic_id} ${edit.action}`;
    if (edit.field === field && !latest.has(key)) latest.set(key, edit);
  }
  return [...latest.values()].filter((edit) => edit.value !== null);
}
