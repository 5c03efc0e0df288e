// The panel of filters that topics and journeys share: time, event name, text field, segments. What is chosen lives in the
// address, so a link to a view carries it.

import { get } from "./api.js";
import { go, here, isFilter } from "./address.js";
import { cohortChip } from "./cohorts.js";
import { h } from "./dom.js";
import { count, day, measure, plural } from "./format.js";
import { later } from "./panel.js";
import { saveButton } from "./views.js";

const DAY_MS = 86_400_000;
const FEW = 6,
  MANY = 30,
  SEGMENTS = 20;
const put = (changes) => go(here(changes));
const isoDay = (time) => new Date(time).toISOString().slice(0, 10);

// Content beside its panel of filters.
export function withFilters({ fields, texts, field, query }, ...content) {
  const set = [...query].filter(([key]) => isFilter(key));
  const clear = h(
    "button",
    { class: "quiet link", type: "button", onclick: () => put(Object.fromEntries(set.map(([key]) => [key, null]))) },
    "Clear filters",
  );
  return h(
    "div",
    { class: "with-filters" },
    h("div", { class: "grid" }, chips(set, field), content),
    h(
      "details",
      { class: "filters panel", open: innerWidth > 1080 },
      h(
        "summary",
        {},
        h("h2", {}, "Filters"),
        set.length
          ? h("span", { class: "count-mark" }, count(set.length), h("span", { class: "unseen" }, " set"))
          : null,
      ),
      h(
        "div",
        { class: "filter-groups", role: "group", "aria-label": "Filters" },
        texts.length > 1
          ? group(
              "Text field",
              h(
                "select",
                { name: "field", "aria-label": "Text field", onchange: (event) => put({ field: event.target.value }) },
                texts.map((each) => h("option", { value: each, selected: each === field }, each)),
              ),
            )
          : null,
        group("Conversation", moveSwitch(query)),
        group("Time", time(query)),
        group(
          "Event",
          later(get("/v1/events"), (events) => names(events.data, query), 34),
        ),
        segments(fields.data, query),
        set.length ? clear : null,
        saveButton(),
      ),
    ),
  );
}

// Whether greetings, thanks and the like are shown, each kind as a topic, or folded into what is around them.
const moveSwitch = (query) =>
  h(
    "label",
    { class: "tick", title: "Greetings, thanks, yes and no, goodbyes and the like" },
    h("input", {
      type: "checkbox",
      role: "switch",
      name: "kinds",
      value: "all",
      checked: query.get("kinds") === "all",
      onchange: (event) => put({ kinds: event.target.checked ? "all" : null, move: null }),
    }),
    h("span", {}, "Show moves of the conversation"),
  );

// The fields that tell events apart: of many, those in most events and those with a choice, and one by one the others.
function segments(fields, query) {
  const options = fields.filter((each) => each.type === "enum" && (each.values?.length ?? 0) > 1);
  const all = [...options, ...fields.filter((each) => each.type === "number" && each.bins?.length)];
  const groupOf = (each) => group(each.field, each.type === "enum" ? values(each, query) : numbers(each, query));
  if (all.length <= SEGMENTS) return all.map(groupOf);
  const first = new Set([...all].sort((a, b) => b.n_events - a.n_events).slice(0, SEGMENTS));
  for (const each of all) if (query.has(`segment.${each.field}`)) first.add(each);
  const rest = new Map(all.filter((each) => !first.has(each)).map((each) => [each.field, each]));
  const add = (event) => {
    const chosen = rest.get(event.target.value);
    if (!chosen) return;
    rest.delete(chosen.field);
    more.before(groupOf(chosen));
    event.target.value = "";
  };
  const known = h(
    "datalist",
    { id: "more-segments" },
    [...rest.keys()].map((field) => h("option", { value: field })),
  );
  const input = h("input", {
    type: "search",
    name: "more-segments",
    list: "more-segments",
    placeholder: "Name of a field…",
    "aria-label": `Filter by one of ${plural(rest.size, "more field")}`,
    oninput: add,
  });
  const more = group(plural(rest.size, "more field"), input, known);
  return [all.filter((each) => first.has(each)).map(groupOf), more];
}

const group = (title, ...content) => h("fieldset", { class: "filter" }, h("legend", {}, title), content);

// What is set, each to be taken away by itself.
export function chips(set, field) {
  if (!set.length) return null;
  return h(
    "ul",
    { class: "chips", "aria-label": "Filters that are set" },
    set.map(([key, value]) => {
      if (key === "cohort") {
        const others = set.filter(([k, v]) => k === key && v !== value).map(([, v]) => v);
        return h("li", {}, cohortChip(value, field, others));
      }
      const words = `${key.replace(/^segment\./, "").replace(/^name$/, "event")}: ${key === "to" ? `before ${day(value)}` : key === "from" ? day(value) : spoken(value)}`;
      const left = set.filter(([k, v]) => k === key && v !== value).map(([, v]) => v);
      return h(
        "li",
        {},
        h(
          "button",
          {
            class: "chip",
            type: "button",
            "aria-label": `Remove filter ${words}`,
            onclick: () => put({ [key]: left }),
          },
          words,
          h("span", { "aria-hidden": "true" }, "×"),
        ),
      );
    }),
  );
}

