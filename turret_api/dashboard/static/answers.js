// What became of requests: which were not served, by topic, and what their answers are about.

import { get } from "./api.js";
import { here } from "./address.js";
import { ANSWERED, withAnswer } from "./answer.js";
import { asked, freshness, node, pageHead, topicLink, withKind } from "./data.js";
import { h, meter, said } from "./dom.js";
import { withFilters } from "./filters.js";
import { count, percent, plural } from "./format.js";
import { whenColumn } from "./messages.js";
import { later, panel, rowsOf } from "./panel.js";
import { copyButton } from "./states.js";
import { shareBar, table } from "./tables.js";

const about = document.body.dataset;

// How requests are answered, each with its count in the API.
const COUNTS = {
  unserved: "n_unserved",
  refused: "n_refused",
  apologised: "n_apologised",
  repeated: "n_repeated",
  none: "n_unanswered",
  made_good: "n_made_good",
};

export function answers(context) {
  const { field, query } = context;
  const wanted = asked(field, query),
    found = get("/v1/answers", wanted),
    so = COUNTS[query.get("answer")] ? query.get("answer") : "unserved",
    topic_id = query.get("of");
  const rows = (name, ...columns) => ({
    query: ["/v1/answers", wanted, [name]],
    rows: async () => rowsOf((await found)[name], ...columns),
  });
  return h(
    "div",
    {},
    pageHead("Answers", "What became of requests, and what their answers are about", freshness(found)),
    withFilters(
      context,
      later(
        found,
        (all) =>
          all.answer_field === null
            ? nothingYet(field)
            : [
                panel(
                  "Not served",
                  "",
                  {
                    id: "unserved",
                    note: `Answers are in ${all.answer_field}`,
                    exports: {
                      query: ["/v1/answers", wanted, ["totals"]],
                      rows: () => [["answer", "requests"], ...counted(all)],
                    },
                  },
                  lead(all),
                  countsTable(all, so),
                ),
                panel(
                  "By topic",
                  "",
                  {
                    id: "answers-topics",
                    note: "Those first of which most requests were not served",
                    exports: rows(
                      "data",
                      "topic_id",
                      "label",
                      "n_requests",
                      ...Object.values(COUNTS),
                      "share",
                      "low",
                      "high",
                    ),
                  },
                  topicsTable(all, field),
                ),
                messages(wanted, so, topic_id, all, field),
                panel(
                  "What they are answered with",
                  "",
                  {
                    id: "answers-with",
                    note: `Topics of ${field}, and of the answers to them`,
                    exports: {
                      query: ["/v1/answers", wanted, ["data.answers"]],
                      rows: () => [
                        ["topic_id", "label", "answer_topic_id", "answer_label", "count", "share"],
                        ...pairs(all),
                      ],
                    },
                  },
                  answeredWith(all, field),
                ),
              ],
        520,
      ),
    ),
  );
}

const counted = (all) => Object.entries(COUNTS).map(([so, name]) => [ANSWERED[so], all[name]]);

const pairs = ({ data }) =>
  data.flatMap((row) =>
    row.answers.map((each) => [row.topic_id, row.label, each.topic_id, each.label, each.count, each.share]),
  );

function lead({ n_requests, n_unserved, share, low, high, n_refused, n_apologised, n_repeated, n_unanswered }) {
  if (!n_requests) return h("p", { class: "empty" }, "No requests for these filters.");
  const parts = [
    [n_refused, "refused"],
    [n_apologised, "answered with an apology alone"],
    [n_repeated, "answered as before"],
    [n_unanswered, "not answered"],
  ]
    .filter(([n]) => n)
    .map(([n, words]) => `${count(n)} ${words}`);
  return h(
    "p",
    { class: "lead" },
    h("strong", {}, `${count(n_unserved)} of ${plural(n_requests, "request")}`),
    ` ${n_unserved === 1 ? "was" : "were"} not served${parts.length ? `: ${parts.join(", ")}` : ""}.`,
    h("span", { class: "muted" }, ` ${percent(share)}; 95% interval ${percent(low)} to ${percent(high)}.`),
  );
}

function countsTable(all, chosen) {
  if (!all.n_requests) return null;
  return table(
    [
      {
        title: "Answer",
        cell: ([so]) =>
          h(
            "a",
            {
              class: "plain",
              href: here({ answer: so === "unserved" ? null : so, of: null }),
              "aria-current": so === chosen ? "true" : null,
            },
            ANSWERED[so],
          ),
      },
      { title: "Requests", cls: "number count", cell: ([, name]) => count(all[name]) },
      { title: "Share", cls: "whole", cell: ([, name]) => shareBar(all[name] / all.n_requests) },
    ],
    Object.entries(COUNTS),
    { cls: "fold", label: "How requests were answered", attributes: ([so]) => ({ "data-answer": so }) },
  );
}

