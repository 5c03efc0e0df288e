// Settings → Masking: what is masked before it is stored, in all fields or some; and a text to try it with.

import { get, post, put } from "./api.js";
import { h } from "./dom.js";
import { attempt } from "./notes.js";
import { later, panel } from "./panel.js";
import { mayOwn } from "./rights.js";

const NOTHING = "nothing";

export function masking() {
  if (!mayOwn)
    return panel(
      "Masking",
      "",
      { id: "masking" },
      h("p", { class: "empty" }, "Only an owner may see and change what is masked."),
    );
  const place = h("div", { class: "later" });
  const fill = (rule) => place.replaceChildren(...parts(rule, fill));
  place.append(later(get("/v1/masking"), (rule) => (fill(rule), null), 300));
  return place;
}

function parts(rule, fill) {
  const problem = h("p", { class: "problem", role: "alert" });
  const saved = h("p", { class: "fine", role: "status" });
  const kinds = Object.entries(rule.available).map(([kind, words]) => [
    kind,
    box(kind, words, rule.kinds.includes(kind)),
  ]);
  const linked = box("linked", "Tell the same value from others within a session: <EMAIL_3f9a2c>", rule.linked);
  const ids = box("ids", "Replace user, session and event ids that are such a value, always by the same", rule.ids);
  const fields = h("textarea", { name: "fields", rows: 4, placeholder: "order.payment: card, iban\nnote: nothing" });
  fields.value = written(rule.fields);
  const chosen = () => ({
    kinds: kinds.filter(([, each]) => each.input.checked).map(([kind]) => kind),
    fields: read(fields.value),
    linked: linked.input.checked,
    ids: ids.input.checked,
  });
  const save = (event) => {
    event.preventDefault();
    saved.textContent = "";
    attempt(problem, async () => {
      fill(await put("/v1/masking", chosen()));
      document.querySelector("#masking [role=status]").textContent = "Saved. It counts for events from now on.";
    });
  };
  return [
    panel(
      "Masking",
      "",
      { id: "masking", note: "Before an event is stored, whichever way it comes" },
      h(
        "form",
        { onsubmit: save },
        h(
          "fieldset",
          { class: "plain" },
          h("legend", { class: "fine" }, "In every field"),
          ...kinds.map(([, each]) => line(each)),
        ),
        h("fieldset", { class: "plain" }, h("legend", { class: "fine" }, "How"), line(linked), line(ids)),
        h(
          "label",
          { class: "pick stack" },
          `Other kinds in some fields: one field a line, with its kinds; “${NOTHING}” masks nothing there`,
          fields,
        ),
        h("div", { class: "controls" }, h("button", { class: "primary", type: "submit" }, "Save")),
      ),
      problem,
      saved,
    ),
    trial(chosen),
  ];
}

// A text by the rule as it is chosen in the form, saved or not.
function trial(chosen) {
  const problem = h("p", { class: "problem", role: "alert" });
  const text = h("textarea", { name: "text", rows: 3, maxlength: 20000, placeholder: "Mail me at ann@example.com." });
  const outcome = h("div", { role: "status" });
  const run = (event) => {
    event.preventDefault();
    outcome.replaceChildren();
    attempt(problem, async () => {
      const found = await post("/v1/masking/try", { text: text.value, rule: chosen() });
      outcome.replaceChildren(h("pre", { class: "code", id: "masked", tabindex: "0" }, found.text));
    });
  };
  return panel(
    "Try it",
    "",
    { id: "try-masking", note: "By what is chosen above, saved or not; the text is not stored" },
    h(
      "form",
      { onsubmit: run },
      h("label", { class: "pick stack" }, "A text", text),
      h("div", { class: "controls" }, h("button", { class: "button", type: "submit" }, "Mask it")),
    ),
    problem,
    outcome,
  );
}

const box = (value, words, checked) => ({
  input: h("input", { type: "checkbox", name: "masking", value, checked }),
  words,
});
const line = ({ input, words }) => h("label", { class: "check" }, input, words);

const written = (fields) =>
  Object.entries(fields)
    .map(([field, kinds]) => `${field}: ${kinds.join(", ") || NOTHING}`)
    .join("\n");

// The last colon of a line parts them: a field's name may have some itself.
function read(text) {
  const lines = text.split("\n").filter((each) => each.trim());
  return Object.fromEntries(
    lines.map((each) => {
      const at = each.lastIndexOf(":");
      if (at < 1) throw new Error(`“${each}”: write a field, a colon and its kinds, such as “note: email, phone”.`);
      const kinds = each
        .slice(at + 1)
        .split(",")
        .map((kind) => kind.trim())
        .filter(Boolean);
      return [each.slice(0, at).trim(), kinds.join() === NOTHING ? [] : kinds];
    }),
  );
}
