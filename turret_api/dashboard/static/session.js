// One session as a conversation: each message with its topic, its answer, and the signs of friction that it has.

import { ApiError, get } from "./api.js";
import { link } from "./address.js";
import { answerMarks } from "./answer.js";
import { SIGNS, isMove, kindMark, node, pageHead } from "./data.js";
import { exampleButton } from "./definition.js";
import { erasing } from "./erasures.js";
import { h, said as saidBy } from "./dom.js";
import { gap, moment, plural } from "./format.js";
import { panel } from "./panel.js";
import { mayOwn } from "./rights.js";
import { soundMark } from "./sentiment.js";

export async function session({ field, id }) {
  const [path, asked] = ["/v1/sessions", { session_id: id, field }];
  if (id === null) return unknown();
  let found;
  try {
    found = await get(path, asked);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return unknown();
    throw error;
  }
  const lasted = found.ended_at ? (new Date(found.ended_at) - new Date(found.started_at)) / 1000 : null;
  const talk = h("ol", { class: "talk" });
  const about = h("dl", { class: "pairs" });
  const problem = h("p", { class: "problem", role: "alert" });
  const more = h("button", { type: "button", onclick: () => show(following) }, "Show later messages");
  const users = new Set();
  let last = null,
    next = null;
  const following = () => get(path, { ...asked, cursor: next });
  // A session may have any number of messages: a page of them at a time.
  const add = (page) => {
    for (const message of page.data) {
      talk.append(...lines(message, last, field));
      users.add(message.user_id);
      last = message;
    }
    next = page.next;
    more.hidden = next === null;
    about.replaceChildren(
      h("dt", {}, "Session"),
      h("dd", {}, h("code", {}, found.session_id)),
      h("dt", {}, users.size === 1 ? "User" : "Users"),
      h(
        "dd",
        {},
        [...users].map((user) => h("code", {}, user)),
      ),
    );
  };
  const show = async (ask) => {
    more.disabled = true;
    try {
      add(await ask());
      problem.textContent = "";
    } catch (error) {
      problem.textContent = error.message;
    }
    more.disabled = false;
  };
  add(found);
  return h(
    "div",
    {},
    pageHead(
      "Session",
      found.started_at
        ? `${moment(found.started_at)}, ${plural(found.n_messages, "message")} in ${gap(lasted)}`
        : "No messages in this field",
      [
        mayOwn ? h("a", { class: "button", href: erasing("session", found.session_id) }, "Erase it…") : null,
        h("a", { class: "button", href: link("/journeys") }, "All journeys"),
      ],
    ),
    h(
      "div",
      { class: "grid" },
      panel(
        "Conversation",
        "two-thirds",
        { id: "messages", exports: { table: [path, { ...asked, limit: 1000 }] } },
        found.data.length
          ? [talk, more, problem]
          : h("p", { class: "empty" }, "None of this session's events has a text in this field."),
      ),
      panel("About it", "third", { id: "about" }, about),
    ),
  );
}

// A message, how long after the one before it (null: the first), and its answer.
function lines(message, before, field) {
  const said = h(
    "li",
    { "data-event": message.event_id, id: `message-${message.place}`, class: "asked" },
    h(
      "p",
      { class: "fine" },
      before
        ? `after ${gap((new Date(message.timestamp) - new Date(before.timestamp)) / 1000)}`
        : moment(message.timestamp),
      " · ",
      kindMark(message),
      message.sentiment === "neutral" ? null : [" ", soundMark(message)],
      isMove(message.kind) ? null : [" ", node(message.topic_id ?? "unassigned", message.topic_label, field)],
    ),
    h("div", { class: "text" }, saidBy(message)),
    message.signs.length
      ? h(
          "ul",
          { class: "signs", "aria-label": "Signs of friction" },
          message.signs.map((each) => h("li", {}, sign(each))),
        )
      : null,
    exampleButton(message.text, field),
  );
  if (message.answer === null && message.answer_kind === null) return [said];
  const answer = h("li", { class: "answered" }, h("p", { class: "fine" }, "Answer", answerMarks(message)));
  answer.append(h("div", { class: "text" }, message.answer ?? h("em", { class: "muted" }, "The text was removed.")));
  return [said, answer];
}

// A sign of friction, as a link to the message that it refers to.
function sign({ sign: name, strength, evidence_place: place }) {
  const words = SIGNS[name] ?? name,
    title = `Strength ${strength.toFixed(2)} of 1`;
  return place === null
    ? h("span", { class: "mark friction", title }, words)
    : h("a", { class: "mark friction", title, href: `#message-${place}`, onclick: jump }, `${words} ↑`);
}

// Addresses hold the page's state, so a jump within the page does not change them.
function jump(event) {
  event.preventDefault();
  const target = document.getElementById(event.currentTarget.hash.slice(1));
  target?.scrollIntoView({ block: "center" });
  target?.animate([{ background: "var(--accent-soft)" }, { background: "transparent" }], 1500);
}

const unknown = () =>
  h(
    "div",
    { class: "state" },
    h("h1", {}, "There is no such session"),
    h("p", { class: "muted" }, "It may belong to another project."),
    h("p", {}, h("a", { class: "primary", href: link("/journeys") }, "All journeys")),
  );