function topicsTable({ data, rest }, field) {
  const some = data.filter((row) => row.n_unserved);
  if (!some.length) return h("p", { class: "empty" }, "All requests were served.");
  const number = (title, name, hint = null) => ({
    title,
    hint,
    cls: "number",
    cell: (row) => (row[name] ? count(row[name]) : h("span", { class: "muted" }, "0")),
  });
  return [
    table(
      [
        { title: "Topic", cls: "whole", cell: (row) => node(row.topic_id, row.label, field) },
        {
          title: "Not served",
          cls: "number count",
          cell: (row) =>
            h(
              "a",
              {
                class: "plain",
                href: here({ of: row.topic_id, answer: null }),
                "aria-label": `Read the ${plural(row.n_unserved, "request")} of ${row.label} that ${row.n_unserved === 1 ? "was" : "were"} not served`,
              },
              count(row.n_unserved),
            ),
        },
        { title: "Of requests", cls: "number", cell: (row) => count(row.n_requests) },
        { title: "Share", cls: "number", cell: (row) => percent(row.share) },
        {
          title: "Interval",
          hint: "95% confidence interval of the share before it",
          cls: "number muted",
          cell: (row) => `${percent(row.low)} to ${percent(row.high)}`,
        },
        number("Refused", "n_refused"),
        number("Apologised", "n_apologised", "The answer apologises, and goes no further"),
        number("Again", "n_repeated", "The session was given the same answer before"),
        number("No answer", "n_unanswered"),
      ],
      some,
      { cls: "fold", limit: 15, label: "Topics not served", attributes: (row) => ({ "data-topic": row.topic_id }) },
    ),
    rest.n_unserved
      ? h(
          "p",
          { class: "fine rest" },
          `${plural(rest.n_unserved, "request")} more of ${plural(rest.topics, "topic")} that ${rest.topics === 1 ? "is" : "are"} hidden or left out.`,
        )
      : null,
  ];
}

// The requests behind a count: of all topics, or of one.
function messages(wanted, so, topic_id, { data }, field) {
  const query = { ...wanted, topic_id, answer: so };
  const label = topic_id ? (data.find((row) => row.topic_id === topic_id)?.label ?? topic_id) : null;
  return panel(
    `${label ?? "The requests"}: ${ANSWERED[so].toLowerCase()}`,
    "",
    {
      id: "answers-messages",
      note: topic_id ? h("a", { class: "more", href: here({ of: null }) }, "All topics") : "The latest requests",
      exports: { table: ["/v1/messages", { ...query, limit: 1000 }] },
    },
    later(get("/v1/messages", { ...query, limit: 25 }), (answer) =>
      answer.data.length
        ? table(
            [
              {
                title: "Request",
                cls: "whole text",
                cell: (message) => withAnswer(withKind(said(message), message), message),
              },
              {
                title: "Topic",
                cls: "of",
                cell: (message) => node(message.topic_id ?? "unassigned", message.topic_label, field),
              },
              whenColumn(field),
            ],
            answer.data,
            { cls: "fold messages", label: "Requests", attributes: (message) => ({ "data-event": message.event_id }) },
          )
        : h("p", { class: "empty" }, "None for these filters."),
    ),
  );
}

function answeredWith({ data, answer_field }, field) {
  const some = data.filter((row) => row.n_answered).sort((a, b) => b.n_answered - a.n_answered);
  if (!some.length) return h("p", { class: "empty" }, "No answers for these filters.");
  return table(
    [
      { title: "Topic", cell: (row) => node(row.topic_id, row.label, field) },
      { title: "Answers", cls: "number count", cell: (row) => count(row.n_answered) },
      { title: "Are about", cls: "whole", cell: (row) => topicsOf(row, answer_field) },
    ],
    some,
    { cls: "fold", limit: 15, label: "What topics are answered with" },
  );
}

// What answers are about, each topic with a bar; the words say the same.
export const topicsOf = ({ answers: all, rest }, answer_field) =>
  h(
    "ul",
    { class: "bars" },
    all.map((each) =>
      h(
        "li",
        {},
        h("span", { class: "name", title: each.label }, answerTopic(each, answer_field)),
        meter(each.share),
        h("span", { class: "number" }, `${count(each.count)} · ${percent(each.share)}`),
      ),
    ),
    rest.count
      ? h(
          "li",
          { class: "muted" },
          h("span", { class: "name" }, plural(rest.topics, "other topic")),
          null,
          h("span", { class: "number" }, count(rest.count)),
        )
      : null,
  );

const answerTopic = ({ topic_id, label }, field) =>
  topic_id === "unassigned" ? label : h("a", { class: "plain", href: topicLink(topic_id, field) }, label);

// What is to be sent so that there are answers.
function nothingYet(field) {
  const code = h(
    "pre",
    { class: "code", tabindex: "0" },
    `curl ${about.origin}/track \\
  -H 'X-API-Key: YOUR_WRITE_KEY' \\
  -H 'Content-Type: application/json' \\
  -d '{"name": "user_prompt", "session_id": "s-1",
       "metadata": {"${field}": "Where is my order?",
                    "response": "It left our warehouse this morning."}}'`,
  );
  return panel(
    "No field holds answers yet",
    "",
    { id: "no-answers" },
    h(
      "p",
      { class: "muted" },
      `Send with each ${field} what your app answered, as a text field beside it: response, say. Its name should be or have answer, assistant, bot, completion, output, reply or response in it.`,
    ),
    code,
    h(
      "div",
      { class: "controls" },
      copyButton(() => code.textContent),
    ),
  );
}
