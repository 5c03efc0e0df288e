// All topics of a text field: the map, search by meaning, and the list, narrowed by the filters.

import { afterwards, get } from "./api.js";
import { go, here, note } from "./address.js";
import { withAnswer } from "./answer.js";
import { colourName } from "./charts.js";
import { asked, freshness, loadTopics, node, nothing, pageHead, withKind } from "./data.js";
import { definitionPanel } from "./definition.js";
import { h, said } from "./dom.js";
import { withFilters } from "./filters.js";
import { fits } from "./fits.js";
import { count, percent, plural } from "./format.js";
import { topicMap } from "./map.js";
import { exampleColumn, whenColumn } from "./messages.js";
import { later, panel } from "./panel.js";
import { mayReadTexts } from "./rights.js";
import { numberOf, sumChoice, sumRest } from "./sums.js";
import { table, topicsTable } from "./tables.js";
import { decisions } from "./topic_edits.js";
import { inUnit, unitSwitch } from "./units.js";

const MOST_POINTS = 100_000,
  FEW_THEMES = 8;

export function topics(context) {
  const { field, query, again } = context;
  const number = numberOf(query),
    found = loadTopics(field, query, number);
  const source = (level) => ["/v1/topics", inUnit({ ...asked(field, query), level, number, limit: 1000 }, query)];
  const q = (mayReadTexts && query.get("q")) || "",
    texts = mayReadTexts
      ? afterwards(() => get("/v1/topics/map", { ...asked(field, query), limit: MOST_POINTS }))
      : null;
  texts?.catch(() => null);
  return h(
    "div",
    {},
    pageHead(
      "Topics",
      later(
        found.catch(() => null),
        (all) =>
          all
            ? `${plural(all.topics.length, "topic")} of ${field}${all.themes.length ? `, in ${plural(all.themes.length, "theme")}` : ""}${all.n_hidden ? `; ${plural(all.n_hidden, "message")} of hidden topics` : ""}${all.n_moves ? `; ${plural(all.n_moves, "move")} of the conversation folded` : ""}`
            : "",
        20,
      ),
      unitSwitch(query),
      freshness(found),
    ),
    withFilters(
      context,
      mayReadTexts ? search(q) : null,
      q
        ? panel(
            `Messages like “${q}”`,
            "",
            { id: "found", exports: { table: ["/v1/messages", { ...asked(field, query), q, limit: 100 }] } },
            later(
              Promise.all([get("/v1/messages", { ...asked(field, query), q, limit: 25 }), found]),
              ([answer, all]) => [closeness(answer), hits(answer.data, all.name, field), unfindable(answer)],
            ),
          )
        : null,
      definitionPanel(field, again),
      later(
        found,
        (all) =>
          all.topics.length
            ? both(all, texts, context, source)
            : panel(
                "Topics",
                "",
                { id: "topics" },
                nothing(
                  query,
                  "topics",
                  "No topics yet: they are found once a few dozen different texts are there, at the next build.",
                ),
              ),
        520,
      ),
      mayReadTexts ? [decisions(field, found, again), fits(field)] : null,
    ),
  );
}

// The map and the list; a theme chosen in the map's legend stands out in the one and narrows the other.
function both(all, texts, { fields, field, query }, source) {
  const state = {
    theme: all.themes.some((theme) => theme.topic_id === query.get("theme")) ? query.get("theme") : null,
  };
  const list = listPanel(all, fields, field, query, source, state);
  const map = mapPanel(all, texts, field, query, state, (theme) => {
    state.theme = theme;
    note({ theme });
    map.highlight(theme);
    list.fill();
  });
  map.highlight(state.theme);
  return [map.panel, list.panel];
}

function search(q) {
  const input = h("input", {
    type: "search",
    id: "search",
    value: q,
    placeholder: "Search messages by meaning: “cannot pay with my card”",
    "aria-label": "Search messages by meaning",
    maxlength: 1000,
  });
  return h(
    "form",
    {
      class: "panel search",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        go(here({ q: input.value.trim() }));
      },
    },
    input,
    h("button", { class: "primary", type: "submit" }, "Search"),
    q ? h("button", { class: "button", type: "button", onclick: () => go(here({ q: null })) }, "Clear") : null,
  );
}

// How many messages say about what is searched for: the list below goes on with ever less alike ones.
const closeness = ({ n_close: close, data }) =>
  data.length
    ? h(
        "p",
        { class: "muted", id: "closeness" },
        close
          ? `${plural(close, "message")} ${close === 1 ? "says" : "say"} about this.`
          : "Nothing close to this was said. The nearest messages:",
      )
    : null;

// What no search finds: texts that are over, or were erased.
const unfindable = ({ n_gone: gone }) =>
  gone
    ? h("p", { class: "fine", id: "gone" }, `Not searched: ${plural(gone, "message")} whose text was removed.`)
    : null;

