// What people write down: annotations of dates under the charts over days, and notes on topics. An editor writes.

import { addressOf, list, post, remove } from "./api.js";
import { h } from "./dom.js";
import { day, moment } from "./format.js";
import { later, panel } from "./panel.js";
import { mayEdit } from "./rights.js";

// All annotations, in order of their days; a chart is worth having without them.
export const annotations = () =>
  list("/v1/annotations").then(
    ({ data }) => data,
    () => [],
  );

// Those that tell of a release, the latest first.
export const releases = () =>
  list("/v1/annotations", { kind: "release" }).then(
    ({ data }) => data.toReversed(),
    () => [],
  );

// The annotations of the days of a chart, by the numbers of its marks, and how to write one.
export function annotated(all, days, again) {
  const first = days[0].date,
    last = days.at(-1).date;
  const mine = all
    .map((each, i) => [each, i + 1])
    .filter(([each]) => each.date <= last && (each.until ?? each.date) >= first);
  const problem = h("p", { class: "problem", role: "alert" });
  return h(
    "div",
    { class: "annotated" },
    mine.length
      ? h(
          "ol",
          { class: "annotations", "aria-label": "What happened on these days" },
          mine.map(([each, number]) =>
            h(
              "li",
              { value: number, "data-annotation": each.annotation_id },
              h("strong", {}, spanOf(each)),
              " ",
              each.kind ? [h("span", { class: "mark" }, each.kind), " "] : null,
              h("span", { title: by(each) }, each.text),
              mayEdit
                ? takeAway(`the annotation “${each.text}”`, `/v1/annotations/${each.annotation_id}`, problem, again)
                : null,
            ),
          ),
        )
      : null,
    mayEdit ? newAnnotation(last, problem, again) : null,
    problem,
  );
}

const spanOf = ({ date, until }) => (until ? `${day(date)} to ${day(until)}` : day(date));
const by = ({ author, written_at }) => `${author ?? "A key without a name"}, ${moment(written_at)}`;

function newAnnotation(last, problem, again) {
  const date = h("input", { type: "date", name: "annotated", value: last, required: true });
  const until = h("input", { type: "date", name: "annotated-until" });
  const text = h("input", {
    type: "text",
    name: "annotation",
    maxlength: 200,
    required: true,
    placeholder: "Version 2.4",
  });
  const release = h("input", { type: "checkbox", name: "release", value: "release" });
  const submit = (event) => {
    event.preventDefault();
    attempt(problem, async () => {
      await post("/v1/annotations", {
        date: date.value,
        until: until.value || null,
        text: text.value,
        kind: release.checked ? "release" : null,
      });
      again();
    });
  };
  return h(
    "details",
    { class: "more-values annotate" },
    h("summary", {}, "Annotate a day"),
    h(
      "form",
      { class: "controls", onsubmit: submit },
      h("label", { class: "pick" }, "Day", date),
      h("label", { class: "pick" }, "Last day, of several", until),
      h("label", { class: "pick grow" }, "What happened", text),
      h("label", { class: "pick" }, release, "A release"),
      h("button", { class: "button", type: "submit" }, "Annotate"),
    ),
  );
}

// The notes on a topic: those written on it, and on topics that are part of it now.
export function topicNotes(id, field, again) {
  const path = `/v1/topics/${encodeURIComponent(id)}/notes`;
  const problem = h("p", { class: "problem", role: "alert" });
  const text = h("textarea", {
    name: "note",
    rows: 2,
    maxlength: 2000,
    required: true,
    "aria-label": "A note on this topic",
    placeholder: "What should others know of this topic?",
  });
  const write = (event) => {
    event.preventDefault();
    attempt(problem, async () => {
      await post(path, { text: text.value, field });
      again();
    });
  };
  return panel(
    "Notes",
    "",
    {
      id: "notes",
      note: "They stay with the topic through merges and refits",
      exports: { table: [path, { field, limit: 1000 }] },
    },
    later(
      list(path, { field }),
      ({ data }) =>
        data.length
          ? h(
              "ul",
              { class: "quotes" },
              data.map((note) =>
                h(
                  "li",
                  { "data-note": note.note_id },
                  h("div", { class: "text" }, note.text),
                  h("span", { class: "fine" }, by(note)),
                  mayEdit ? takeAway("the note", addressOf(`${path}/${note.note_id}`), problem, again) : null,
                ),
              ),
            )
          : h("p", { class: "fine" }, mayEdit ? "None yet." : "None yet. An editor may write notes."),
      40,
    ),
    mayEdit
      ? h(
          "form",
          { class: "write-note", onsubmit: write },
          text,
          h("button", { class: "button", type: "submit" }, "Add"),
        )
      : null,
    problem,
  );
}

// Asked twice in place, for it cannot be taken back here.
export function takeAway(what, address, problem, again) {
  const button = h(
    "button",
    {
      class: "quiet away",
      type: "button",
      "aria-label": `Remove ${what}`,
      onclick: () => {
        if (button.textContent === "Remove") {
          button.textContent = "Really remove?";
          button.setAttribute("aria-label", `Really remove ${what}?`);
          return;
        }
        attempt(problem, async () => {
          await remove(address);
          again();
        });
      },
    },
    "Remove",
  );
  return button;
}

// Does `work`, and says in `problem` why where it fails.
export async function attempt(problem, work) {
  problem.textContent = "";
  try {
    await work();
  } catch (error) {
    problem.textContent = error.message;
  }
}
