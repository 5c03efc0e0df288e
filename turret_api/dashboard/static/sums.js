// A number field, as cost or tokens, added up over the messages of each topic. Which one is in the address (`number`).

import { go, here } from "./address.js";
import { h } from "./dom.js";
import { count, measure, plural } from "./format.js";
import { mayReadTexts } from "./rights.js";

const FIRST = /cost|price|usd|eur|token/i;

// The field that the address names; null: none, or the one who looks may see no sums.
export const numberOf = (query) => (mayReadTexts ? query.get("number") : null);

// The number fields that may be added up, those first that people add up: costs and tokens.
export const numberFields = (fields) =>
  fields.data
    .filter((each) => each.type === "number" && mayReadTexts)
    .map((each) => each.field)
    .sort((a, b) => FIRST.test(b) - FIRST.test(a) || a.localeCompare(b));

export function sumChoice(fields, chosen) {
  const numbers = numberFields(fields);
  if (!numbers.length) return null;
  return h(
    "label",
    { class: "pick" },
    "Add up",
    h(
      "select",
      { id: "add-up", name: "number", onchange: (event) => go(here({ number: event.target.value, sort: null })) },
      h("option", { value: "" }, "nothing"),
      numbers.map((field) => h("option", { value: field, selected: field === chosen }, field)),
    ),
  );
}

// The column of a table of topics that were asked for with `number`; null without.
export const sumColumn = (number) =>
  number && {
    title: `Sum of ${number}`,
    hint: "Over the topic's messages, each of which counts for its topic once; below, the mean of a message",
    cls: "number sum",
    value: (topic) => topic.number?.sum,
    cell: ({ number: found }) => [
      measure(found?.sum),
      found?.n
        ? h("div", { class: "fine", title: `Median ${measure(found.median)}` }, `${measure(found.mean)} each`)
        : null,
    ],
  };

// What the sums of the listed topics leave out, so that everything adds up to all messages.
export const sumRest = (total) =>
  total &&
  h(
    "p",
    { class: "fine rest", id: "sum-rest" },
    `${total.field} of all ${plural(total.all.n, "message")} that have it: ${measure(total.all.sum)}. `,
    `Of it, ${measure(total.unassigned.sum)} is of ${count(total.unassigned.n)} without a topic`,
    total.hidden.n ? ` and ${measure(total.hidden.sum)} of ${count(total.hidden.n)} with a hidden one` : null,
    ".",
  );
