// All topics of a text field: the map and the list, narrowed by the filters.

import { draw, picture, topicMap } from "./charts.js";
import { freshness, loadTopics, pageHead, topicLink } from "./data.js";
import { go } from "./address.js";
import { h, panel } from "./dom.js";
import { filterBar } from "./filter_bar.js";
import { count, percent, plural } from "./format.js";
import { noTextField } from "./states.js";
import { topicsTable } from "./tables.js";

export async function topics({ fields, texts, field, query }) {
  if (field === null) return noTextField(fields);
  const found = await loadTopics(field, query);
  const map = picture(`Map of ${found.topics.length} topics`, "tall");
  const search = h("input", { type: "search", id: "find", placeholder: "Find a topic…", "aria-label": "Find a topic by label or keyword" });
  const table = topicsTable(found, field);
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const row of table.querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  const content = h("div", {},
    pageHead("Topics", `${plural(found.topics.length, "topic")} of ${field}`, { texts, field }, freshness(found.built_at)),
    h("div", { class: "grid" },
      filterBar(fields.data, query),
      found.topics.length
        ? [panel("Map", "", { id: "map", note: "Drag to move, scroll to zoom, click to open" }, map, legend(found)),
          panel("All topics", "", { id: "topics", note: search }, table)]
        : panel("Topics", "", { id: "topics" }, h("p", { class: "empty" }, "No topics for these filters."))));
  content.addEventListener("turret:shown", () => {
    if (found.topics.length) draw(map, topicMap(found.topics, found.place, found.themes), (point) => go(topicLink(point.customdata, field)));
  });
  return content;
}

function legend(found) {
  const size = (theme) => found.topics.filter((topic) => topic.parent_id === theme.topic_id).reduce((sum, topic) => sum + topic.size, 0);
  const total = found.topics.reduce((sum, topic) => sum + topic.size, 0) || 1;
  const themes = found.themes.map((theme) => [theme, size(theme)]).filter(([, n]) => n).sort((a, b) => b[1] - a[1]);
  return h("ul", { class: "legend", "aria-label": "Themes" }, themes.map(([theme, n]) => h("li", {},
    h("i", { class: "dot", style: { background: `var(--c${Math.max(0, found.place(theme)) % 8})` } }), theme.label,
    h("span", { class: "muted", title: `${count(n)} messages` }, percent(n / total)))));
}
