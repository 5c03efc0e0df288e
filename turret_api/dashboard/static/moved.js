// The sessions behind one kind of move.

import { get } from "./api.js";
import { here } from "./address.js";
import { cohortLink } from "./cohorts.js";
import { askedJourneys, sessionLink } from "./data.js";
import { h } from "./dom.js";
import { count, day, gap, moment, plural } from "./format.js";
import { later, panel } from "./panel.js";
import { table } from "./tables.js";

// What the address says of the sessions beside the move: when they began, whose they are, whether they met with friction, and which outcome they have.
const NARROWED = ["began_from", "began_to", "users", "friction", "here", "outcome"];

export function sessionsBehind(move, { field, query }, topics) {
  const [from_topic, to_topic] = move.split(",");
  const narrowed = Object.fromEntries(NARROWED.map((key) => [key, query.get(key)]));
  if (!narrowed.began_from) narrowed.outcome = null; // then it is that of the view of outcomes
  const wanted = { ...askedJourneys(field, query), from_topic, to_topic, ...narrowed };
  const named = [from_topic, to_topic].filter(Boolean); // a change of a topic names no move, one of all sessions neither
  const cohort = named.length && named[0] !== "end" ? cohortLink(named, { changes: { move: null } }) : null;
  const close = h(
    "a",
    { class: "more", href: here(Object.fromEntries(["move", ...NARROWED].map((key) => [key, null]))) },
    "Close",
  );
  return later(
    Promise.all([topics, get("/v1/journeys/sessions", { ...wanted, limit: 25 })]),
    ([{ name }, { data, n_sessions, n_moves }]) =>
      panel(
        titleOf(name, from_topic, to_topic, narrowed),
        "",
        {
          id: "behind",
          note: [`${plural(n_sessions, "session")}, ${plural(n_moves, "time")} `, cohort, " ", close],
          exports: { table: ["/v1/journeys/sessions", { ...wanted, limit: 1000 }] },
        },
        data.length
          ? sessionsTable(data, n_sessions, field, "Sessions behind the move", {
              title: "Moves so",
              cls: "number count",
              cell: (row) => count(row.count),
            })
          : h("p", { class: "empty" }, "No session moves so for these filters."),
      ),
    160,
  );
}

function titleOf(name, from, to, { began_from: since, began_to: until, users, friction, outcome }) {
  const what =
    from && to ? `${name(from)} → ${name(to)}` : !to || to === "end" ? "Sessions" : `Sessions with ${name(to)}`;
  const last = until && day(new Date(until).getTime() - 86_400_000);
  return [
    what,
    users ? "of new users" : "",
    friction ? "with friction there" : "",
    outcome ? `that have ${outcome}` : "",
    since && last ? `that began ${day(since)} – ${last}` : "",
  ]
    .filter(Boolean)
    .join(" ");
}

// The latest of `all` sessions, each to be read. also: a column more, before the last.
export const sessionsTable = (data, all, field, label, also = null) => [
  table(
    [
      {
        title: "Session",
        cell: (row) =>
          h(
            "a",
            {
              class: "plain",
              href: sessionLink(row.session_id, field),
              "aria-label": `Read the session of ${moment(row.started_at)}`,
            },
            moment(row.started_at),
          ),
      },
      { title: "User", cls: "muted text", cell: (row) => row.user_id },
      { title: "Visits", cls: "number", cell: (row) => count(row.n_visits) },
      also,
      { title: "Lasts", cls: "number", cell: (row) => gap((new Date(row.ended_at) - new Date(row.started_at)) / 1000) },
    ],
    data,
    { label, attributes: (row) => ({ "data-session": row.session_id }) },
  ),
  all > data.length
    ? h("p", { class: "fine rest" }, `The latest ${count(data.length)} of ${count(all)}; the export has them all.`)
    : null,
];