function hits(data, name, field) {
  if (!data.length) return h("p", { class: "empty" }, "No message is like it.");
  return table(
    [
      { title: "Message", cls: "whole text", cell: (message) => withAnswer(withKind(said(message), message), message) },
      {
        title: "Topic",
        cell: (message) => node(message.topic_id ?? "unassigned", message.topic_label ?? name(message.topic_id), field),
      },
      {
        title: "Alike",
        hint: "Cosine of the angle between the message and what is searched for: 1 is the same",
        cls: "number",
        cell: (message) => message.similarity?.toFixed(2) ?? "–",
      },
      whenColumn(field),
      exampleColumn(field),
    ],
    data,
    { cls: "fold messages", label: "Messages found" },
  );
}

function mapPanel(all, texts, field, query, state, choose) {
  const seen = query.get("map")?.split(",").map(Number);
  const map = topicMap(all, texts, field, { seen: seen?.length === 4 && seen.every(Number.isFinite) ? seen : null });
  const source = ["/v1/topics/map", { ...asked(field, query), limit: MOST_POINTS }];
  const rows = async () => {
    const columns = await texts;
    return [
      ["x", "y", "topic_id", "text", "size"],
      ...columns.x.map((x, i) => [x, columns.y[i], columns.topic_id[i], columns.text[i], columns.size[i]]),
    ];
  };
  return {
    panel: panel(
      "Map",
      "",
      {
        id: "map",
        note: "Drag to move, scroll to zoom, click to open",
        exports: { picture: true, rows: texts && rows, query: source },
      },
      map,
      legend(all, state, choose),
    ),
    highlight: map.map.highlight,
  };
}

function legend(all, state, choose) {
  const size = (theme) =>
    all.topics.filter((topic) => topic.parent_id === theme.topic_id).reduce((sum, topic) => sum + topic.size, 0);
  const total = all.topics.reduce((sum, topic) => sum + topic.size, 0) || 1;
  const themes = all.themes
    .map((theme) => [theme, size(theme)])
    .filter(([, n]) => n)
    .sort((a, b) => b[1] - a[1]);
  const buttons = themes.map(([theme, n]) =>
    h(
      "button",
      {
        type: "button",
        class: "theme",
        "data-theme": theme.topic_id,
        title: `${theme.label}: ${count(n)} messages`,
        onclick: () => {
          choose(state.theme === theme.topic_id ? null : theme.topic_id);
          mark();
        },
      },
      h("i", { class: "dot", style: { background: colourName(all.place(theme)) } }),
      h("span", {}, theme.label),
      h("span", { class: "muted" }, percent(n / total)),
    ),
  );
  const mark = () =>
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.theme === state.theme)));
  mark();
  const items = (some) =>
    h(
      "ul",
      { class: "legend", "aria-label": "Themes" },
      some.map((button) => h("li", {}, button)),
    );
  const rest = buttons.slice(FEW_THEMES);
  return [
    items(buttons.slice(0, FEW_THEMES)),
    rest.length
      ? h(
          "details",
          { class: "more-values", open: rest.some((button) => button.dataset.theme === state.theme) },
          h("summary", {}, plural(rest.length, "more theme")),
          items(rest),
        )
      : null,
  ];
}

function listPanel(all, fields, field, query, source, state) {
  const place = h("div", {}),
    choice = h("div", { class: "segments" });
  const input = h("input", {
    type: "search",
    id: "find",
    value: query.get("find") ?? "",
    placeholder: "Find a topic…",
    "aria-label": "Find a topic by label or keyword",
  });
  // Of many topics themes come first; who looks for one, or in one theme, looks among topics.
  const byTheme = () => {
    const asked = new URLSearchParams(location.search).get("list");
    return asked ? asked === "themes" : all.isCrowded;
  };
  const fill = () => {
    const wanted = input.value.trim().toLowerCase();
    const themesFirst = byTheme() && state.theme === null && !wanted;
    choice.replaceChildren(...(all.themes.length ? listChoice(themesFirst) : []));
    const within =
      state.theme === null ? all.ofLevel(themesFirst) : all.topics.filter((topic) => topic.parent_id === state.theme);
    const matching = within.filter((topic) =>
      [topic.label, topic.summary ?? "", ...(topic.keywords ?? []), topic.examples?.[0] ?? ""]
        .join(" ")
        .toLowerCase()
        .includes(wanted),
    );
    place.replaceChildren(
      matching.length
        ? topicsTable({ ...all, topics: matching }, field, { sort: "sort", number: numberOf(query) })
        : h("p", { class: "empty" }, "No topic has these words."),
    );
  };
  input.addEventListener("input", () => {
    note({ find: input.value.trim() });
    fill();
  });
  const listChoice = (themesFirst) =>
    [
      ["themes", "Themes"],
      ["topics", "Topics"],
    ].map(([key, title]) =>
      h(
        "button",
        {
          class: "segment",
          type: "button",
          id: `list-${key}`,
          "aria-pressed": String((key === "themes") === themesFirst),
          onclick: () => {
            note({ list: key });
            fill();
          },
        },
        title,
      ),
    );
  fill();
  const tools = [choice, sumChoice(fields, numberOf(query)), input];
  const sums = sumRest(all.number);
  return {
    panel: panel("All topics", "", { id: "topics", note: tools, exports: { table: source(0) } }, place, sums),
    fill,
  };
}
