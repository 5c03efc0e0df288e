// The mood of a topic: how its messages sound, how that changes by day, and the choice among its messages.

import { go, here } from "./address.js";
import { css, faint, picture, plain } from "./charts.js";
import { h } from "./dom.js";
import { count, day, percent, plural } from "./format.js";
import { panel, rowsOf } from "./panel.js";
import { SOUNDS, asksSound } from "./sentiment.js";
import { table } from "./tables.js";

const DAY_MS = 86_400_000;

// The panel of a topic's page; `mood` is that of `/v1/topics/{id}`, source: what makes the query of parts of it.
export const moodPanel = ({ mood, label }, source) =>
  panel(
    "Mood",
    "",
    {
      id: "mood",
      note: "How its messages sound, by their words alone",
      exports: {
        picture: mood.days.length > 0,
        query: source("mood.data", "mood.days"),
        rows: () => rowsOf(mood.days, "date", "size", "n_negative", "n_positive", "share_negative", "low", "high"),
      },
    },
    mood.data.length
      ? [
          sounds(mood.data),
          h("h3", {}, "Share that sounds negative, by day"),
          picture(`Share of the messages of ${label} that sounds negative, by day`, "short", byDay(mood.days)),
        ]
      : h("p", { class: "empty" }, "No messages for these filters."),
  );

const sounds = (rows) =>
  table(
    [
      {
        title: "Sounds",
        cell: (row) =>
          h(
            "a",
            {
              class: "plain",
              href: here({ sounds: row.sentiment }),
              "data-sounds": row.sentiment,
              "aria-label": `Read the messages that sound ${row.sentiment}`,
              onclick: read,
            },
            SOUNDS[row.sentiment],
          ),
      },
      { title: "Messages", cls: "number count", cell: (row) => count(row.n_messages) },
      { title: "Sessions", cls: "number", cell: (row) => count(row.n_sessions) },
      { title: "Share", cls: "number", cell: (row) => percent(row.share) },
      {
        title: "Interval",
        hint: "95% confidence interval of the share before it",
        cls: "number muted",
        cell: (row) => `${percent(row.low)} to ${percent(row.high)}`,
      },
    ],
    rows,
    { cls: "fold", label: "How its messages sound", attributes: (row) => ({ "data-sentiment": row.sentiment }) },
  );

// A choice among the messages of a list; it is part of the address.
export const soundChoice = (query) =>
  h(
    "div",
    { class: "segments", role: "group", "aria-label": "Messages that sound" },
    [[null, "All"], ...Object.entries(SOUNDS)].map(([key, title]) =>
      h(
        "button",
        {
          class: "segment",
          type: "button",
          id: `sounds-${key ?? "all"}`,
          "aria-pressed": String(asksSound(query) === key),
          onclick: () => go(here({ sounds: key })),
        },
        title,
      ),
    ),
  );

// Opens the list of messages that sound so and takes the reader there.
function read(event) {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  const sentiment = event.currentTarget.dataset.sounds;
  onceShown(() => document.getElementById(`sounds-${sentiment}`)?.focus());
  go(here({ sounds: sentiment }));
}

// Calls `then` once the view that is about to be asked for is shown.
function onceShown(then) {
  const main = document.getElementById("view");
  const observer = new MutationObserver(() => {
    if (main.getAttribute("aria-busy") !== "false") return;
    observer.disconnect();
    then();
  });
  observer.observe(main, { attributes: true, attributeFilter: ["aria-busy"] });
}

const byDay = (days) => (element) => {
  const first = Date.parse(days[0].date),
    last = Date.parse(days.at(-1).date),
    missing = Math.max(0, 6 - (last - first) / DAY_MS) * DAY_MS;
  return [
    [
      {
        type: "scatter",
        mode: "lines+markers",
        x: days.map((each) => each.date),
        y: days.map((each) => each.share_negative),
        line: { color: css("--bad"), width: 2 },
        marker: { color: css("--bad"), size: 5 },
        error_y: {
          type: "data",
          symmetric: false,
          array: days.map((each) => each.high - each.share_negative),
          arrayminus: days.map((each) => each.share_negative - each.low),
          color: faint(css("--bad"), 0.35),
          thickness: 1.5,
          width: 0,
        },
        customdata: days.map(
          (each) =>
            `${plain(day(each.date))}: <b>${percent(each.share_negative)}</b> of ${plural(each.size, "message")}, ${percent(each.low)} to ${percent(each.high)}`,
        ),
        hovertemplate: "%{customdata}<extra></extra>",
      },
    ],
    {
      xaxis: {
        type: "date",
        showgrid: false,
        tickformat: "%b %-d",
        range: [first - missing - DAY_MS * 0.6, last + DAY_MS * 0.6].map((time) => new Date(time).toISOString()),
        ...(last - first < 8 * DAY_MS ? { dtick: DAY_MS } : { nticks: element.clientWidth < 500 ? 4 : 8 }),
      },
      yaxis: { nticks: 3, rangemode: "tozero", tickformat: ".0%", showline: false },
    },
  ];
};
