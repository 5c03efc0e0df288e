// The address bar holds the whole view: project, page, text field, filters, and what a page shows of them. Nothing else
// remembers anything, so a view is shared by its address.

export const isFilter = (key) => ["from", "to", "name", "cohort"].includes(key) || key.startsWith("segment.");
const isShared = (key) => ["project", "field", "kinds", "unit"].includes(key) || isFilter(key);

export function view() {
  const [page = "", ...rest] = location.pathname.split("/").filter(Boolean);
  const query = new URLSearchParams(location.search);
  return { page: page || "overview", id: rest.length ? decodeURIComponent(rest.join("/")) : query.get("id"), query };
}

// The address of another page, with the project, the text field and the filters of the present one.
export function link(path, changes = {}) {
  const query = new URLSearchParams([...new URLSearchParams(location.search)].filter(([key]) => isShared(key)));
  return address(path, query, changes);
}

// The address of this page with something of its view changed.
export const here = (changes) => address(location.pathname, new URLSearchParams(location.search), changes);

function address(path, query, changes) {
  for (const [key, value] of Object.entries(changes)) {
    query.delete(key);
    for (const each of [value].flat()) if (each !== null && each !== undefined && each !== "") query.append(key, each);
  }
  return query.size ? `${path}?${query}` : path;
}

export function go(to) {
  history.pushState(null, "", to);
  dispatchEvent(new Event("turret:view"));
}

// Notes in the address what the page shows already.
export const note = (changes) => history.replaceState(null, "", here(changes));