function time(query) {
  const from = query.get("from")?.slice(0, 10) ?? "",
    to = query.get("to")?.slice(0, 10) ?? "";
  const preset = (label, days) => {
    const since = days ? isoDay(Date.now() - (days - 1) * DAY_MS) : "";
    return h(
      "button",
      {
        class: "segment",
        type: "button",
        id: `last-${days}`,
        "aria-pressed": String(!to && from === since),
        onclick: () => put({ from: since, to: null }),
      },
      label,
    );
  };
  // `to` is the first moment that no longer counts; a person names the last day that does.
  const last = to ? isoDay(new Date(to).getTime() - DAY_MS) : "";
  return [
    h(
      "div",
      { class: "segments" },
      preset("All", 0),
      preset("7 days", 7),
      preset("30 days", 30),
      preset("90 days", 90),
    ),
    h(
      "div",
      { class: "pair dates" },
      h(
        "label",
        {},
        "From",
        h("input", {
          type: "date",
          name: "from",
          value: from,
          max: last || null,
          onchange: (event) => put({ from: event.target.value }),
        }),
      ),
      h(
        "label",
        {},
        "To",
        h("input", {
          type: "date",
          name: "to",
          value: last,
          min: from || null,
          onchange: (event) =>
            put({ to: event.target.value && isoDay(new Date(event.target.value).getTime() + DAY_MS) }),
        }),
      ),
    ),
  ];
}

function names(events, query) {
  const chosen = query.get("name") ?? "";
  return h(
    "select",
    { name: "name", "aria-label": "Event", onchange: (event) => put({ name: event.target.value }) },
    h("option", { value: "" }, "any"),
    events
      .slice(0, 200)
      .map((each) =>
        h(
          "option",
          { value: each.name, selected: each.name === chosen },
          each.count === null ? each.name : `${each.name} (${count(each.count)})`,
        ),
      ),
    chosen && !events.some((each) => each.name === chosen)
      ? h("option", { value: chosen, selected: true }, chosen)
      : null,
  );
}

function tick(key, value, label, n, query) {
  const chosen = query.getAll(key);
  const change = (event) =>
    put({ [key]: event.target.checked ? [...chosen, value] : chosen.filter((each) => each !== value) });
  return h(
    "label",
    { class: "tick" },
    h("input", { type: "checkbox", name: key, value, checked: chosen.includes(value), onchange: change }),
    h("span", { class: "name", title: label }, label),
    n === null ? null : h("span", { class: "muted" }, count(n)),
  );
}

function values(field, query) {
  const key = `segment.${field.field}`,
    chosen = query.getAll(key);
  const all = field.values.slice(0, MANY).map((each) => [String(each.value), each.count]);
  for (const value of chosen) if (!all.some(([known]) => known === value)) all.push([value, null]);
  return folded(
    all.map(([value, n]) => tick(key, value, value, n, query)),
    "more value",
    all.slice(FEW).some(([value]) => chosen.includes(value)),
    FEW,
  );
}

// The first ones, and the others behind a word; open where one of them is chosen.
function folded(ticks, word, open, first = 0) {
  if (ticks.length <= first + 1) return ticks;
  return [
    ticks.slice(0, first),
    h(
      "details",
      { class: "more-values", open },
      h("summary", {}, plural(ticks.length - first, word)),
      ticks.slice(first),
    ),
  ];
}

// A number in the API's bins, or a range of one's own.
function numbers(field, query) {
  const key = `segment.${field.field}`,
    chosen = query.getAll(key);
  const bins = binsOf(field);
  const own = chosen.filter((value) => !bins.some(([bin]) => bin === value));
  const range = own.map((value) => value.split("..")).find((ends) => ends.length === 2) ?? ["", ""];
  const apply = (event) => {
    const [low, high] = [...event.target.closest(".pair").querySelectorAll("input")].map((input) => input.value);
    put({ [key]: low || high ? `${low}..${high}` : null });
  };
  return [
    h(
      "div",
      { class: "pair" },
      ["from", "to"].map((end, i) =>
        h(
          "label",
          {},
          end === "from" ? "At least" : "Below",
          h("input", {
            type: "number",
            step: "any",
            name: `${key} ${end}`,
            value: range[i],
            placeholder: i ? measure(field.max) : measure(field.min),
            onchange: apply,
          }),
        ),
      ),
    ),
    folded(
      bins.map(([bin, n]) => tick(key, bin, spoken(bin), n, query)),
      "bin",
      bins.some(([bin]) => chosen.includes(bin)),
    ),
  ];
}

// The bins of a number field as segments (`10..20`), each with how many events it has.
export const binsOf = (field) =>
  (field.bins ?? []).map((bin) => [`${bin.from ?? ""}..${bin.to ?? ""}`, bin.count]).filter(([bin]) => bin !== "..");

// A range in words: `10..20` takes numbers from 10 on and below 20.
export function spoken(value) {
  const [low, high, more] = value.split("..");
  if (
    high === undefined ||
    more !== undefined ||
    ![low, high].every((end) => /^-?[\d.]*$/.test(end)) ||
    low + high === ""
  )
    return value;
  return low && high
    ? `${measure(Number(low))} to ${measure(Number(high))}`
    : low
      ? `${measure(Number(low))} or more`
      : `below ${measure(Number(high))}`;
}
