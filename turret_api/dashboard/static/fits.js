// When and why the topics of a field were found anew, and how much of what there was moved.

import { get } from "./api.js";
import { h } from "./dom.js";
import { count, moment, percent } from "./format.js";
import { later, panel } from "./panel.js";
import { table } from "./tables.js";

export function fits(field) {
  return panel(
    "When and why topics changed",
    "",
    { id: "fits", note: "Newest first", exports: { table: ["/v1/topics/fits", { limit: 1000 }] } },
    later(
      get("/v1/topics/fits"),
      ({ data }) => {
        const mine = data.filter((fit) => fit.field === field);
        if (!mine.length) return h("p", { class: "empty" }, "Topics of this field were not fitted yet.");
        return table(
          [
            { title: "Fit", cls: "number", cell: (fit) => fit.model_version },
            {
              title: "Up to",
              hint: "Receipt of the newest message that it knew",
              cls: "muted",
              cell: (fit) => (fit.seen_until ? moment(fit.seen_until) : "–"),
            },
            { title: "Why", cls: "whole text", cell: (fit) => fit.reason },
            { title: "Texts", cls: "number", cell: (fit) => count(fit.n_texts) },
            { title: "Topics", cls: "number count", cell: (fit) => count(fit.n_topics) },
            {
              title: "With a topic",
              hint: "Share of the messages that have a topic",
              cls: "number",
              cell: (fit) => percent(fit.coverage),
            },
            {
              title: "Moved",
              hint: "Share of the messages known before whose topic is another now",
              cls: "number",
              cell: (fit) => percent(fit.changed),
            },
            {
              title: "Agreement",
              hint: "Adjusted Rand index of the topics before and after: 1 is the same",
              cls: "number",
              cell: (fit) => fit.ari?.toFixed(2) ?? "–",
            },
            {
              title: "Topics kept",
              hint: "Share of the topics before that there are still",
              cls: "number",
              cell: (fit) => percent(fit.kept_ids),
            },
          ],
          mine,
          { cls: "fold", label: "Fits of topics", limit: 10, attributes: (fit) => ({ "data-fit": fit.model_version }) },
        );
      },
      120,
    ),
  );
}
