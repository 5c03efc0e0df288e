// What a page shows when it has nothing to show, and what to do about it.

import { getAnew, post } from "./api.js";
import { h, meter } from "./dom.js";
import { count, plural } from "./format.js";
import { skeleton } from "./panel.js";
import { mayOwn, role } from "./rights.js";

const about = document.body.dataset;

const curl = (key) => `curl ${about.origin}/track \\
  -H 'X-API-Key: ${key}' \\
  -H 'Content-Type: application/json' \\
  -d '{"name": "user_prompt", "session_id": "s-1", "user_id": "u-1",
       "metadata": {"prompt": "Where is my order?", "plan": "free"}}'`;

export function loading(title) {
  return h(
    "div",
    {},
    h("div", { class: "page-head" }, h("h1", {}, title)),
    h(
      "div",
      { class: "grid" },
      [86, 260, 420].map((height) => h("div", { class: "whole-row" }, skeleton(height))),
    ),
  );
}

export function failed(error, again) {
  return h(
    "div",
    { class: "state", role: "alert" },
    h("h1", {}, "This page could not be loaded"),
    h("p", { class: "problem" }, error.message),
    h("p", {}, h("button", { class: "primary", onclick: again }, "Try again")),
    h("p", { class: "fine" }, "The API's log is logs/api.log in the folder TURRET_HOME."),
  );
}

// In place of a page of texts, or of single users, for who may see counts alone.
export const notWithThisRole = (title, why = "shows what users wrote") =>
  h(
    "div",
    { class: "state" },
    h("h1", {}, title),
    h(
      "p",
      {},
      `Your role does not allow this: you are a ${role}, and this page ${why}. It takes an analyst; ask an owner.`,
    ),
  );

// Above a page: the fields that the last build could not do, while it did all others.
export function brokenFields(fields) {
  return h(
    "div",
    { class: "panel broken", role: "alert" },
    fields.map((each) =>
      h("p", { class: "problem" }, "The field ", h("strong", {}, each.field), ` failed in ${each.failure}`),
    ),
    h(
      "p",
      { class: "fine" },
      "All other fields are up to date. Messages of a field that failed are counted, new ones may be without a topic. It is tried again when its messages change, and by `turret build --full-refresh`.",
    ),
  );
}

// Above every page: events of the project have waited longer than they should, or a file is damaged.
export function late(freshness) {
  if (freshness.damaged) {
    return h(
      "div",
      { class: "panel broken", role: "alert", id: "late" },
      h("p", { class: "problem" }, h("strong", {}, "A file is damaged. "), freshness.reason),
      h("p", { class: "fine" }, "What needs the file is not shown; everything else goes on, and events are taken."),
    );
  }
  return h(
    "div",
    { class: "panel broken", role: "alert", id: "late" },
    h("p", { class: "problem" }, h("strong", {}, "These tables are late. "), freshness.reason),
    h(
      "p",
      { class: "fine" },
      "What is shown lacks these events. They are safe: `turret status` names what does not run, and the logs in the folder TURRET_HOME say why.",
    ),
  );
}

const LOOK_MS = 3000;

// Above every page: how far new events have come. Looks again by itself, and draws the page anew once all are there.
export function building(first) {
  const words = h("p", {}),
    bar = h("div", { class: "whole-row" });
  const place = h("div", { class: "panel building", id: "building", role: "status" }, words, bar);
  const tell = (found) => {
    words.replaceChildren(h("strong", {}, "New events are being built in. "), progressOf(found));
    bar.replaceChildren(meter(found.n_texts ? found.n_embedded / found.n_texts : 0));
  };
  tell(first);
  follow(place, tell);
  return place;
}

const progressOf = ({ n_received, n_events, n_texts, n_embedded }) =>
  [
    `${plural(n_received, "event")} received${n_events < n_received ? `, ${count(n_events)} in the tables so far` : ""}. `,
    n_texts ? `${count(n_embedded)} of ${plural(n_texts, "text")} embedded. ` : "",
    "Topics and journeys of what is new follow after that.",
  ].join("");

