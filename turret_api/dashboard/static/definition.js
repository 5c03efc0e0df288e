// Topics that people define by examples: the draft, a preview of what it would take, and saving it.
//
// The draft outlives a change of page, so that messages can be picked as examples wherever they are read; a reload drops it.

import { forget, get, post, put, remove } from "./api.js";
import { go, link } from "./address.js";
import { h } from "./dom.js";
import { count, percent, plural } from "./format.js";
import { panel } from "./panel.js";
import { mayEdit } from "./rights.js";
import { table } from "./tables.js";

const LEAST = 3,
  MOST = 20;
const none = (field) => ({ field, topic_id: null, label: "", examples: [], counter_examples: [] });
let draft = none(null);
let changed = () => {};

const draftOf = (field) => (draft.field === field ? draft : (draft = none(field)));

// Puts the text on one side, and off the other.
function putText(field, side, text) {
  const mine = draftOf(field),
    other = side === "examples" ? "counter_examples" : "examples";
  mine[other] = mine[other].filter((each) => each !== text);
  if (!mine[side].includes(text)) mine[side].push(text);
  changed();
}

// What makes a message an example of the draft; null for who may not define topics, and for a text that is gone.
export function exampleButton(text, field) {
  if (!mayEdit || text === null) return null;
  const is = () => draft.field === field && draft.examples.includes(text);
  const words = () => (is() ? "Is an example" : "Use as example");
  const button = h(
    "button",
    {
      class: "button small",
      type: "button",
      "aria-label": `Use as example of a topic: ${text.slice(0, 80)}`,
      onclick: () => {
        putText(field, "examples", text);
        button.textContent = words();
        button.disabled = true;
      },
    },
    words(),
  );
  button.disabled = is();
  return button;
}

// Makes a defined topic the draft, and shows it.
export async function changeDefinition(topic_id, label, field) {
  const { definition } = await get(`/v1/topics/${encodeURIComponent(topic_id)}`, { field });
  draft = { field, topic_id, label, ...structuredClone(definition) };
  go(link("/topics"));
}

export async function removeDefinition(topic_id) {
  await remove(`/v1/topics/${encodeURIComponent(topic_id)}`);
  forget();
  go(link("/topics"));
}

