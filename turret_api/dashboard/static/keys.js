// Settings → Keys: which keys the project has; making one, which is shown once; revoking one.

import { get, post, remove } from "./api.js";
import { choice, h } from "./dom.js";
import { ago, moment } from "./format.js";
import { later, panel, rowsOf } from "./panel.js";
import { mayOwn } from "./rights.js";
import { copyButton } from "./states.js";
import { table } from "./tables.js";

// What a key may do: send events, or what its role may.
const MAY = {
  write: "send events",
  viewer: "see counts, topics and journeys, but no text",
  analyst: "read texts too",
  editor: "change topics, fields, notes and alerts too",
  owner: "do everything: keys, people and privacy too",
};

export function keys({ again }) {
  if (!mayOwn)
    return panel(
      "Keys",
      "",
      { id: "keys" },
      h("p", { class: "empty" }, "Only an owner may see and change the project's keys."),
    );
  const made = h("div", { class: "made", role: "status" });
  const problem = h("p", { class: "problem", role: "alert" });
  const list = h("div", {});
  const fill = () => list.replaceChildren(later(get("/v1/keys"), ({ data }) => keysTable(data, problem, again), 200));
  fill();
  return [
    panel(
      "New key",
      "",
      { id: "new-key", note: "A key is shown once; only its hash is kept" },
      form(made, problem, again),
      problem,
      made,
    ),
    panel(
      "Keys",
      "",
      {
        id: "keys",
        exports: {
          rows: async () =>
            rowsOf(
              (await get("/v1/keys")).data,
              ...["key_id", "name", "scope", "role", "hint", "created_at", "last_used_at", "expires_at", "revoked_at"],
            ),
        },
      },
      list,
    ),
  ];
}

function form(made, problem) {
  const may = choice(
    "may",
    Object.entries(MAY).map(([each, words]) => [each, `${each}: may ${words}`]),
  );
  const days = h(
    "select",
    { name: "days" },
    [
      ["", "never"],
      [30, "in 30 days"],
      [90, "in 90 days"],
      [365, "in a year"],
    ].map(([value, label]) => h("option", { value }, label)),
  );
  const name = h("input", { type: "text", name: "name", maxlength: 100, placeholder: "Ada’s notebook" });
  const submit = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      const found = await post("/v1/keys", {
        ...(may.value === "write" ? { scope: may.value } : { role: may.value }),
        days: days.value ? Number(days.value) : null,
        name: name.value.trim() || null,
      });
      made.replaceChildren(
        h(
          "p",
          {},
          h("strong", {}, `Your new ${found.role ?? found.scope} key. `),
          "Keep it now; it is never shown again.",
        ),
        h(
          "div",
          { class: "line" },
          h("pre", { class: "code", id: "the-key", tabindex: "0" }, found.key),
          copyButton(() => found.key),
        ),
        h("a", { class: "more", href: location.href }, "Done: show it among the keys"),
      );
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  return h(
    "form",
    { class: "controls", onsubmit: submit },
    h("label", { class: "pick" }, "It may", may),
    h("label", { class: "pick" }, "It expires", days),
    h("label", { class: "pick" }, "Its name", name),
    h("button", { class: "primary", type: "submit" }, "Make a key"),
  );
}

function keysTable(data, problem, again) {
  const state = (key) =>
    key.revoked_at
      ? `revoked ${ago(key.revoked_at)}`
      : key.expires_at && new Date(key.expires_at) < new Date()
        ? "expired"
        : "valid";
  return table(
    [
      {
        title: "Key",
        cell: (key) => [key.name ? [h("strong", {}, key.name), " "] : null, h("code", {}, `${key.hint}…`)],
      },
      {
        title: "May",
        cell: (key) => [
          h("span", { class: "type" }, key.role ?? key.scope),
          key.is_current ? h("span", { class: "fine" }, " you are signed in with it") : null,
        ],
      },
      { title: "Made", cls: "muted", cell: (key) => moment(key.created_at) },
      {
        title: "Last used",
        hint: "To about a minute",
        cls: "muted",
        cell: (key) =>
          key.is_current
            ? "now"
            : key.last_used_at
              ? h("span", { title: moment(key.last_used_at) }, ago(key.last_used_at))
              : "never",
      },
      { title: "Expires", cls: "muted", cell: (key) => (key.expires_at ? moment(key.expires_at) : "never") },
      { title: "State", cell: (key) => h("span", { class: state(key) === "valid" ? "" : "muted" }, state(key)) },
      {
        title: "Revoke",
        unseen: true,
        cls: "number",
        cell: (key) => (state(key) === "valid" ? revoke(key, problem, again) : ""),
      },
    ],
    data,
    { cls: "fold keys", label: "Keys", attributes: (key) => ({ "data-key": key.key_id }) },
  );
}

// Asked twice in place, for what used the key stops at once.
function revoke(key, problem, again) {
  const button = h(
    "button",
    {
      class: "button",
      type: "button",
      "aria-label": `Revoke ${key.name ?? key.hint}`,
      onclick: async () => {
        if (button.textContent === "Revoke") {
          button.textContent = key.is_current ? "Revoke and sign out?" : "Really revoke?";
          return;
        }
        try {
          await remove(`/v1/keys/${encodeURIComponent(key.key_id)}`);
          again();
        } catch (error) {
          problem.textContent = error.message;
        }
      },
    },
    "Revoke",
  );
  return button;
}
