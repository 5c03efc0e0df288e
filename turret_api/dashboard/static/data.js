// What pages need in common from the answers of `/v1`, and how a page's head looks.

import { get, list } from "./api.js";
import { here, go, isFilter, link } from "./address.js";
import { h } from "./dom.js";
import { ago, moment } from "./format.js";
import { later } from "./panel.js";
import { inUnit, sizeOf, unitOf } from "./units.js";

// The text field, the filters, and whether moves of the conversation count: what topics, journeys and messages take from
// the address.
export function asked(field, query) {
  const found = { field, kinds: query.get("kinds") === "all" ? "all" : null };
  for (const key of new Set(query.keys())) if (isFilter(key)) found[key] = query.getAll(key);
  return found;
}

// The same for journeys, which are of topics or (level 1) of themes.
export const askedJourneys = (field, query) => ({ ...asked(field, query), level: isOfThemes(query) ? 1 : null });
export const isOfThemes = (query) => query.get("level") === "1";

// Past so many topics a picture or a list of all of them says little, and themes come first.
export const MANY_TOPICS = 30;

// The query with the level that journeys are shown at, where the address does not say.
export async function withLevel(field, query) {
  if (query.has("level")) return query;
  const found = new URLSearchParams(query);
  if (await isFull(field, query)) found.set("level", "1");
  return found;
}

// How many topics there are is told at once; how many filters leave, by the topics themselves.
async function isFull(field, query) {
  if ([...query.keys()].some(isFilter)) {
    const [{ data }, coarse] = await bothLevels(field, query);
    return isCrowded(data, coarse.data);
  }
  const { topics } = await get("/v1/topics/fits"),
    known = topics.find((each) => each.field === field);
  return known ? known.n_topics > MANY_TOPICS && known.n_themes > 0 : false;
}

const isCrowded = (topics, coarse) =>
  topics.filter((topic) => !isMove(topic.topic_id)).length > MANY_TOPICS && coarse.some((topic) => topic.level === 1);

const bothLevels = (field, query, number = null) =>
  Promise.all(
    [null, 1].map((level) =>
      list("/v1/topics", inUnit({ ...asked(field, query), ...(level && { level }), number }, query)),
    ),
  );

// number: a number field to add up over the messages of each topic.
export async function loadTopics(field, query, number = null) {
  const [answer, coarse] = await bothLevels(field, query, number);
  // At level 1 a topic without a theme stands for itself, and so does each kind of moves.
  const moves = answer.data.filter((topic) => isMove(topic.topic_id)),
    topics = answer.data.filter((topic) => !isMove(topic.topic_id)),
    themes = coarse.data.filter((topic) => topic.level === 1);
  const alone = topics.filter((topic) => !topic.parent_id);
  const unit = unitOf(query);
  const bySize = (some) =>
    [...some].sort((a, b) => sizeOf(b, unit) - sizeOf(a, unit) || (a.topic_id < b.topic_id ? -1 : 1));
  return {
    ...answer,
    unit,
    topics,
    themes,
    moves,
    isCrowded: isCrowded(topics, themes),
    ofLevel: (coarsely) => (coarsely ? bySize([...themes, ...alone, ...moves]) : answer.data),
    place: placing(topics, themes),
    name: naming([...topics, ...themes, ...answer.hidden, ...coarse.hidden]),
  };
}

// Which colour a topic has: its theme's, themes in order of size; without themes, its own rank.
function placing(topics, themes) {
  const size = new Map();
  for (const topic of topics) size.set(topic.parent_id, (size.get(topic.parent_id) ?? 0) + topic.size);
  const order = [...size.keys()]
    .filter((id) => id !== null && id !== undefined)
    .sort((a, b) => size.get(b) - size.get(a));
  const rank = new Map(topics.map((topic, i) => [topic.topic_id, i]));
  const theme = new Map(topics.map((topic) => [topic.topic_id, order.indexOf(topic.parent_id)]));
  for (const each of themes) theme.set(each.topic_id, order.indexOf(each.topic_id));
  return (topic) => {
    const found = theme.get(topic.topic_id);
    return found === undefined ? null : order.length ? found : (rank.get(topic.topic_id) ?? null);
  };
}

export const SPECIAL = {
  start: "Start",
  end: "End",
  unassigned: "No topic",
  rest: "Other topics",
  moves: "Moves only",
  few: "Few users",
};

