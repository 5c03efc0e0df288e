// Retention: of the users who began with a topic in one week or day, how many came back in each later one, beside all users.

import { get } from "./api.js";
import { go, here } from "./address.js";
import { colour, css, picture, plain } from "./charts.js";
import { askedJourneys, node } from "./data.js";
import { h } from "./dom.js";
import { count, day, percent, plural, titled } from "./format.js";
import { later, panel, rowsOf } from "./panel.js";
import { table } from "./tables.js";

const PERIODS = { week: 12, day: 14 };
const SHOWN = 4; // periods in a table; the export has all
const CURVES = 3,
  MOST_CURVES = 6;
const MARKS = ["circle", "square", "diamond", "triangle-up", "cross", "star"];

export function retention({ field, query }, topics) {
  const by = query.get("by") === "day" ? "day" : "week";
  const wanted = { ...askedJourneys(field, query), by, periods: PERIODS[by] },
    answer = get("/v1/retention", wanted),
    chosen = query.getAll("began");
  // Of one topic: the users who first met it then, whatever they had begun with.
  const alone = chosen.length === 1 ? chosen[0] : null,
    whole = get("/v1/retention", { ...wanted, topic_id: alone });
  return [
    panel(
      "Who stays, by what they began with",
      "",
      {
        id: "retention",
        note: periodChoice(by),
        exports: {
          picture: true,
          query: ["/v1/retention", wanted, ["data", "data.periods", "all", "totals"]],
          rows: async () =>
            rowsOf(curveRows(await answer), "topic_id", "label", "period", "n_users", "n_back", "share", "low", "high"),
        },
      },
      later(
        answer,
        (found) => {
          if (!found.all.length) return h("p", { class: "empty" }, `No ${by} after users' first one is over yet.`);
          const shown = picked(found, chosen);
          return [
            lead(found, shown[0], by),
            curves(found, shown, by),
            topicsOf(found, shown, field, by),
            h(
              "p",
              { class: "fine" },
              `A topic's users are those whose first message has it. A ${by} counts once it is over; until then there is a dash.`,
            ),
          ];
        },
        420,
      ),
    ),
    later(
      Promise.all([whole, topics]),
      ([found, { name }]) =>
        found.starts.length
          ? panel(
              alone ? `${by === "week" ? "Week by week" : "Day by day"}: ${name(alone)}` : `All users, ${by} by ${by}`,
              "",
              {
                id: "triangle",
                note: alone ? "By users' first message that has it" : "By users' first message",
                exports: {
                  query: ["/v1/retention", { ...wanted, topic_id: alone }, ["starts"]],
                  rows: () => triangleRows(found.starts),
                },
              },
              triangle(found.starts, by),
            )
          : null,
      260,
    ),
  ];
}

const periodChoice = (by) =>
  h(
    "div",
    { class: "segments", role: "group", "aria-label": "Periods" },
    Object.keys(PERIODS).map((key) =>
      h(
        "button",
        {
          class: "segment",
          type: "button",
          id: `by-${key}`,
          "aria-pressed": String(key === by),
          onclick: () => go(here({ by: key === "week" ? null : key })),
        },
        `${titled(key)}s`,
      ),
    ),
  );

// The topics whose curves are drawn: those that were chosen, or those that most users began with.
function picked({ data }, chosen) {
  const known = data.filter((row) => row.periods.length);
  const wanted = known.filter((row) => chosen.includes(row.topic_id));
  return wanted.length ? wanted.slice(0, MOST_CURVES) : known.slice(0, CURVES);
}

const range = ({ low, high }) => `${percent(low)} to ${percent(high)}`;

function lead(found, topic, by) {
  const all = found.all[0],
    mine = topic?.periods[0];
  if (!mine)
    return h(
      "p",
      { class: "lead" },
      h("strong", {}, percent(all.share)),
      ` of all ${plural(all.n_users, "user")} come back in ${by} 1 (${range(all)}).`,
    );
  return h(
    "p",
    { class: "lead" },
    `Users who began with ${topic.label} come back in ${by} 1: `,
    h("strong", {}, percent(mine.share)),
    ` (${range(mine)}) against `,
    h("strong", {}, percent(all.share)),
    ` of all ${plural(all.n_users, "user")} (${range(all)}).`,
  );
}

