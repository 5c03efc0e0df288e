// One session, message by message, each with its topic.

import { ApiError, list } from "./api.js";
import { link } from "./address.js";
import { node, pageHead } from "./data.js";
import { h } from "./dom.js";
import { gap, moment, plural } from "./format.js";
import { panel } from "./panel.js";

export async function session({ field, id }) {
  const [path, asked] = ["/v1/sessions", { session_id: id, field }];
  if (id === null) return unknown();
  let found;
  try {
    found = await list(path, asked);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return unknown();
    throw error;
  }
  const lasted = found.ended_at ? (new Date(found.ended_at) - new Date(found.started_at)) / 1000 : null;
  const users = [...new Set(found.data.map((message) => message.user_id))];
  return h(
    "div",
    {},
    pageHead(
      "Session",
      found.started_at
        ? `${moment(found.started_at)}, ${plural(found.n_messages, "message")} in ${gap(lasted)}`
        : "No messages in this field",
      h("a", { class: "button", href: link("/journeys") }, "All journeys"),
    ),
    h(
      "div",
      { class: "grid" },
      panel(
        "Messages",
        "two-thirds",
        { id: "messages", exports: { table: [path, { ...asked, limit: 1000 }] } },
        found.data.length
          ? h(
              "ol",
              { class: "talk" },
              found.data.map((message, i) =>
                h(
                  "li",
                  { "data-event": message.event_id },
                  h(
                    "p",
                    { class: "fine" },
                    i
                      ? `after ${gap((new Date(message.timestamp) - new Date(found.data[i - 1].timestamp)) / 1000)}`
                      : moment(message.timestamp),
                    " · ",
                    node(message.topic_id ?? "unassigned", message.topic_label, field),
                  ),
                  h("p", { class: "text" }, message.text),
                ),
              ),
            )
          : h("p", { class: "empty" }, "None of this session's events has a text in this field."),
      ),
      panel(
        "About it",
        "third",
        { id: "about" },
        h(
          "dl",
          { class: "pairs" },
          h("dt", {}, "Session"),
          h("dd", {}, h("code", {}, found.session_id)),
          h("dt", {}, users.length === 1 ? "User" : "Users"),
          h(
            "dd",
            {},
            users.map((user) => h("code", {}, user)),
          ),
        ),
      ),
    ),
  );
}

const unknown = () =>
  h(
    "div",
    { class: "state" },
    h("h1", {}, "There is no such session"),
    h("p", { class: "muted" }, "It may belong to another project."),
    h("p", {}, h("a", { class: "primary", href: link("/journeys") }, "All journeys")),
  );
