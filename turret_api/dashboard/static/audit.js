// Settings → Audit log: what was done in the project and by whom, latest first, for its owners.

import { get, list } from "./api.js";
import { choice, h } from "./dom.js";
import { moment, titled } from "./format.js";
import { later, panel, rowsOf } from "./panel.js";
import { mayOwn } from "./rights.js";
import { table } from "./tables.js";

const SHOWN = 100;
const ACTIONS = {
  sign_in: "signed in",
  sign_in_refused: "was refused at sign-in",
  sign_out: "signed out",
  export: "exported",
  import: "imported",
  import_undone: "took an import back",
  erasure: "erased",
  key_made: "made a key",
  key_revoked: "revoked a key",
  person_added: "added a person",
  person_changed: "changed a person",
  person_removed: "removed a person",
  project_made: "made the project",
  project_deleted: "deleted the project",
  plan_changed: "changed the plan",
  setting_changed: "changed a setting",
  backup: "made a backup",
  restore: "restored a backup",
};

export function audit() {
  if (!mayOwn)
    return panel("Audit log", "", { id: "audit" }, h("p", { class: "empty" }, "Only an owner may see the audit log."));
  const action = choice("action", [["", "everything"], ...Object.entries(ACTIONS).map(([key, words]) => [key, words])]);
  const place = h("div", {});
  const fill = () => place.replaceChildren(page(action.value || null, null));
  action.addEventListener("change", fill);
  fill();
  return panel(
    "Audit log",
    "",
    { id: "audit", note: "Kept for two years", exports: { rows } },
    h("div", { class: "controls" }, h("label", { class: "pick" }, "Show", action)),
    place,
  );
}

async function rows() {
  const { data } = await list("/v1/audit", { limit: 1000 });
  const flat = data.map((each) => ({ ...each, about: JSON.stringify(each.about) }));
  return rowsOf(flat, "audit_id", "at", "actor", "action", "about");
}

// The entries from `cursor` on; older ones are asked for below them.
function page(action, cursor) {
  return later(
    Promise.all([get("/v1/audit", { action, cursor, limit: SHOWN }), namesOfKeys()]),
    ([{ data, next }, known]) => {
      if (!data.length) return h("p", { class: "empty" }, "Nothing of this was done yet.");
      const older = h("div", {});
      const more = () => older.replaceChildren(page(action, next));
      if (next) older.append(h("button", { class: "button", type: "button", onclick: more }, "Show older entries"));
      return [entries(data, known), older];
    },
    320,
  );
}

const entries = (data, known) =>
  table(
    [
      { title: "When", cls: "muted", cell: (each) => moment(each.at) },
      { title: "Who", cls: "long", cell: (each) => actorOf(each.actor, known) },
      { title: "What", cell: doneBy },
      { title: "Of what", cls: "whole long", cell: (each) => aboutOf(each.about) },
    ],
    data,
    { cls: "fold", label: "Audit log", attributes: (each) => ({ "data-entry": each.audit_id }) },
  );

// Of an erasure there are two entries: that it was asked for, and that it is done.
const doneBy = ({ action, about }) =>
  action === "erasure" && about.state === "asked for" ? "asked for an erasure" : (ACTIONS[action] ?? titled(action));

export const namesOfKeys = () =>
  get("/v1/keys").then(({ data }) => new Map(data.map((key) => [key.key_id, key.name ?? `${key.hint}…`])));

// known: names of keys by their ids.
export function actorOf(actor, known = new Map()) {
  const [kind, ...rest] = actor.split(":"),
    id = rest.join(":");
  if (kind === "person") return id;
  if (kind === "key") return ["key ", h("strong", {}, known.get(id) ?? id)];
  return kind === "command" ? `${id}, on the server` : "somebody without a name";
}

const aboutOf = (about) =>
  Object.entries(about)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(", ");
