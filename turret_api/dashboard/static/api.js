// The read API, with the session's cookie. One fetch per address and page view: panels that need the same answer share it.

const project = document.body.dataset.projectId;

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error || `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code;
  }
}

let answers = new Map();
let states = new Set();

export function forget() {
  answers = new Map();
  states = new Set();
}

// Whether what was asked for since `forget` is of one state of messages and topics: else a build came in between.
export const areOfOneState = () => states.size < 2;

// `query` holds texts or lists of texts; what is null or empty is left out.
export function addressOf(path, query = {}) {
  const pairs = Object.entries(query).flatMap(([key, value]) => [value].flat().map((each) => [key, each]));
  const search = new URLSearchParams(
    pairs.filter(([, value]) => value !== null && value !== undefined && value !== ""),
  );
  return search.size ? `${path}?${search}` : path;
}

export function get(path, query = {}) {
  const address = addressOf(path, query);
  if (!answers.has(address)) answers.set(address, ask("GET", address));
  return answers.get(address);
}

// What `ask` gives, asked once everything that the page asks for now is answered: what stands at the top of a page does not
// share the server with what stands below, or is long in coming.
export const afterwards = (ask) =>
  Promise.resolve()
    .then(() => Promise.allSettled([...answers.values()]))
    .then(ask);

// As `get`, but never from what is known.
export const getAnew = (path) => ask("GET", path);
export const patch = (path, body) => ask("PATCH", path, body);
export const post = (path, body) => ask("POST", path, body);
export const put = (path, body) => ask("PUT", path, body);
export const remove = (path) => ask("DELETE", path);

// An answer in words.
export const text = async (path, query) => (await send("GET", addressOf(path, query))).text();

async function ask(method, address, body) {
  const mine = states;
  const answer = await send(method, address, body);
  const state = method === "GET" && answer.headers.get("State");
  if (state) mine.add(state);
  return answer.json();
}

async function send(method, address, body) {
  let answer;
  const type = body === undefined ? {} : { "Content-Type": "application/json" };
  try {
    answer = await fetch(address, {
      method,
      credentials: "same-origin",
      headers: { "X-Project": project, ...type },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, { error: "The server cannot be reached. Is it still running?" });
  }
  if (answer.status === 401) {
    // The session ended, or its key was revoked: this address now shows the sign-in page.
    location.reload();
    return new Promise(() => {});
  }
  if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => null));
  return answer;
}

// Every item of a list, page after page.
export async function list(path, query = {}) {
  const first = await get(path, query);
  const data = [...first.data];
  let next = first.next;
  while (next) {
    const page = await get(path, { ...query, cursor: next });
    data.push(...page.data);
    next = page.next;
  }
  return { ...first, data, next: null };
}

const MOST_PAGES = 100;

// A table as the API's own file: CSV of all its pages (up to `MOST_PAGES`), or Parquet of the first.
export async function file(path, query, format) {
  const parts = [];
  let cursor = null;
  do {
    const answer = await send("GET", addressOf(path, { ...query, format, cursor }));
    const part = await answer.blob();
    const headless = parts.length ? part.slice(await firstLine(part)) : part;
    parts.push(headless);
    cursor = format === "csv" ? answer.headers.get("Next-Cursor") : null;
  } while (cursor && parts.length < MOST_PAGES);
  return new Blob(parts);
}

// Where the first line of a CSV ends; a column's name has no line break.
const firstLine = async (blob) => new Uint8Array(await blob.slice(0, 4096).arrayBuffer()).indexOf(10) + 1;
