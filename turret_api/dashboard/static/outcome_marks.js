// Which fields are outcomes, that is, tell how well a session went: what a mark says, and how an editor sets or takes it back.

import { addressOf, patch } from "./api.js";
import { h } from "./dom.js";
import { mayEdit } from "./rights.js";

const SHOWN = 20;
const LIKELY =
  /^(is_)?(resolved|solved|success|rating|stars|thumbs|feedback|score|csat|nps|cost(_[a-z]+)?|latency(_ms)?)$/i;
const GOOD = ["true", "yes", "up", "thumbs_up", "positive", "good", "helpful", "resolved", "solved", "success", "1"];
const LOWER = /cost|latency|price|duration|errors?/i;

const valuesOf = (field) => (field.values ?? []).map(({ value }) => String(value));
const isNumber = (text) => text.trim() !== "" && Number.isFinite(Number(text));
const hasDirection = (field) => field.type === "number" || valuesOf(field).every(isNumber);
const canBe = (field) => field.type === "number" || (field.type === "enum" && field.values?.length > 0);

export const saidOf = ({ better, good }) =>
  better ? `${better} is better` : `good: ${good.slice(0, 3).join(", ")}${good.length > 3 ? ", …" : ""}`;

const change = (field, outcome) => patch(addressOf("/v1/fields", { field: field.field }), { outcome });

// What a field is as an outcome; null where it is none. `problem`: where what goes wrong is said.
export function markOf(field, problem, again) {
  if (!mayEdit) return field.outcome ? h("p", { class: "fine" }, `Outcome, ${saidOf(field.outcome)}`) : null;
  if (!canBe(field) && !field.outcome) return null;
  const said = field.outcome?.problem ? h("p", { class: "problem" }, field.outcome.problem) : null;
  const set = async (outcome) => {
    try {
      await change(field, outcome);
      again();
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  if (!canBe(field)) return [said, unmark(field, set)];
  return [said, hasDirection(field) ? directions(field, set) : null, field.type === "enum" ? goods(field, set) : null];
}

const unmark = (field, set) =>
  h(
    "button",
    { class: "button", type: "button", "aria-label": `${field.field} is no outcome`, onclick: () => set(null) },
    "No outcome",
  );

function directions(field, set) {
  const now = field.outcome?.good ? null : (field.outcome?.better ?? "");
  const option = (value, words) => h("option", { value, selected: value === now }, words);
  return h(
    "select",
    {
      class: "outcome-mark",
      "aria-label": `${field.field} as an outcome`,
      onchange: ({ target }) => set(target.value ? { better: target.value } : null),
    },
    field.outcome?.good ? h("option", { selected: true, disabled: true }, "by good values") : null,
    option("", "no outcome"),
    option("higher", "higher is better"),
    option("lower", "lower is better"),
  );
}

function goods(field, set) {
  const now = field.outcome?.good ?? null,
    values = valuesOf(field).slice(0, SHOWN),
    checked = new Set(now ?? likelyGood(field));
  const box = (value) =>
    h(
      "label",
      { class: "check" },
      h("input", {
        type: "checkbox",
        value,
        checked: checked.has(value),
        onchange: ({ target }) => {
          checked[target.checked ? "add" : "delete"](value);
          save.disabled = !checked.size;
        },
      }),
      value,
    );
  const save = h(
    "button",
    { class: "button", type: "button", disabled: !checked.size, onclick: () => set({ good: [...checked] }) },
    now ? "Save" : "Mark as outcome",
  );
  return h(
    "details",
    { class: "history outcome-mark" },
    h(
      "summary",
      { "aria-label": `${field.field} as an outcome` },
      now ? `outcome, ${saidOf({ good: now })}` : hasDirection(field) ? "by good values" : "no outcome",
    ),
    h("fieldset", {}, h("legend", { class: "fine" }, "Good values; all others are bad"), values.map(box)),
    h("div", { class: "controls" }, save, now ? unmark(field, set) : null),
  );
}

const likelyGood = (field) => valuesOf(field).filter((value) => GOOD.includes(value.toLowerCase()));

// What `field` looks like as an outcome by its name; null: like none.
function suggestion(field) {
  if (!LIKELY.test(field.field) || !canBe(field)) return null;
  if (hasDirection(field)) return { better: LOWER.test(field.field) ? "lower" : "higher" };
  const good = likelyGood(field);
  return good.length && good.length < valuesOf(field).length ? { good } : null;
}

// The fields that look like outcomes by their names, each with a button that marks it, where one may do that.
export function suggestions(fields, again) {
  const rank = ({ good, better }) => (good ? 0 : better === "higher" ? 1 : 2);
  const found = fields
    .map((field) => [field, suggestion(field)])
    .filter(([, outcome]) => outcome)
    .sort(([, a], [, b]) => rank(a) - rank(b));
  if (!found.length) return null;
  const problem = h("p", { class: "problem", role: "alert" });
  const mark = (field, outcome) => async (event) => {
    event.target.disabled = true;
    try {
      await change(field, outcome);
      again();
    } catch (error) {
      problem.textContent = error.message;
      event.target.disabled = false;
    }
  };
  return [
    problem,
    h("p", { class: "fine" }, "By their names these fields may be outcomes:"),
    h(
      "ul",
      { class: "suggestions" },
      found.map(([field, outcome]) =>
        h(
          "li",
          {},
          h("strong", { class: "field-name" }, field.field),
          ` ${saidOf(outcome)} `,
          mayEdit
            ? h(
                "button",
                {
                  class: "button",
                  type: "button",
                  "aria-label": `Mark ${field.field} as an outcome: ${saidOf(outcome)}`,
                  onclick: mark(field, outcome),
                },
                "Mark as outcome",
              )
            : null,
        ),
      ),
    ),
  ];
}
