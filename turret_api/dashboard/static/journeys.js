// Where sessions start, go and end, narrowed by the filters; every move is in the picture and in the table.

import { draw, picture, sankey } from "./charts.js";
import { freshness, loadTopics, pageHead, topicLink } from "./data.js";
import { h, meter, panel } from "./dom.js";
import { filterBar } from "./filter_bar.js";
import { depthFor, loadJourneys, rank, sankeyOf } from "./flow.js";
import { count, percent, plural } from "./format.js";
import { namer } from "./overview.js";
import { noTextField } from "./states.js";
import { movesTable } from "./tables.js";

export async function journeys({ fields, texts, field, query }) {
  if (field === null) return noTextField(fields);
  const [topics, found] = await Promise.all([loadTopics(field, query), loadJourneys(field, query, depthFor(4))]);
  const name = namer(topics);
  const flow = picture("Where sessions go, visit by visit, from their start to their end", "tall");
  const content = h("div", {},
    pageHead("Journeys", `${plural(found.n_sessions, "session")}, ${plural(found.n_visits, "visit")} to topics`, { texts, field }, freshness(found.built_at)),
    h("div", { class: "grid" },
      filterBar(fields.data, query),
      found.edges.length
        ? [panel("Where sessions go", "", { id: "journeys", note: "Every session from its start, visit by visit; a column holds them all until they end" }, flow),
          panel("Sessions start with", "half", { id: "starts" }, endsTable(found, "start", name, field)),
          panel("Sessions end after", "half", { id: "drop-offs" }, endsTable(found, "end", name, field)),
          panel("All moves", "", { id: "moves", note: `${plural(found.edges.length, "kind")} of moves` }, movesTable(found, name, field, { limit: 25, ends: true, more: true }))]
        : panel("Journeys", "", { id: "journeys" }, h("p", { class: "empty" }, "No sessions for these filters."))));
  content.addEventListener("turret:shown", () => found.edges.length && draw(flow, sankey(sankeyOf(found, topics, { limit: 9 }))));
  return content;
}

// Where sessions start, or after which topic they end: each session once.
function endsTable(found, which, name, field) {
  const edges = rank(found.edges.filter((edge) => (which === "start" ? edge.from : edge.to) === which));
  const total = edges.reduce((sum, edge) => sum + edge.count, 0) || 1;
  const rows = edges.slice(0, 10).map((edge) => {
    const key = which === "start" ? edge.to : edge.from;
    return h("tr", { "data-topic": key },
      h("td", {}, key === "unassigned" ? name(key) : h("a", { class: "plain", href: topicLink(key, field) }, name(key))),
      h("td", { class: "number count" }, count(edge.count)),
      h("td", {}, h("div", { class: "share" }, h("span", { class: "number" }, percent(edge.count / total)), meter(edge.count / total))));
  });
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Topic"), h("th", { scope: "col", class: "number" }, "Sessions"), h("th", { scope: "col" }, "Share"))), h("tbody", {}, rows)));
}
