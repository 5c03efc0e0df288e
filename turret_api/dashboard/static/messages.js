// What tables of messages have in common.

import { sessionLink } from "./data.js";
import { exampleButton } from "./definition.js";
import { h } from "./dom.js";
import { moment } from "./format.js";

// When a message was said, as a link to its session.
export const whenColumn = (field) => ({
  title: "When",
  cls: "muted",
  cell: (message) =>
    h(
      "a",
      {
        class: "plain",
        href: sessionLink(message.session_id, field),
        "aria-label": `Read the session of ${moment(message.timestamp)}`,
      },
      moment(message.timestamp),
    ),
});

export const exampleColumn = (field) => ({
  title: "Example",
  unseen: true,
  cls: "number",
  cell: (message) => exampleButton(message.text, field),
});
