// How messages sound: the mood of topics in a table, and marks at messages that sound negative or positive.

import { h } from "./dom.js";
import { percent } from "./format.js";

export const SOUNDS = { negative: "Negative", neutral: "Neutral", positive: "Positive" };
const SIGN = { negative: "−", positive: "+" };

// The sentiment that the address asks messages to have; null: any.
export const asksSound = (query) => (Object.hasOwn(SOUNDS, query.get("sounds") ?? "") ? query.get("sounds") : null);

// How a message sounds, where it is not neutral.
export const soundMark = ({ sentiment }) =>
  sentiment in SIGN
    ? h(
        "span",
        { class: `mark sounds ${sentiment}`, title: "By its words alone" },
        h("span", { "aria-hidden": "true" }, SIGN[sentiment]),
        ` ${SOUNDS[sentiment]}`,
      )
    : null;

// The words of a message with how it sounds behind them.
export const withSound = (words, message) => {
  const mark = soundMark(message);
  return mark ? [words, " ", mark] : words;
};

// The column of a table of topics.
export const moodColumn = () => ({
  title: "Mood",
  hint: "How its messages sound: negative from the left, positive from the right. Sorts by the share that sounds negative",
  cls: "mood",
  value: (topic) => (topic.size ? topic.n_negative / topic.size : null),
  cell: moodBar,
});

function moodBar({ size, n_negative, n_positive }) {
  if (!size) return h("span", { class: "muted" }, "–");
  const part = (n, kind) => h("i", { class: kind, style: { width: `${(n / size) * 100}%` } });
  return h(
    "span",
    { class: "mood-bar", title: `${percent(n_negative / size)} negative, ${percent(n_positive / size)} positive` },
    h(
      "span",
      { class: "unseen" },
      `${percent(n_negative / size)} sound negative, ${percent(n_positive / size)} positive`,
    ),
    h("span", { class: "number", "aria-hidden": "true" }, n_negative ? `−${percent(n_negative / size)}` : "0%"),
    h("span", { class: "bar", "aria-hidden": "true" }, part(n_negative, "negative"), part(n_positive, "positive")),
  );
}
