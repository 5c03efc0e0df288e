// The answer to a message, as it is shown with it: what kind it is of, and its words, folded.

import { h } from "./dom.js";

// What an answer does, in the words of a person; those that do not serve come first.
export const ANSWERED = {
  unserved: "Not served",
  refused: "Refused",
  apologised: "Apologised, no more",
  repeated: "Same answer again",
  none: "No answer",
  made_good: "Apologised, then helped",
  answered: "Answered",
};

// What is to be said of an answer at a glance: nothing of one that just answers.
export const answerMarks = ({ answer_kind: kind, answer_is_repeated: again }) =>
  [ANSWERED[kind] && kind !== "answered" ? ANSWERED[kind] : null, again ? ANSWERED.repeated : null]
    .filter(Boolean)
    .map((words) => [" ", h("span", { class: "mark" }, words)]);

// The words of a message with its answer folded beneath.
export const withAnswer = (words, message) =>
  message.answer
    ? [
        words,
        h(
          "details",
          { class: "answer" },
          h("summary", {}, "Answer", answerMarks(message)),
          h("div", { class: "text" }, message.answer),
        ),
      ]
    : words;
