// The filters of topics and journeys. They live in the address, so a link to a view carries them.

import { go, link } from "./address.js";
import { h } from "./dom.js";

const MAX_VALUES = 30;

export function filterBar(fields, query) {
  const put = (changes) => go(link(location.pathname, changes));
  const date = (key, label) => h("label", { class: "pick" }, label, h("input", { type: "date", name: key, value: (query.get(key) ?? "").slice(0, 10),
    onchange: (event) => put({ [key]: event.target.value || null }) }));
  const segments = fields.filter((field) => field.type === "enum" && (field.values?.length ?? 0) > 1).map((field) => {
    const key = `segment.${field.field}`;
    const options = field.values.slice(0, MAX_VALUES).map((each) => String(each.value));
    return h("label", { class: "pick" }, field.field, h("select", { name: key, onchange: (event) => put({ [key]: event.target.value || null }) },
      h("option", { value: "" }, "any"), options.map((value) => h("option", { value, selected: value === query.get(key) }, value))));
  });
  const set = [...query.keys()].filter((key) => ["from", "to", "name"].includes(key) || key.startsWith("segment."));
  const clear = h("button", { class: "button", type: "button", onclick: () => put(Object.fromEntries(set.map((key) => [key, null]))) }, "Clear filters");
  return h("div", { class: "filters panel", role: "group", "aria-label": "Filters" }, date("from", "From"), date("to", "To"), segments, set.length ? clear : null);
}
