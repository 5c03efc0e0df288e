// The read API, with the session's cookie. One fetch per address and page view: panels that need the same answer share it.

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error || `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code;
  }
}

let answers = new Map();

export function forget() {
  answers = new Map();
}

export function get(path, query = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  const address = search.size ? `${path}?${search}` : path;
  if (!answers.has(address)) answers.set(address, ask("GET", address));
  return answers.get(address);
}

export const patch = (path, body) => ask("PATCH", path, body);
export const post = (path, body) => ask("POST", path, body);

async function ask(method, address, body) {
  let answer;
  try {
    answer = await fetch(address, {
      method, credentials: "same-origin", headers: body === undefined ? {} : { "Content-Type": "application/json" },
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
  const content = await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(answer.status, content);
  return content;
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