// The panel on the page of all topics.
export function definitionPanel(field, again) {
  if (!mayEdit) return null;
  const mine = draftOf(field);
  const problem = h("p", { class: "problem", role: "alert" });
  const told = h("div", { id: "trial", "aria-live": "polite" });
  const label = h("input", {
    type: "text",
    id: "definition-label",
    value: mine.label,
    maxlength: 200,
    placeholder: "Name: “Refund fraud”",
    "aria-label": "Name of the topic",
    oninput: (event) => {
      draftOf(field).label = event.target.value.trim();
      fill();
    },
  });
  const typed = h("input", {
    type: "text",
    id: "definition-example",
    placeholder: "A message that belongs to it",
    "aria-label": "Another example",
  });
  const add = h(
    "form",
    {
      class: "search",
      onsubmit: (event) => {
        event.preventDefault();
        const text = typed.value.trim();
        if (text) putText(field, "examples", text);
        typed.value = "";
      },
    },
    typed,
    h("button", { class: "button", type: "submit" }, "Add example"),
  );
  const phrase = h("input", {
    type: "search",
    id: "definition-search",
    placeholder: "Or what they say: “I never got my order, pay me back”",
    "aria-label": "Search for examples",
    maxlength: 1000,
  });
  const search = h(
    "form",
    {
      class: "search",
      onsubmit: (event) => {
        event.preventDefault();
        if (phrase.value.trim()) attempt({ search: phrase.value.trim() });
      },
    },
    phrase,
    h("button", { class: "button", type: "submit" }, "Find examples"),
  );
  const side = (name, title) =>
    draftOf(field)[name].length
      ? h(
          "div",
          {},
          h("h3", {}, title),
          h(
            "ul",
            { class: "quotes picked", "data-side": name },
            draftOf(field)[name].map((text) =>
              h(
                "li",
                {},
                h("span", { class: "text" }, text),
                " ",
                h(
                  "button",
                  {
                    class: "quiet",
                    type: "button",
                    "aria-label": `Remove: ${text.slice(0, 80)}`,
                    onclick: () => {
                      draft[name] = draft[name].filter((each) => each !== text);
                      changed();
                    },
                  },
                  "Remove",
                ),
              ),
            ),
          ),
        )
      : null;
  const sides = h("div", {});
  const trying = h("button", { class: "button", type: "button", onclick: () => attempt() }, "Try it");
  const saving = h("button", { class: "primary", type: "button", onclick: () => save() }, "Save topic");
  const clearing = h(
    "button",
    {
      class: "button",
      type: "button",
      onclick: () => {
        draft = none(field);
        label.value = "";
        changed();
      },
    },
    "Start over",
  );
  const fill = () => {
    const { examples, label: name, topic_id } = draftOf(field);
    const enough = examples.length >= LEAST && examples.length <= MOST;
    trying.disabled = !enough;
    saving.disabled = !enough || !name;
    saving.textContent = topic_id ? "Save the change" : "Save topic";
    sides.replaceChildren(...[side("examples", "Examples"), side("counter_examples", "Not these")].filter(Boolean));
    note.textContent = enough
      ? "Try it as often as you like; nothing is saved until you say so"
      : `${plural(examples.length, "example")} of ${LEAST} to ${MOST}`;
  };
  const attempt = async (more = {}) => {
    const { examples, counter_examples, topic_id } = draftOf(field);
    problem.textContent = "";
    told.setAttribute("aria-busy", "true");
    try {
      const found = await post("/v1/topics/try", { field, examples, counter_examples, topic_id, ...more });
      draft.examples = found.examples;
      fill();
      told.replaceChildren(...trial(found, field));
    } catch (error) {
      problem.textContent = error.message;
    }
    told.removeAttribute("aria-busy");
  };
  const save = async () => {
    const { label: name, examples, counter_examples, topic_id } = draftOf(field);
    const said = { label: name, examples, counter_examples };
    try {
      await (topic_id
        ? put(`/v1/topics/${encodeURIComponent(topic_id)}`, said)
        : post("/v1/topics", { field, ...said }));
      draft = none(field);
      again();
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  const note = h("span", {});
  const tries = () => {
    fill();
    if (told.childElementCount && !trying.disabled) attempt();
    else told.replaceChildren();
  };
  changed = tries;
  fill();
  return panel(
    mine.topic_id ? "Change a topic that you defined" : "Define a topic",
    "",
    { id: "define", note },
    h(
      "details",
      { open: mine.examples.length > 0 },
      h(
        "summary",
        {},
        "By three to twenty messages that belong to it; it takes what is like them, before all found topics",
      ),
      h(
        "div",
        { class: "defining" },
        label,
        add,
        search,
        sides,
        h("div", { class: "curate" }, trying, saving, clearing),
      ),
      problem,
      told,
    ),
  );
}

// What the topic would take: how much, how surely, from where, and the messages to judge it by.
function trial({ n_texts, n_messages, precision, nearest, border, sources, examples, counter_examples }, field) {
  const sure = precision?.estimate;
  return [
    h(
      "p",
      { id: "trial-sum" },
      h("strong", {}, `It would take ${plural(n_messages, "message")}`),
      ` (${plural(n_texts, "text")}). `,
      sure === null || sure === undefined
        ? null
        : `About ${percent(sure)} of the texts should belong to it, between ${percent(precision.low)} and ${percent(precision.high)}.`,
    ),
    h(
      "p",
      { class: "fine" },
      `Each example held out in turn, ${precision.held_out_taken} of ${examples.length} would be taken`,
      counter_examples.length
        ? `, and ${precision.held_out_refused} of ${counter_examples.length} that do not belong be refused. `
        : ". ",
      "Mark what is wrong: it is kept out, and so is what is more like it than like the examples.",
    ),
    sources.length
      ? h(
          "p",
          { class: "fine", id: "trial-sources" },
          "From: ",
          sources
            .slice(0, 8)
            .map((each) => `${each.label} (${count(each.n_messages)})`)
            .join(", "),
          sources.length > 8 ? ` and ${plural(sources.length - 8, "more topic")}` : "",
        )
      : null,
    texts("In the middle", "nearest", nearest, field),
    texts("At the border", "border", border, field),
  ].filter(Boolean);
}

function texts(title, id, rows, field) {
  if (!rows.length) return null;
  const choice = (row, side, words) =>
    h(
      "button",
      {
        class: "button small",
        type: "button",
        "aria-label": `${words}: ${row.text.slice(0, 80)}`,
        onclick: () => putText(field, side, row.text),
      },
      words,
    );
  return h(
    "div",
    { id: `trial-${id}` },
    h("h3", {}, title),
    table(
      [
        { title: "Message", cls: "whole text", cell: (row) => row.text },
        { title: "Taken", cell: (row) => (row.taken ? "Yes" : "No") },
        { title: "Has now", cls: "muted", cell: (row) => row.topic_label ?? "No topic" },
        { title: "Closeness", hint: "It is taken from 1 on", cls: "number", cell: (row) => row.closeness.toFixed(2) },
        {
          title: "Judge",
          unseen: true,
          cls: "number",
          cell: (row) => [choice(row, "examples", "Belongs"), " ", choice(row, "counter_examples", "Wrong")],
        },
      ],
      rows,
      { cls: "fold messages", label: title },
    ),
  );
}
