// Settings → Metadata: each field's type with why, and an admin's word against it. Plan and usage below.

import { get, patch } from "./api.js";
import { freshness, pageHead } from "./data.js";
import { h, meter, panel } from "./dom.js";
import { fieldsTable, typeMark } from "./fields.js";
import { count, moment } from "./format.js";

const TYPES = ["text", "enum", "number"];
const isAdmin = document.body.dataset.scope === "admin";

export async function settings({ fields, again }) {
  const usage = await get("/v1/usage");
  const problem = h("p", { class: "problem", role: "alert" });
  return h("div", {},
    pageHead("Settings", isAdmin ? null : "You look with a read key; an admin key may change things.", {}, freshness(fields.built_at)),
    h("div", { class: "grid" },
      panel("Metadata", "", { id: "metadata", note: "A type that you set counts from the next build on" }, problem,
        fields.data.length ? fieldsTable(fields.data, { edit: isAdmin ? (field) => chooser(field, problem, again) : (field) => typeMark(field.type) })
          : h("p", { class: "empty" }, "No fields yet.")),
      panel("Plan and usage", "half", { id: "plan" }, plan(usage))));
}

function chooser(field, problem, again) {
  const detected = `as detected (${field.detected_type})`;
  const choose = async (event) => {
    event.target.disabled = true;
    try {
      await patch(`/v1/fields/${encodeURIComponent(field.field)}`, { type: event.target.value || null });
      again();
    } catch (error) {
      problem.textContent = error.message;
      event.target.disabled = false;
    }
  };
  return h("select", { "aria-label": `Type of ${field.field}`, onchange: choose }, h("option", { value: "", selected: !field.overridden }, detected),
    TYPES.map((type) => h("option", { value: type, selected: field.overridden && field.type === type }, type)));
}

function plan(usage) {
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return [h("dl", { class: "facts" }, fact("Plan", usage.plan), fact("Used", count(usage.used)), fact("Limit", usage.limit === null ? "none" : count(usage.limit)),
    fact("Resets", usage.resets_at ? moment(usage.resets_at) : "never")), usage.limit ? meter(usage.used / usage.limit) : null];
}
