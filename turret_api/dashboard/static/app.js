// Shows the view that the address names. Pages are there at once, their panels as the answers come in; or the page says
// what is missing and what to do next.

import { ApiError, areOfOneState, forget, get, list } from "./api.js";
import { here, link, go, view } from "./address.js";
import { alerts } from "./alerts.js";
import { answers } from "./answers.js";
import { drawPictures, forgetPictures } from "./charts.js";
import { digest } from "./digest.js";
import { h } from "./dom.js";
import { journeys } from "./journeys.js";
import { opening, overview } from "./overview.js";
import { beginView, later } from "./panel.js";
import { mayReadTexts } from "./rights.js";
import { session } from "./session.js";
import { settings } from "./settings.js";
import {
  brokenFields,
  building,
  failed,
  firstEvent,
  late,
  loading,
  noTextField,
  notBuilt,
  notWithThisRole,
} from "./states.js";
import { topic } from "./topic.js";
import { topics } from "./topics.js";
import { drawViews } from "./views.js";

// Title, page, and what is shown of it until its first answer is there.
const PAGES = {
  overview: ["Overview", overview, opening],
  topics: ["Topics", topics],
  topic: ["Topic", topic],
  journeys: ["Journeys", journeys],
  answers: ["Answers", answers],
  digest: ["Digest", digest],
  alerts: ["Alerts", alerts],
  sessions: ["Session", session],
  settings: ["Settings", settings],
};
// Pages that are about texts, or about single users.
const OF_TEXTS = ["answers", "alerts", "sessions"];
const main = document.getElementById("view");
const said = document.getElementById("said");
const projects = document.getElementById("projects");
const placed = () => location.pathname + location.search;
let drawing = 0,
  shown = null,
  address = null,
  isRepeat = false;

async function show() {
  const turn = (drawing += 1);
  const { page, id, query } = view();
  const [title, make, before = loading] = PAGES[page === "topics" && id ? "topic" : page] ?? PAGES.overview;
  const same = shown === location.pathname;
  const focused = same ? focus() : null;
  shown = location.pathname;
  address = placed();
  document.title = `${title} · ${projects.dataset.name} · Turret`;
  for (const item of document.querySelectorAll("#pages a")) {
    item.removeAttribute("aria-current");
    if (item.dataset.page === page) item.setAttribute("aria-current", "page");
    item.href = link(item.getAttribute("href").split("?")[0]);
  }
  main.setAttribute("aria-busy", "true");
  said.textContent = "Loading…";
  forgetPictures();
  forget();
  drawViews();
  // The page keeps its height while it is drawn anew, so that what one looks at stays in place.
  main.style.setProperty("min-height", same ? `${main.offsetHeight}px` : null);
  const settled = beginView();
  if (!same) main.replaceChildren(before(title));
  let content;
  try {
    // Not knowing how late the tables are is no reason to show nothing.
    const freshness = get("/v1/freshness").catch(() => null);
    const shown =
      OF_TEXTS.includes(page) && !mayReadTexts ? notWithThisRole(title) : await content_of(make, id, query, freshness);
    content = h("div", {}, later(freshness, above, 0), shown);
  } catch (error) {
    if (!(error instanceof ApiError)) console.error(error);
    content = failed(error, show);
  }
  // Meanwhile another view may have been asked for; the last one wins.
  if (turn !== drawing) return;
  main.replaceChildren(content);
  drawPictures(main);
  focused?.();
  await settled();
  if (turn !== drawing) return;
  // What stands side by side is to add up. Once, for while builds follow one another a page is to be there all the same.
  isRepeat = !areOfOneState() && !isRepeat;
  if (isRepeat) return show();
  focused?.();
  main.style.setProperty("min-height", null);
  main.setAttribute("aria-busy", "false");
  said.textContent = `${main.querySelector("h1")?.textContent ?? title}: loaded`;
}

// What stands above every page, where there is something to say: a page does not wait for it.
const above = (known) => [known?.late ? late(known) : null, known?.building ? building(known.building) : null];

// What a page needs before it can be drawn, but for settings and alerts: events, and a text field among their keys.
async function content_of(make, id, query, freshness) {
  if (make === settings) return settings({ fields: list("/v1/fields"), id, again: show });
  if (make === alerts) return alerts({ query, again: show });
  // How many topics there are says how journeys are shown; who needs it finds it on its way.
  get("/v1/topics/fits").catch(() => null);
  const fields = await list("/v1/fields");
  const named = fields.data.filter((each) => each.type === "text").map((each) => each.field);
  const texts = [...named].sort((a, b) => (b === fields.default_field) - (a === fields.default_field));
  const asked = query.get("field");
  const field = texts.includes(asked) ? asked : (texts[0] ?? null);
  if (!fields.data.length) {
    const usage = await get("/v1/usage"),
      known = (await freshness)?.building;
    return usage.used || known ? notBuilt(usage, known, show) : firstEvent(show);
  }
  if (field === null) return noTextField(fields);
  const page = await make({ fields, texts, field, id, query, again: show });
  const broken = fields.data.filter((each) => each.failure);
  return broken.length ? h("div", {}, brokenFields(broken), page) : page;
}

// Who works with the keyboard stays where they were, though the page is drawn anew.
function focus() {
  const { id, name, value, type } = document.activeElement ?? {};
  if (!id && !name) return null;
  const choice = type === "checkbox" || type === "radio" ? `[value="${CSS.escape(value)}"]` : "";
  return () =>
    (id ? document.getElementById(id) : document.querySelector(`[name="${CSS.escape(name)}"]${choice}`))?.focus({
      preventScroll: true,
    });
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest("a[href]");
  if (
    !anchor ||
    anchor.target ||
    anchor.download ||
    anchor.origin !== location.origin ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.button
  )
    return;
  if (anchor.hash && anchor.pathname === location.pathname) return;
  if (anchor.pathname === "/sign-in") return;
  event.preventDefault();
  const other = anchor.pathname !== location.pathname;
  go(anchor.href);
  if (!other) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
});
projects.addEventListener("change", () => {
  if (projects.value) location.href = `/?project=${encodeURIComponent(projects.value)}`;
});
// Not for a step to a place within the page, as the skip link's.
addEventListener("popstate", () => {
  if (placed() !== address) show();
});
addEventListener("turret:view", show);
// A link to a view is a link to its project's view, whoever follows it.
history.replaceState(null, "", here({ project: document.body.dataset.projectId }));
show();
