// Settings → People: who may sign in with an account of the provider, and as what; for owners.

import { get, patch, post } from "./api.js";
import { choice, h } from "./dom.js";
import { ago, moment } from "./format.js";
import { attempt, takeAway } from "./notes.js";
import { later, panel, rowsOf } from "./panel.js";
import { mayOwn } from "./rights.js";
import { table } from "./tables.js";

const ROLES = {
  viewer: "see counts, topics and journeys, but no text",
  analyst: "read texts too",
  editor: "change topics, fields, notes and alerts too",
  owner: "do everything: keys, people and privacy too",
};

export function people({ again }) {
  if (!mayOwn)
    return panel(
      "People",
      "",
      { id: "people" },
      h("p", { class: "empty" }, "Only an owner may see and change who may sign in."),
    );
  const problem = h("p", { class: "problem", role: "alert" });
  const known = get("/v1/people");
  const words = document.body.dataset.oidc
    ? `They sign in with ${document.body.dataset.oidc}; the first account that comes with an address has it from then on. ` +
      "Who is in a group that has a role need not be added"
    : "No provider is set (TURRET_OIDC_ISSUER), so nobody can sign in this way yet";
  return [
    panel("New person", "", { id: "new-person", note: words }, form(problem, again), problem),
    panel(
      "People",
      "",
      {
        id: "people",
        exports: {
          rows: async () =>
            rowsOf(
              (await known).data,
              "person_id",
              "email",
              "role",
              "given_role",
              "group_role",
              "group",
              "created_at",
              "signed_in_at",
            ),
        },
      },
      later(known, ({ data }) =>
        data.length
          ? peopleTable(data, problem, again)
          : h("p", { class: "empty" }, "Nobody may sign in with an account yet. Keys work all the same."),
      ),
    ),
  ];
}

function form(problem, again) {
  const email = h("input", {
    type: "email",
    name: "email",
    maxlength: 320,
    required: true,
    placeholder: "ada@example.com",
    autocomplete: "off",
  });
  const role = choice(
    "role",
    Object.entries(ROLES).map(([each, words]) => [each, `${each}: may ${words}`]),
  );
  const submit = (event) => {
    event.preventDefault();
    attempt(problem, async () => {
      await post("/v1/people", { email: email.value.trim(), role: role.value });
      again();
    });
  };
  return h(
    "form",
    { class: "controls", onsubmit: submit },
    h("label", { class: "pick" }, "E-mail address", email),
    h("label", { class: "pick" }, "Role", role),
    h("button", { class: "primary", type: "submit" }, "Add"),
  );
}

const peopleTable = (data, problem, again) =>
  table(
    [
      {
        title: "Person",
        cls: "long",
        cell: (each) => [
          h("strong", {}, each.email),
          each.is_current ? h("span", { class: "fine" }, " that is you") : null,
        ],
      },
      { title: "Role", cell: (each) => each.role },
      { title: "Given here", cell: (each) => givenTo(each, problem, again) },
      {
        title: "By a group",
        cls: "muted",
        cell: ({ group_role: role, group }) => (role ? `${role}, by ${group}` : ""),
      },
      { title: "Added", cls: "muted", cell: (each) => moment(each.created_at) },
      {
        title: "Signed in",
        cls: "muted",
        cell: ({ signed_in_at: at }) => (at ? h("span", { title: moment(at) }, ago(at)) : "never"),
      },
      {
        title: "Remove",
        unseen: true,
        cls: "number",
        cell: (each) => takeAway(each.email, `/v1/people/${encodeURIComponent(each.person_id)}`, problem, again),
      },
    ],
    data,
    { cls: "fold", label: "People", attributes: (each) => ({ "data-person": each.person_id }) },
  );

// The role that an owner gave; who has one by a group needs none.
function givenTo(each, problem, again) {
  const change = ({ target }) =>
    attempt(problem, async () => {
      await patch(`/v1/people/${encodeURIComponent(each.person_id)}`, { role: target.value || null });
      again();
    });
  const none = each.group_role ? h("option", { value: "", selected: !each.given_role }, "none") : null;
  return h(
    "select",
    { "aria-label": `Role of ${each.email}`, onchange: change },
    none,
    Object.keys(ROLES).map((role) => h("option", { value: role, selected: role === each.given_role }, role)),
  );
}
