// How users come back: after how long, what for, and from which topic of one session to which of the next.

import { get } from "./api.js";
import { css, faint, picture, plain } from "./charts.js";
import { askedJourneys, fromTo, node } from "./data.js";
import { h } from "./dom.js";
import { count, gap, percent, plural } from "./format.js";
import { later, panel, rowsOf } from "./panel.js";
import { retention } from "./retention.js";
import { shareBar, table } from "./tables.js";
import { inUnit, unitOf } from "./units.js";

export function returns(context, topics) {
  const { field, query } = context;
  const wanted = inUnit(askedJourneys(field, query), query),
    ofUsers = unitOf(query) === "users",
    path = "/v1/journeys/returns",
    answer = get(path, wanted);
  const none = h("p", { class: "empty" }, "No user has come back yet for these filters.");
  const times = (value) => (value === null ? "–" : `${value.toFixed(value < 10 ? 1 : 0)}×`);
  return [
    panel(
      "Who comes back",
      "",
      {
        id: "returns",
        exports: {
          rows: async () => rowsOf((await answer).intervals, "from_s", "below_s", "count", "users"),
          picture: true,
          query: [path, wanted, ["intervals", "interval_quantiles_s", "totals"]],
        },
      },
      later(
        answer,
        (all) => [
          h(
            "p",
            { class: "lead" },
            h("strong", {}, percent(all.n_users ? all.n_returning_users / all.n_users : null)),
            ` of ${plural(all.n_users, "user")} came back, ${plural(all.n_returns, "time")} in all`,
            all.n_returns
              ? `; half of them within ${gap(all.interval_quantiles_s["0.5"])} of the session before.`
              : ".",
          ),
          all.n_returns
            ? picture(
                `${ofUsers ? "Users that came back" : "Returns"} by the time since the session before, ${all.intervals.map((each) => `${words(each)}: ${count(each[ofUsers ? "users" : "count"])}`).join(", ")}`,
                "short",
                intervals(all.intervals, ofUsers),
              )
            : none,
        ],
        200,
      ),
    ),
    retention(context, topics),
    panel(
      "What they come back for",
      "half",
      {
        id: "return-topics",
        exports: {
          query: [path, wanted, ["topics"]],
          rows: async () =>
            rowsOf((await answer).topics, "topic_id", "label", "sessions", "returns", "users", "share", "lift"),
        },
      },
      later(answer, ({ topics: rows }) =>
        rows.length
          ? table(
              [
                { title: "Topic", cell: (row) => node(row.topic_id, row.label, field) },
                ofUsers
                  ? { title: "Users", cls: "number count", cell: (row) => count(row.users) }
                  : { title: "Returns", cls: "number count", cell: (row) => count(row.returns) },
                { title: "Share", cell: (row) => shareBar(row.share) },
                {
                  title: "Lift",
                  hint: "Share of returns, over the topic's share of users' first sessions",
                  cls: "number",
                  cell: (row) => times(row.lift),
                },
              ],
              rows,
              { limit: 10, label: "What users come back for" },
            )
          : none,
      ),
    ),
    panel(
      "From session to session",
      "half",
      {
        id: "return-pairs",
        note: "A session's topic is that of most of its messages",
        exports: { table: [path, { ...wanted, limit: 1000 }], query: [path, wanted, ["data"]] },
      },
      later(Promise.all([answer, topics]), ([{ data }, { name }]) =>
        data.length
          ? table(
              [
                {
                  title: "From, to",
                  cell: (row) => fromTo(node(row.from, name(row.from), field), node(row.to, name(row.to), field)),
                },
                ofUsers
                  ? { title: "Users", cls: "number count", cell: (row) => count(row.users) }
                  : { title: "Times", cls: "number count", cell: (row) => count(row.count) },
                {
                  title: "After",
                  hint: "Median time from the start of a session to that of the next",
                  cls: "number",
                  cell: (row) => gap(row.median_interval_s),
                },
                {
                  title: "Lift",
                  hint: "Times, over those expected if where to did not depend on where from",
                  cls: "number",
                  cell: (row) => times(row.lift),
                },
              ],
              data,
              { limit: 10, label: "From session to session" },
            )
          : none,
      ),
    ),
  ];
}

const words = ({ from_s, below_s }) =>
  below_s === null ? `${gap(from_s)} or more` : from_s ? `${gap(from_s)} to ${gap(below_s)}` : `under ${gap(below_s)}`;

const intervals = (all, ofUsers) => () => [
  [
    {
      type: "bar",
      x: all.map((each) => plain(words(each)).replace(/ (to|or) |(under) /, " $1$2<br>")),
      y: all.map((each) => (ofUsers ? each.users : each.count)),
      marker: { color: faint(css("--accent"), 0.82), cornerradius: 3 },
      hovertemplate: `%{x}: <b>%{y:,d}</b> ${ofUsers ? "users" : "returns"}<extra></extra>`,
    },
  ],
  {
    bargap: 0.3,
    xaxis: { type: "category", showgrid: false, tickangle: 0, automargin: true },
    yaxis: { nticks: 3, rangemode: "tozero", showline: false },
  },
];