// What messages are that are no requests, by their kind; all but the first are moves of the conversation.
export const KINDS = {
  follow_up: "Follow-up",
  greeting: "Greeting",
  thanks: "Thanks",
  yes: "Yes",
  no: "No",
  continue: "Continue",
  correction: "Correction",
  complaint: "Complaint",
  goodbye: "Goodbye",
  other: "Other moves",
};
// Signs of friction, in the words of a person.
export const SIGNS = {
  rephrased: "Asked again in other words",
  repeated: "Asked again",
  correction: "Corrected",
  complaint: "Complained",
  answer_repeated: "Got the same answer again",
  back_and_forth: "Went back and forth",
  gave_up: "Gave up",
  any: "Any of these",
};

export const isMove = (key) => key !== "follow_up" && Object.hasOwn(KINDS, key);

// The kind of a message, where it is not a request.
export const kindMark = ({ kind }) => (kind in KINDS ? h("span", { class: "mark kind" }, KINDS[kind]) : null);

// The words of a message with its kind behind them.
export const withKind = (words, message) => {
  const mark = kindMark(message);
  return mark ? [words, " ", mark] : words;
};

// From a node of the journeys to its name.
export function naming(topics) {
  const labels = new Map(topics.map((topic) => [topic.topic_id, topic.label]));
  return (key, label = key) => SPECIAL[key] ?? labels.get(key) ?? (isMove(key) ? KINDS[key] : label);
}

export const topicLink = (topic_id, field, number = null) =>
  link(`/topics/${encodeURIComponent(topic_id)}`, { field, number });
// Browsers take `.` and `..` in a path for folders, so these ids go into the query.
export const sessionLink = (id, field) =>
  id === "." || id === ".."
    ? link("/sessions/", { id, field })
    : link(`/sessions/${encodeURIComponent(id)}`, { field });

// A node of the journeys, as a link where it is a topic.
export const node = (key, label, field) =>
  SPECIAL[key]
    ? h("span", { class: "muted" }, SPECIAL[key])
    : h("a", { class: "plain", href: topicLink(key, field) }, label);

export const arrow = () => h("span", { class: "arrow", role: "img", "aria-label": "to" }, "→");

// A move from one node to another, both as they are to be shown.
export const fromTo = (from, to) => h("span", { class: "move" }, from, arrow(), to);

export function pageHead(title, about, ...tools) {
  return h(
    "div",
    { class: "page-head" },
    h("div", {}, h("h1", {}, title), about ? h("p", { class: "fine" }, about) : null),
    h("div", { class: "tools" }, tools),
  );
}

// What stands where there is nothing to list: `found` for these filters, or, without filters, what to wait for.
export const nothing = (query, things, otherwise) =>
  h("p", { class: "empty" }, [...query.keys()].some(isFilter) ? `No ${things} for these filters.` : otherwise);

// Which text field a page is about; a choice where there are several.
export function fieldChooser(texts, field) {
  if (texts.length < 2) return h("span", { class: "chip", id: "field" }, "Text field", h("strong", {}, field));
  return h(
    "label",
    { class: "pick" },
    "Text field",
    h(
      "select",
      { id: "field", onchange: (event) => go(here({ field: event.target.value })) },
      texts.map((each) => h("option", { value: each, selected: each === field }, each)),
    ),
  );
}

// When what the page shows was built; `answer`: a promise of an answer with `built_at`.
export function freshness(answer) {
  return later(
    answer.catch(() => null),
    (found) => {
      if (!found) return null; // the part that shows the answer says what went wrong
      const { built_at } = found;
      const old = !built_at || Date.now() - new Date(built_at) > 36 * 3600 * 1000;
      return h(
        "span",
        { class: "chip", id: "freshness", title: built_at ? moment(built_at) : "" },
        h("i", { class: `dot ${old ? "warn" : "good"}` }),
        built_at ? `Built ${ago(built_at)}` : "Not built yet",
      );
    },
    20,
  );
}

// Tabs of a page: links, for each is an address.
export function tabs(label, current, pairs) {
  return h(
    "nav",
    { class: "tabs", "aria-label": label },
    pairs.map(([key, title, href]) => h("a", { href, "aria-current": key === current ? "page" : null }, title)),
  );
}
