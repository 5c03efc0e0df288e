// The address bar holds the whole view: which page, which text field, which filters. Nothing else remembers anything.

export function view() {
  const [page = "", id = null] = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  return { page: page || "overview", id, query: new URLSearchParams(location.search) };
}

// The address of a page that keeps the text field and the filters of the present one.
export function link(path, changes = {}) {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(key);
    else query.set(key, value);
  }
  return query.size ? `${path}?${query}` : path;
}

export function go(address) {
  history.pushState(null, "", address);
  dispatchEvent(new Event("turret:view"));
}
