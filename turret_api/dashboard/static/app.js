// Shows the view that the address names: loads its data, draws it, or says what is missing and what to do next.

import { ApiError, forget, get } from "./api.js";
import { go, link, view } from "./address.js";
import { forgetPictures } from "./charts.js";
import { journeys } from "./journeys.js";
import { overview } from "./overview.js";
import { settings } from "./settings.js";
import { failed, firstEvent, loading, notBuilt } from "./states.js";
import { topic } from "./topic.js";
import { topics } from "./topics.js";

const PAGES = {
  overview: ["Overview", overview], topics: ["Topics", topics], journeys: ["Journeys", journeys], settings: ["Settings", settings],
};
const main = document.getElementById("view");
const project = document.querySelector(".project").textContent;
let drawing = 0;

async function show() {
  const turn = (drawing += 1);
  const { page, id, query } = view();
  const [title, make] = page === "topics" && id ? ["Topic", topic] : PAGES[page] ?? PAGES.overview;
  document.title = `${title} · ${project} · Turret`;
  for (const item of document.querySelectorAll("#pages a")) {
    item.toggleAttribute("aria-current", false);
    if (item.dataset.page === page) item.setAttribute("aria-current", "page");
    item.href = link(item.getAttribute("href").split("?")[0], { from: query.get("from"), to: query.get("to") });
  }
  main.setAttribute("aria-busy", "true");
  forgetPictures();
  forget();
  main.replaceChildren(loading(title));
  let content;
  try {
    content = await content_of(make, id, query);
  } catch (error) {
    if (!(error instanceof ApiError)) console.error(error);
    content = failed(error, show);
  }
  // Meanwhile another view may have been asked for; the last one wins.
  if (turn !== drawing) return;
  main.replaceChildren(content);
  main.setAttribute("aria-busy", "false");
  content.dispatchEvent(new Event("turret:shown"));
}

// What a page needs before it can be drawn: events, and a text field among their keys.
async function content_of(make, id, query) {
  const fields = await get("/v1/fields");
  const texts = fields.data.filter((field) => field.type === "text").map((field) => field.field);
  if (make !== settings && !fields.data.length) {
    const usage = await get("/v1/usage");
    return usage.used ? notBuilt(usage, show) : firstEvent(show);
  }
  const asked = query.get("field");
  return make({ fields, texts, field: texts.includes(asked) ? asked : texts[0] ?? null, asked, id, query, again: show });
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href]");
  if (!anchor || anchor.target || anchor.origin !== location.origin || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  if (anchor.hash && anchor.pathname === location.pathname) return;
  event.preventDefault();
  go(anchor.href);
  scrollTo(0, 0);
});
addEventListener("popstate", show);
addEventListener("turret:view", show);
show();

