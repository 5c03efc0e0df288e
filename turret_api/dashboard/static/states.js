// What a page shows when it has nothing to show, and what to do about it.

import { h } from "./dom.js";
import { count } from "./format.js";

const about = document.body.dataset;

const command = () => `curl ${about.origin}/track \\
  -H 'X-API-Key: YOUR_WRITE_KEY' \\
  -H 'Content-Type: application/json' \\
  -d '{"name": "user_prompt", "session_id": "s-1", "user_id": "u-1",
       "metadata": {"prompt": "Where is my order?", "plan": "free"}}'`;

export function loading(title) {
  const block = (height, span = 12) => h("div", { class: "skeleton", style: { height: `${height}px`, "grid-column": `span ${span}` } });
  return h("div", {}, h("div", { class: "page-head" }, h("h1", {}, title), h("p", { class: "fine", role: "status" }, "Loading…")),
    h("div", { class: "grid" }, block(86), block(260), block(420)));
}

export function failed(error, again) {
  return h("div", { class: "state", role: "alert" }, h("h1", {}, "This page could not be loaded"),
    h("p", { class: "problem" }, error.message), h("p", {}, h("button", { class: "primary", onclick: again }, "Try again")),
    h("p", { class: "fine" }, "The API's log is logs/api.log in the folder TURRET_HOME."));
}

export function firstEvent(again) {
  const text = command();
  const copy = h("button", { class: "button", onclick: async (event) => {
    await navigator.clipboard.writeText(text);
    event.target.textContent = "Copied";
  } }, "Copy");
  return h("div", { class: "state" }, h("h1", {}, "No events yet"),
    h("p", { class: "muted" }, "Topics, journeys and field types appear here by themselves once your app sends events."),
    h("ol", { class: "steps" },
      h("li", {}, h("div", {}, h("h3", {}, "Send the first event"),
        h("p", { class: "muted" }, "With the project's write key (tw_…), which was shown when the project was made."), h("pre", { class: "code" }, text), copy)),
      h("li", {}, h("div", {}, h("h3", {}, "Send what you have"),
        h("p", { class: "muted" }, "Past conversations go in from a file, outside the quota."),
        h("pre", { class: "code" }, `turret import events.ndjson --project ${about.projectId}`))),
      h("li", {}, h("div", {}, h("h3", {}, "Wait a minute, or build at once"),
        h("p", { class: "muted" }, "The pipeline notices new events by itself."),
        h("pre", { class: "code" }, `turret build --project ${about.projectId}`),
        h("button", { class: "primary", onclick: again }, "Look again")))));
}

export function notBuilt(usage, again) {
  return h("div", { class: "state" }, h("h1", {}, "Your events are here; the tables are not built yet"),
    h("p", { class: "muted" }, `${count(usage.used)} events were tracked. The pipeline notices new events within a minute and builds by itself; `
      + "with thousands of texts the first build takes a minute or two."),
    h("p", {}, "To build at once, in the foreground:"), h("pre", { class: "code" }, `turret build --project ${about.projectId}`),
    h("p", {}, h("button", { class: "primary", onclick: again }, "Look again"), " ",
      h("a", { class: "button", href: about.dagster, target: "_blank", rel: "noreferrer" }, "See the pipeline ↗")));
}

export function noTextField(fields) {
  return h("div", { class: "state" }, h("h1", {}, "No text field yet"),
    h("p", { class: "muted" }, "Topics and journeys are made from free text. None of the fields tracked so far looks like it: "
      + `${fields.data.map((field) => field.field).slice(0, 12).join(", ")}.`),
    h("p", {}, "If one of them is, an admin can say so: ", h("a", { href: "/settings", class: "more" }, "Settings → Metadata"), "."));
}
