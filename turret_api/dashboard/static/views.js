// Saved views: a page as its address says it, under a name, in the side bar; an editor saves, renames and removes them.

import { get, post, put } from "./api.js";
import { h } from "./dom.js";
import { attempt, takeAway } from "./notes.js";
import { mayEdit } from "./rights.js";

const menu = document.getElementById("views"),
  place = document.getElementById("views-list"),
  about = document.body.dataset;

// The page's address as it is saved, without its project.
function present() {
  const query = new URLSearchParams(location.search);
  query.delete("project");
  return query.size ? `${location.pathname}?${query}` : location.pathname;
}

function opened({ address }) {
  const [path, search = ""] = address.split("?");
  const query = new URLSearchParams(search);
  query.set("project", about.projectId);
  return `${path}?${query}`;
}

// After this call the side bar has the views, and the one that is shown is marked.
export async function drawViews() {
  let found;
  try {
    found = await get("/v1/views");
  } catch {
    place.replaceChildren(h("p", { class: "fine" }, "The saved views cannot be read now."));
    return;
  }
  const here = new URLSearchParams(present().split("?")[1] ?? "").toString();
  const isHere = ({ address }) => {
    const [path, search = ""] = address.split("?");
    return path === location.pathname && new URLSearchParams(search).toString() === here;
  };
  const problem = h("p", { class: "problem", role: "alert" });
  const again = () => dispatchEvent(new Event("turret:view"));
  menu.querySelector("summary").textContent = found.data.length ? `Saved views (${found.data.length})` : "Saved views";
  place.replaceChildren(
    found.data.length
      ? h(
          "ul",
          { "aria-label": "Saved views" },
          found.data.map((each) => item(each, isHere(each), problem, again)),
        )
      : h("p", { class: "fine" }, "None yet."),
    mayEdit ? saving(problem, again) : h("p", { class: "fine" }, "Only an editor may save or change views."),
    problem,
  );
}

function item(each, isHere, problem, again) {
  const anchor = h("a", { href: opened(each), "aria-current": isHere ? "page" : null, title: each.address }, each.name);
  if (!mayEdit) return h("li", { "data-view": each.view_id }, anchor);
  const name = h("input", {
    type: "text",
    value: each.name,
    maxlength: 200,
    required: true,
    "aria-label": `Name of the view ${each.name}`,
  });
  const rename = (event) => {
    event.preventDefault();
    attempt(problem, async () => {
      await put(`/v1/views/${each.view_id}`, { name: name.value, address: each.address });
      again();
    });
  };
  return h(
    "li",
    { "data-view": each.view_id },
    anchor,
    h(
      "details",
      { class: "change" },
      h("summary", { "aria-label": `Change the view ${each.name}` }, "…"),
      h("form", { onsubmit: rename }, name, h("button", { class: "button small", type: "submit" }, "Rename")),
      takeAway(`the view ${each.name}`, `/v1/views/${each.view_id}`, problem, again),
    ),
  );
}

function saving(problem, again) {
  const name = h("input", {
    type: "text",
    id: "view-name",
    maxlength: 200,
    required: true,
    placeholder: "Name of this view",
    "aria-label": "Name under which this page is saved",
  });
  const save = (event) => {
    event.preventDefault();
    attempt(problem, async () => {
      await post("/v1/views", { name: name.value, address: present() });
      again();
    });
  };
  return h(
    "form",
    { class: "save-view", onsubmit: save },
    name,
    h("button", { class: "button small", type: "submit" }, "Save this view"),
  );
}

// Beside the filters: leads to the one place where views are saved, or says why there is none.
export const saveButton = () =>
  mayEdit
    ? h(
        "button",
        {
          class: "quiet link",
          type: "button",
          onclick: () => {
            menu.open = true;
            document.getElementById("view-name")?.focus();
          },
        },
        "Save this view…",
      )
    : h("p", { class: "fine" }, "Only an editor may save this view, but anyone may share its address.");