// Tells `tell` how far events have come while `place` is shown; once all are there, the page is drawn anew.
function follow(place, tell) {
  const look = async () => {
    if (!place.isConnected) return;
    const found = await getAnew("/v1/freshness").catch(() => null);
    if (!place.isConnected) return;
    if (found && !found.building) return dispatchEvent(new Event("turret:view"));
    if (found) tell(found.building);
    setTimeout(look, LOOK_MS);
  };
  setTimeout(look, LOOK_MS);
}

export function firstEvent(again) {
  const code = h("pre", { class: "code", tabindex: "0" }, curl("YOUR_WRITE_KEY"));
  const problem = h("p", { class: "problem", role: "alert" });
  const withKey = async (event) => {
    try {
      const { key } = await post("/v1/keys", { scope: "write" });
      code.textContent = curl(key);
      event.target.replaceWith(
        h("span", { class: "fine" }, "A new write key stands in the line. It is shown this once: keep it."),
      );
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  return h(
    "div",
    { class: "state" },
    h("h1", {}, "No events yet"),
    h(
      "p",
      { class: "muted" },
      "Topics, journeys and field types appear here by themselves once your app sends events.",
    ),
    h(
      "ol",
      { class: "steps" },
      h(
        "li",
        {},
        h(
          "div",
          {},
          h("h2", {}, "Send the first event"),
          h("p", { class: "muted" }, "With the project's write key (tw_…), which was shown when the project was made."),
          code,
          h(
            "div",
            { class: "controls" },
            copyButton(() => code.textContent),
            mayOwn
              ? h("button", { class: "button", type: "button", onclick: withKey }, "Make a write key for it")
              : null,
          ),
          problem,
        ),
      ),
      h(
        "li",
        {},
        h(
          "div",
          {},
          h("h2", {}, "Send what you have"),
          h("p", { class: "muted" }, "Past conversations go in from a file, outside the quota."),
          h("pre", { class: "code", tabindex: "0" }, `turret import events.ndjson --project ${about.projectId}`),
        ),
      ),
      h(
        "li",
        {},
        h(
          "div",
          {},
          h("h2", {}, "Wait a minute, or build at once"),
          h("p", { class: "muted" }, "The pipeline notices new events by itself."),
          h("pre", { class: "code", tabindex: "0" }, `turret build --project ${about.projectId}`),
          h("button", { class: "primary", type: "button", onclick: again }, "Look again"),
        ),
      ),
    ),
  );
}

export function copyButton(text) {
  return h(
    "button",
    {
      class: "button",
      type: "button",
      onclick: async (event) => {
        await navigator.clipboard.writeText(text());
        event.target.textContent = "Copied";
      },
    },
    "Copy",
  );
}

export function notBuilt(usage, known, again) {
  const said = h("p", { class: "muted", role: "status", id: "progress" });
  const tell = (found) =>
    said.replaceChildren(
      found ? progressOf(found) : `${plural(usage.used, "event was", "events were")} tracked.`,
      " The pipeline notices new events within a minute and builds by itself; with thousands of texts the first build takes a minute or two.",
    );
  tell(known);
  if (known) follow(said, tell);
  return h(
    "div",
    { class: "state" },
    h("h1", {}, "Your events are here; the tables are not built yet"),
    said,
    h("p", {}, "To build at once, in the foreground:"),
    h("pre", { class: "code", tabindex: "0" }, `turret build --project ${about.projectId}`),
    h(
      "p",
      {},
      h("button", { class: "primary", onclick: again }, "Look again"),
      " ",
      about.dagster
        ? h("a", { class: "button", href: about.dagster, target: "_blank", rel: "noreferrer" }, "See the pipeline ↗")
        : null,
    ),
  );
}

export function noTextField(fields) {
  return h(
    "div",
    { class: "state" },
    h("h1", {}, "No text field yet"),
    h(
      "p",
      { class: "muted" },
      "Topics and journeys are made from free text. None of the fields tracked so far looks like it: " +
        `${fields.data
          .map((field) => field.field)
          .slice(0, 12)
          .join(", ")}.`,
    ),
    h(
      "p",
      {},
      "If one of them is, an editor can say so: ",
      h("a", { href: "/settings", class: "more" }, "Settings → Metadata"),
      ".",
    ),
  );
}
