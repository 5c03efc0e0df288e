// The two sides of a comparison: what the address says of them, what a page opens with, and how a person chooses.

import { go, here } from "./address.js";
import { daysOf } from "./changes.js";
import { cohortWords, othersThan } from "./cohorts.js";
import { h } from "./dom.js";
import { binsOf, spoken } from "./filters.js";
import { day, plural } from "./format.js";

export const SIDES = ["a", "b"];
const DAY_MS = 86_400_000;
const MOST_COHORTS = 50;
const isoDay = (time) => new Date(time).toISOString().slice(0, 10);

const isSide = (key) => key === "release" || /^[ab]\.(segment\.|cohort$|from$|to$)/.test(key);

// What the address says of the sides; where it says nothing: the last week against the one before, or the halves of the
// whole days, or the two most common values of a field.
export function sidesOf(query, whole, fields) {
  const found = {};
  for (const key of new Set(query.keys())) if (isSide(key)) found[key] = query.getAll(key);
  if (Object.keys(found).length) {
    const ready = found.release || SIDES.every((side) => Object.keys(found).some((key) => key.startsWith(`${side}.`)));
    return ready ? found : null;
  }
  const presets = periods(whole);
  if (presets.length) return { ...of("a", presets[0][1]), ...of("b", presets[1][1]) };
  const values = fields.data.find((each) => each.type === "enum" && each.values?.length > 1);
  if (!values) return null;
  const [a, b] = [...values.values].sort((x, y) => y.count - x.count);
  return { [`a.segment.${values.field}`]: String(a.value), [`b.segment.${values.field}`]: String(b.value) };
}

const of = (side, period) => Object.fromEntries(Object.entries(period).map(([end, date]) => [`${side}.${end}`, date]));

// Periods to choose from: a name, and its ends; the first two are those that a page opens with.
function periods(whole) {
  if (!whole || whole.count < 2) return [];
  const at = (n) => isoDay(new Date(whole.last).getTime() - (n - 1) * DAY_MS);
  const span = (n, back) => ({ from: at(back + n), to: at(back) });
  const half = Math.floor(whole.count / 2);
  const weeks = [7, 28].filter((n) => whole.count >= 2 * n);
  return [
    ...weeks.flatMap((n) => [
      [`Last ${n} whole days`, span(n, 0)],
      [`${n} days before`, span(n, n)],
    ]),
    [`Later half: last ${plural(half, "whole day")}`, span(half, 0)],
    [`Earlier half: ${plural(half, "day")} before`, span(half, half)],
  ];
}

