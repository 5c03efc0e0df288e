// Settings: what the fields are (an editor's word wins), the project's keys, its use of the plan, and the project itself.

import { addressOf, get, patch } from "./api.js";
import { link } from "./address.js";
import { audit } from "./audit.js";
import { picture, volume } from "./charts.js";
import { freshness, pageHead, tabs } from "./data.js";
import { h, meter } from "./dom.js";
import { erasures } from "./erasures.js";
import { few } from "./few.js";
import { fieldsTable, typeMark } from "./fields.js";
import { ago, count, day, moment, percent, plural, titled } from "./format.js";
import { keeping } from "./keeping.js";
import { keys } from "./keys.js";
import { masking } from "./masking.js";
import { markOf } from "./outcome_marks.js";
import { later, panel, rowsOf } from "./panel.js";
import { people } from "./people.js";
import { lookingAs, mayEdit, mayOwn, mayReadTexts, role } from "./rights.js";
import { copyButton } from "./states.js";
import { table } from "./tables.js";

const TRIAL_MS = 14 * 86_400_000; // from the project's creation
const TYPES = ["text", "enum", "number"];
const about = document.body.dataset;
const SECTIONS = {
  metadata: ["Metadata", metadata],
  keys: ["Keys", keys],
  people: ["People", people],
  masking: ["Masking", masking],
  keeping: ["Keeping", keeping],
  erasure: ["Erasure", erasures],
  few: ["Few users", few],
  usage: ["Usage", usage],
  audit: ["Audit log", audit],
  project: ["Project", project],
};
// Others do not see them among the sections; who opens one by its address is told that it takes an owner.
const FOR_OWNERS = ["keys", "people", "masking", "keeping", "erasure", "audit"];

export function settings(context) {
  const section = SECTIONS[context.id] ? context.id : "metadata";
  return h(
    "div",
    {},
    pageHead(
      "Settings",
      mayOwn ? null : `${lookingAs}; ${mayEdit ? "" : "an editor may change fields, and "}an owner everything.`,
      section === "metadata" ? freshness(context.fields) : null,
    ),
    tabs(
      "Settings",
      section,
      Object.entries(SECTIONS)
        .filter(([key]) => mayOwn || !FOR_OWNERS.includes(key))
        .map(([key, [title]]) => [key, title, link(`/settings/${key}`)]),
    ),
    h("div", { class: "grid" }, SECTIONS[section][1](context)),
  );
}

// fields: a promise of the answer of /v1/fields.
function metadata({ fields, again }) {
  const problem = h("p", { class: "problem", role: "alert" });
  return panel(
    "Metadata",
    "",
    {
      id: "metadata",
      note: mayEdit ? "A type that you set counts from the next build on, an outcome of sessions at once" : "",
      exports: { table: ["/v1/fields", { limit: 1000 }] },
    },
    problem,
    later(
      fields,
      ({ data, left_out }) =>
        data.length
          ? [
              left_out ? leftOut(left_out) : null,
              listed(data, {
                edit: mayEdit ? (field) => chooser(field, problem, again) : (field) => typeMark(field.type),
                mark: (field) => markOf(field, problem, again),
                history,
              }),
            ]
          : h("p", { class: "empty" }, "No fields yet: they appear with the first events."),
      320,
    ),
  );
}

function leftOut({ most, n_fields, examples }) {
  return h(
    "p",
    { class: "note", id: "left-out" },
    `A project has ${count(most)} fields with a type at most: those in most events. At least ${count(n_fields)} more are in the events and have none`,
    examples.length ? [", for example ", examples.slice(0, 3).join(", ")] : null,
    ". Such names are mostly ids; send an id as a value, and its field keeps one name.",
  );
}

const AT_ONCE = 100;

// The fields; of many, those whose names hold what is looked for, some at a time.
function listed(fields, how) {
  if (fields.length <= AT_ONCE) return fieldsTable(fields, how);
  const place = h("div", {});
  const input = h("input", {
    type: "search",
    id: "find-field",
    placeholder: "Find a field…",
    "aria-label": "Find a field by its name or type",
  });
  const fill = (n) => {
    const wanted = input.value.trim().toLowerCase();
    const matching = fields.filter((each) => `${each.field} ${each.type}`.toLowerCase().includes(wanted));
    const more = () => fill(n + AT_ONCE);
    place.replaceChildren(
      matching.length
        ? fieldsTable(matching.slice(0, n), how)
        : h("p", { class: "empty" }, "No field has this name or type."),
      matching.length > n
        ? h("p", {}, h("button", { type: "button", onclick: more }, `Show more of ${plural(matching.length, "field")}`))
        : "",
    );
  };
  input.addEventListener("input", () => fill(AT_ONCE));
  fill(AT_ONCE);
  return [h("p", {}, input), place];
}

function chooser(field, problem, again) {
  const detected = `as detected (${field.detected_type})`;
  const choose = async (event) => {
    event.target.disabled = true;
    try {
      await patch(addressOf("/v1/fields", { field: field.field }), { type: event.target.value || null });
      again();
    } catch (error) {
      problem.textContent = error.message;
      event.target.disabled = false;
    }
  };
  return h(
    "select",
    { "aria-label": `Type of ${field.field}`, onchange: choose },
    h("option", { value: "", selected: !field.overridden }, detected),
    TYPES.map((type) => h("option", { value: type, selected: field.overridden && field.type === type }, type)),
  );
}

