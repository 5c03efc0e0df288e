// Settings → Few users: of how many users a count must be to be shown without texts.

import { get, put } from "./api.js";
import { h } from "./dom.js";
import { attempt } from "./notes.js";
import { later, panel } from "./panel.js";
import { mayOwn } from "./rights.js";

export const few = ({ again }) =>
  panel(
    "Few users",
    "",
    { id: "few", note: "What fewer users have is counted as one: “Few users”" },
    later(get("/v1/few"), (chosen) => (mayOwn ? form(chosen, again) : told(chosen)), 90),
  );

const told = ({ viewers, exports }) =>
  h(
    "p",
    {},
    `Whatever a viewer is shown is ${users(viewers)}. Exported journeys and digests that are sent are ${users(exports)}.`,
  );

const users = (n) => (n > 1 ? `of ${n} users or more` : "of any number of users");

function form(chosen, again) {
  const problem = h("p", { class: "problem", role: "alert" });
  const number = (name) =>
    h("input", { type: "number", name, min: 0, max: 1000, step: 1, required: true, value: chosen[name] });
  const viewers = number("viewers"),
    exports = number("exports");
  const submit = (event) => {
    event.preventDefault();
    return attempt(problem, async () => {
      await put("/v1/few", { viewers: Number(viewers.value), exports: Number(exports.value) });
      again();
    });
  };
  return [
    h(
      "form",
      { class: "controls", onsubmit: submit },
      h("label", { class: "pick" }, "Viewers see counts of at least", viewers),
      h("label", { class: "pick" }, "Exported journeys and digests that are sent, at least", exports),
      h("button", { class: "primary", type: "submit" }, "Save"),
    ),
    h(
      "p",
      { class: "fine" },
      "Users; 0 means any number. Other exports hold texts or rows of single users, and leave nothing out.",
    ),
    problem,
  ];
}