// One select for each side with periods, cohorts and every value of every segment; two dates where a side is a period; and
// a release, one of those that people noted or any date. The address holds what is chosen.
export function choosers(fields, whole, sides, releases, topics, name) {
  const presets = periods(whole);
  const segments = fields.data
    .map((each) => [
      each.field,
      each.type === "enum"
        ? each.values.slice(0, 50).map(({ value }) => String(value))
        : each.type === "number"
          ? binsOf(each).map(([bin]) => bin)
          : [],
    ])
    .filter(([, values]) => values.length);
  const without = (side) => {
    const keys = Object.keys(sides).filter((key) => key.startsWith(`${side}.`));
    return { ...sides, ...Object.fromEntries(keys.map((key) => [key, null])), release: null };
  };
  const chooser = (side) => {
    const since = sides[`${side}.from`]?.toString(),
      until = sides[`${side}.to`]?.toString();
    const segment = Object.keys(sides).find((key) => key.startsWith(`${side}.segment.`));
    const cohort = onlyCohort(sides, side);
    const isPreset = ([, period]) => !segment && !cohort && period.from === since && period.to === until;
    const preset = presets.find(isPreset);
    const isOwn = !preset && Boolean(since || until);
    const option = (label, set, selected) =>
      h("option", { value: JSON.stringify(set), selected: Boolean(selected) }, label);
    return h(
      "div",
      { class: "controls side-of" },
      h(
        "label",
        { class: "pick" },
        side.toUpperCase(),
        h(
          "select",
          {
            id: `side-${side}`,
            onchange: (event) => {
              if (event.target.value) go(here({ ...without(side), ...JSON.parse(event.target.value) }));
            },
          },
          h(
            "option",
            { value: "", selected: !preset && !isOwn && !segment && !cohort },
            sides.release ? "by release" : "Choose…",
          ),
          presets.length || isOwn
            ? h(
                "optgroup",
                { label: "Period" },
                presets.map((each) => option(each[0], of(side, each[1]), each === preset)),
                isOwn && !segment && !cohort ? h("option", { value: "", selected: true }, "Own dates") : null,
              )
            : null,
          h(
            "optgroup",
            { label: "Cohort" },
            cohortsFor(side, sides, topics).map(([value, set]) =>
              option(cohortWords(value, name), set, !segment && value === cohort),
            ),
          ),
          segments.map(([name, values]) =>
            h(
              "optgroup",
              { label: name },
              values.map((value) => {
                const key = `${side}.segment.${name}`;
                return option(
                  `${name}: ${spoken(value)}`,
                  { [key]: value },
                  segment === key && sides[key].toString() === value,
                );
              }),
            ),
          ),
        ),
      ),
      since || until
        ? ["from", "to"].map((end) => {
            const date = end === "from" ? since : until && isoDay(new Date(until).getTime() - DAY_MS);
            return h(
              "label",
              { class: "pick" },
              end === "from" ? "From" : "To",
              h("input", {
                type: "date",
                id: `side-${side}-${end}`,
                value: date?.slice(0, 10) ?? "",
                "aria-label": `${side.toUpperCase()}: ${end === "from" ? "first" : "last"} day`,
                onchange: (event) => {
                  const value = event.target.value;
                  const next = value && end === "to" ? isoDay(new Date(value).getTime() + DAY_MS) : value;
                  go(here({ ...sides, [`${side}.${end}`]: next, release: null }));
                },
              }),
            );
          })
        : null,
    );
  };
  const around = (date) => {
    const others = Object.keys(sides).filter((key) => /^[ab]\.(from|to)$/.test(key));
    go(here({ ...Object.fromEntries(others.map((key) => [key, null])), release: date || null }));
  };
  const chosen = sides.release?.toString() ?? "";
  const inside = releases.filter(({ date }) => !whole || (date > whole.first && date <= whole.last));
  return h(
    "div",
    {},
    SIDES.map(chooser),
    h(
      "div",
      { class: "controls" },
      h(
        "label",
        { class: "pick" },
        "Or around a release",
        inside.length
          ? h(
              "select",
              {
                id: "noted-release",
                "aria-label": "Around a release that was noted",
                onchange: (event) => around(event.target.value),
              },
              h("option", { value: "" }, inside.some(({ date }) => date === chosen) ? "None" : "Choose…"),
              inside.map(({ date, text }) =>
                h("option", { value: date, selected: date === chosen }, `${text}, ${day(date)}`),
              ),
            )
          : null,
        h("input", {
          type: "date",
          id: "release",
          value: chosen,
          "aria-label": "Around a release: its date",
          min: whole ? isoDay(new Date(whole.first).getTime() + DAY_MS) : null,
          max: whole?.last ?? null,
          onchange: (event) => around(event.target.value),
        }),
      ),
    ),
  );
}

// Cohorts to choose from for a side, each with what it sets: with the users of a topic all others come on the other side,
// unless people stand there that were chosen by themselves.
function cohortsFor(side, sides, topics) {
  const other = side === "a" ? "b" : "a",
    there = onlyCohort(sides, other),
    mine = onlyCohort(sides, side);
  const emptied = Object.fromEntries(
    Object.keys(sides)
      .filter((key) => key.startsWith(`${other}.`))
      .map((key) => [key, null]),
  );
  const isKept = there && !there.startsWith("!");
  const values = topics.slice(0, MOST_COHORTS).map((topic) => `topic:${topic.topic_id}`);
  const more = [there && othersThan(there), mine].filter(Boolean);
  return [...new Set([...more, ...values])].map((value) => [
    value,
    { [`${side}.cohort`]: value, ...(isKept ? {} : { ...emptied, [`${other}.cohort`]: othersThan(value) }) },
  ]);
}

const cohortsOf = (sides, side) => [sides[`${side}.cohort`] ?? []].flat();
const onlyCohort = (sides, side) => (cohortsOf(sides, side).length === 1 ? cohortsOf(sides, side)[0] : undefined);

// Whether a side is told by what its users did.
export const hasCohort = (sides) => SIDES.some((side) => cohortsOf(sides, side).length);

// What each side is, in words: its segments, its cohorts, and when its sessions began.
export function namesOf(sides, { periods: told }, name) {
  return SIDES.map((side) => {
    const segments = Object.entries(sides)
      .filter(([key]) => key.startsWith(`${side}.segment.`))
      .map(([, values]) => [values].flat().map(spoken).join(" or "));
    const cohorts = cohortsOf(sides, side).map((value) => cohortWords(value, name));
    const { from, to } = told[side];
    const last = to && new Date(new Date(to).getTime() - 1);
    const period =
      from && to
        ? daysOf({ first: isoDay(from), last: isoDay(last) })
        : from
          ? `from ${day(from)}`
          : to
            ? `until ${day(last)}`
            : "";
    return [...segments, ...cohorts, period].filter(Boolean).join(", ");
  });
}