// What a field was found, or chosen, to be over time; asked for when it is opened.
function history({ field }) {
  const place = h("div", {});
  const open = () =>
    place.childElementCount ||
    place.append(
      later(
        get("/v1/fields/history", { field }),
        ({ data }) =>
          data.length
            ? h(
                "ol",
                { class: "history-list" },
                data.map((each) =>
                  h(
                    "li",
                    {},
                    each.type === null ? h("span", { class: "muted" }, "choice taken back") : typeMark(each.type),
                    h(
                      "span",
                      { class: "fine" },
                      `${each.by === "person" ? "chosen by a person" : `found, ${percent(each.confidence)} sure`}, ${moment(each.at)}`,
                    ),
                    h("span", { class: "fine" }, each.reason),
                  ),
                ),
              )
            : h("p", { class: "fine" }, "It has been so since it was first seen."),
        20,
      ),
    );
  return h(
    "details",
    { class: "history", ontoggle: open },
    h("summary", { "aria-label": `History of ${field}` }, "History"),
    place,
  );
}

function usage() {
  const used = get("/v1/usage"),
    made = get("/v1/project"),
    events = get("/v1/events");
  const fact = (name, value) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value));
  return [
    later(
      Promise.all([used, made]),
      ([found, { created_at }]) => [
        h(
          "dl",
          { class: "tiles four", id: "plan" },
          fact("Plan", titled(found.plan)),
          fact("Used", count(found.used)),
          fact("Limit", found.limit === null ? "none" : count(found.limit)),
          found.plan === "trial"
            ? fact("Ends", day(new Date(created_at).getTime() + TRIAL_MS))
            : fact("Counts anew", found.resets_at ? day(found.resets_at) : "never"),
        ),
        found.limit
          ? panel(
              "Used of the plan",
              "",
              { id: "used", note: percent(found.used / found.limit) },
              meter(found.used / found.limit),
            )
          : null,
      ],
      90,
    ),
    mayReadTexts &&
      panel(
        "Events received a day",
        "",
        {
          id: "received",
          exports: {
            rows: async () => rowsOf((await events).received_per_day, "date", "count"),
            picture: true,
            query: ["/v1/events", {}, ["received_per_day"]],
          },
          note: later(
            events.catch(() => null),
            (all) => (all ? `${plural(all.n_events, "event")} in the lake, imported ones included` : ""),
            18,
          ),
        },
        later(
          events,
          ({ received_per_day: days }) =>
            days.length
              ? picture(`Events received a day, ${days.length} days`, "short", volume(days, "events"))
              : h("p", { class: "empty" }, "No events yet."),
          132,
        ),
      ),
    panel(
      "Events by name",
      "",
      { id: "names", exports: { table: ["/v1/events", {}] } },
      later(events, ({ data }) =>
        data.length
          ? table(
              [
                { title: "Event", cell: (each) => h("strong", {}, each.name) },
                { title: "Events", cls: "number count", cell: (each) => count(each.count) },
                { title: "First", cls: "muted", cell: (each) => moment(each.first_seen) },
                { title: "Latest", cls: "muted", cell: (each) => moment(each.last_seen) },
              ],
              data,
              { limit: 50, label: "Events by name" },
            )
          : h("p", { class: "empty" }, "No events yet."),
      ),
    ),
  ];
}

function project() {
  const found = get("/v1/project");
  const line = (text) =>
    h(
      "div",
      { class: "line" },
      h("pre", { class: "code", tabindex: "0" }, text),
      copyButton(() => text),
    );
  return [
    panel(
      "Project",
      "half",
      { id: "project" },
      later(found, (all) =>
        h(
          "dl",
          { class: "pairs" },
          h("dt", {}, "Name"),
          h("dd", {}, all.name),
          h("dt", {}, "Id"),
          h("dd", {}, h("code", {}, all.project_id)),
          h("dt", {}, "Plan"),
          h("dd", {}, titled(all.plan)),
          h("dt", {}, "Made"),
          h("dd", {}, moment(all.created_at)),
          h("dt", {}, "Signed in as"),
          h("dd", {}, role),
        ),
      ),
    ),
    panel(
      "Tables",
      "half",
      {
        id: "tables",
        note: "When each was last built",
        exports: { rows: async () => rowsOf((await found).tables, "table", "built_at") },
      },
      later(found, ({ tables }) =>
        tables.length
          ? h(
              "ul",
              { class: "fresh" },
              tables.map((each) =>
                h(
                  "li",
                  {},
                  h("span", {}, each.table),
                  h("span", { class: "muted", title: moment(each.built_at) }, ago(each.built_at)),
                ),
              ),
            )
          : h("p", { class: "empty" }, "None was built yet."),
      ),
    ),
    panel(
      "From the command line",
      "",
      { id: "commands" },
      h("p", { class: "fine" }, "On the server; each command has --help."),
      line(`turret build --project ${about.projectId}`),
      line(`turret import events.ndjson --project ${about.projectId}`),
      line(`turret export messages --project ${about.projectId} --out messages.parquet`),
    ),
  ];
}
