// What pages count: messages, or the distinct sessions or users behind them; the address holds it as `unit`.

import { go, here } from "./address.js";
import { h } from "./dom.js";

const TITLES = { messages: "Messages", sessions: "Sessions", users: "Users" };
const SIZES = { messages: "size", sessions: "n_sessions", users: "n_users" };

// What may be chosen where sessions or users are told anyway: messages of a session are no independent units.
export const OF_PEOPLE = ["sessions", "users"];
export const peopleOf = (query) => (unitOf(query) === "users" ? "users" : "sessions");

export const unitOf = (query) => (Object.hasOwn(TITLES, query.get("unit") ?? "") ? query.get("unit") : "messages");

// The query of a route that knows `unit`.
export const inUnit = (asked, query) => {
  const unit = unitOf(query);
  return unit === "messages" ? asked : { ...asked, unit };
};

// A topic's number, the number's name (journeys count moves where topics count messages).
export const sizeOf = (topic, unit) => topic[SIZES[unit]];
export const titleOf = (unit, ofMessages = TITLES.messages) => (unit === "messages" ? ofMessages : TITLES[unit]);

// Of sessions or users one may have several topics.
export const NOT_ONE = "Shares do not add up to 100%: a session or a user may have several";

// Only for a page whose numbers follow: units: those among which they differ.
export function unitSwitch(query, { ofMessages = TITLES.messages, units = Object.keys(TITLES) } = {}) {
  const current = units.includes(unitOf(query)) ? unitOf(query) : units[0];
  return h(
    "div",
    { class: "segments", role: "group", "aria-label": "Count" },
    units.map((unit) =>
      h(
        "button",
        {
          class: "segment",
          type: "button",
          id: `unit-${unit}`,
          "aria-pressed": String(unit === current),
          onclick: () => go(here({ unit: unit === "messages" ? null : unit })),
        },
        titleOf(unit, ofMessages),
      ),
    ),
  );
}