function curves(found, shown, by) {
  const lines = [{ label: "All users", periods: found.all }, ...shown];
  const make = (element) => [
    lines.map(({ label, periods }, i) => {
      const ink = i ? colour(i - 1) : css("--ink");
      return {
        type: "scatter",
        mode: "lines+markers",
        name: plain(label),
        x: periods.map((each) => each.period),
        y: periods.map((each) => each.share),
        line: { color: ink, width: 2, dash: i ? "solid" : "dot" },
        marker: { color: ink, size: 8, symbol: i ? MARKS[(i - 1) % MARKS.length] : "circle-open" },
        error_y: {
          type: "data",
          symmetric: false,
          array: periods.map((each) => each.high - each.share),
          arrayminus: periods.map((each) => each.share - each.low),
          color: ink,
          thickness: 1,
          width: 3,
        },
        customdata: periods.map((each) => `${percent(each.share)} (${range(each)}) of ${count(each.n_users)}`),
        hovertemplate: "%{fullData.name}: %{customdata}<extra></extra>",
      };
    }),
    {
      showlegend: true,
      legend: { orientation: "h", y: -0.2, x: 0 },
      margin: { l: 44, r: 8, t: 8, b: element.clientWidth < 500 ? 110 : 60 },
      xaxis: { dtick: element.clientWidth < 500 ? 4 : 1, tick0: 1, showgrid: false, tickprefix: `${titled(by)} ` },
      yaxis: { tickformat: ".0%", rangemode: "tozero", nticks: 5 },
    },
  ];
  const words = lines.map(({ label, periods }) => `${label} ${periods.map((each) => percent(each.share)).join(", ")}`);
  const shape = picture(`Share of users who come back, ${by} by ${by}. ${words.join("; ")}`, "", make);
  shape.style.setProperty("min-height", "320px");
  return shape;
}

function topicsOf(found, shown, field, by) {
  const ids = shown.map((row) => row.topic_id);
  const rows = [{ topic_id: null, label: "All users", n_users: found.n_users, periods: found.all }, ...found.data];
  const cell = (k) => (row) => {
    const back = row.periods.find((each) => each.period === k);
    return back
      ? h(
          "span",
          { title: `${count(back.n_back)} of ${count(back.n_users)}` },
          percent(back.share),
          " ",
          h("span", { class: "fine" }, range(back)),
        )
      : "–";
  };
  const toggle = (row) => {
    const on = ids.includes(row.topic_id);
    const next = on ? ids.filter((id) => id !== row.topic_id) : [...ids, row.topic_id].slice(-MOST_CURVES);
    return h(
      "a",
      {
        class: "more",
        href: here({ began: next }),
        "aria-label": `${on ? "Leave out" : "Draw"} the curve of ${row.label}`,
      },
      on ? "Leave out" : "Draw",
    );
  };
  return table(
    [
      {
        title: "Began with",
        cls: "whole",
        cell: (row) => (row.topic_id === null ? h("strong", {}, row.label) : node(row.topic_id, row.label, field)),
      },
      { title: "Users", cls: "number count", cell: (row) => count(row.n_users) },
      ...found.all
        .slice(0, SHOWN)
        .map(({ period }) => ({
          title: `${titled(by)} ${period}`,
          hint: "Share who came back, and its 95% confidence interval",
          cls: "number",
          cell: cell(period),
        })),
      {
        title: "Curve",
        unseen: true,
        cls: "number",
        cell: (row) => (row.topic_id === null || !row.periods.length ? "" : toggle(row)),
      },
    ],
    rows,
    { cls: "fold", limit: 11, label: "Who stays", attributes: (row) => ({ "data-topic": row.topic_id ?? "all" }) },
  );
}

function triangle(starts, by) {
  const last = Math.max(...starts.map((row) => row.n_back.filter((each) => each !== null).length));
  const cell = (k) => (row) => {
    const n = row.n_back[k];
    if (n === null) return "–";
    const share = row.n_users ? n / row.n_users : 0;
    return h(
      "span",
      { class: "heat", style: { "--share": share }, title: `${count(n)} of ${count(row.n_users)}` },
      percent(share),
    );
  };
  return table(
    [
      { title: by === "week" ? "Week of" : "Day", cell: (row) => day(row.start) },
      { title: "Users", cls: "number count", cell: (row) => count(row.n_users) },
      ...Array.from({ length: last }, (_, k) => ({ title: `${titled(by)} ${k + 1}`, cls: "number", cell: cell(k) })),
    ],
    [...starts].reverse(),
    { limit: 14, label: `Users by the ${by} in which they began` },
  );
}

const curveRows = ({ all, data }) =>
  [{ topic_id: null, label: "All users", periods: all }, ...data].flatMap(({ topic_id, label, periods }) =>
    periods.map((each) => ({ topic_id, label, ...each })),
  );

const triangleRows = (starts) => [
  ["start", "n_users", ...starts[0].n_back.map((_, k) => `back_${k + 1}`)],
  ...starts.map((row) => [row.start, row.n_users, ...row.n_back]),
];
