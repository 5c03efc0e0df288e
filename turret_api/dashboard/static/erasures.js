// Settings → Erasure: erasing what a user, a session, an event or a text brought; and the receipts of erasures.

import { link } from "./address.js";
import { actorOf, namesOfKeys } from "./audit.js";
import { get, getAnew, post } from "./api.js";
import { choice, h } from "./dom.js";
import { count, moment, plural } from "./format.js";
import { later, panel } from "./panel.js";
import { mayOwn } from "./rights.js";
import { table } from "./tables.js";

const KINDS = [
  ["user", "all events of the user"],
  ["session", "all events of the session"],
  ["event", "the event"],
  ["texts", "all events with this text in them"],
];
const AGAIN_MS = 5_000,
  TO_READ_MS = 600;
const STATES = {
  waiting: "waits; it begins within a minute",
  running: "under way",
  failed: "not done yet; it is tried again every ten minutes",
  given_up: "given up; it is not tried again",
  done: "done",
};
const ENDED = ["done", "given_up"];

// The address of the page with the form filled in. Behind `#`, for what is there is not sent to the server, whose log
// would have it.
export const erasing = (kind, value) => `${link("/settings/erasure")}#${kind}=${encodeURIComponent(value)}`;

function named() {
  const [, kind, value] = /^#(user|session|event)=(.+)$/.exec(location.hash) ?? [];
  return value === undefined ? null : { kind, value: decodeURIComponent(value) };
}

export function erasures() {
  if (!mayOwn)
    return panel(
      "Erasure",
      "",
      { id: "erasures" },
      h("p", { class: "empty" }, "Only an owner may erase, and see what was erased."),
    );
  const list = h("div", {});
  let asked = 0;
  const fill = (ask) => {
    const turn = (asked += 1);
    const show = ([{ data }, names]) => {
      const rows = (found) => listed(found, names, wanted.again);
      follow(list, data, rows, () => turn === asked);
      return rows(data);
    };
    list.replaceChildren(later(Promise.all([ask("/v1/erasures"), namesOfKeys()]), show, 120));
  };
  const wanted = form(fill);
  fill(get);
  return [
    panel("Erase", "", { id: "erase", note: "It cannot be taken back" }, wanted.element),
    panel("Erasures", "", { id: "erasures", note: "What was named is kept as a hash only" }, list),
  ];
}

// While one is not done, the list is asked for again: how far it is, and at last its receipt, come by themselves.
function follow(list, shown, rows, isLatest) {
  if (shown.every(({ state }) => ENDED.includes(state))) return;
  setTimeout(async () => {
    if (!list.isConnected || !isLatest()) return;
    const { data } = await getAnew("/v1/erasures").catch(() => ({ data: shown }));
    if (!isLatest()) return;
    if (JSON.stringify(data) !== JSON.stringify(shown)) list.replaceChildren(rows(data));
    follow(list, data, rows, isLatest);
  }, AGAIN_MS);
}

// The form, and what names something in it anew: `again(kind)`. The first click says how much would go, the second
// erases it; what is changed in between is counted anew.
function form(fill) {
  const problem = h("p", { class: "problem", role: "alert" });
  const told = h("p", { class: "whole-row", role: "status", id: "would-erase" });
  const kind = choice("kind", KINDS);
  const value = h("input", { type: "text", name: "value", maxlength: 10_000, required: true, autocomplete: "off" });
  const suppress = h("input", { type: "checkbox", name: "suppress" });
  const keep = h("input", { type: "checkbox", name: "keep_totals" });
  const submit = h("button", { class: "button", type: "submit" });
  const given = named();
  if (given) [kind.value, value.value] = [given.kind, given.value];
  const refusing = h("label", { class: "pick" }, suppress, "Refuse later events of the user");
  const keeping = h("label", { class: "pick" }, keep, "Keep totals: the events count on, without texts and ids");
  let isSure = false,
    turn = 0;
  const ask = (words, sure) => {
    submit.textContent = words;
    isSure = sure;
    if (!sure) return;
    // Who clicks twice at once has not read what would go.
    submit.setAttribute("aria-disabled", "true");
    setTimeout(() => submit.removeAttribute("aria-disabled"), TO_READ_MS);
  };
  const unsure = () => ((turn += 1), ask("Erase…", false), told.replaceChildren(), (problem.textContent = ""));
  const fitting = () => {
    refusing.hidden = kind.value !== "user";
    keeping.hidden = kind.value === "texts";
    unsure();
  };
  fitting();
  kind.addEventListener("change", fitting);
  for (const each of [value, suppress, keep]) each.addEventListener("input", unsure);
  const chosen = () => ({
    kind: kind.value,
    value: value.value,
    suppress: !refusing.hidden && suppress.checked,
    keep_totals: !keeping.hidden && keep.checked,
  });
  const look = async () => {
    unsure();
    const mine = turn;
    told.replaceChildren("Counting what would go…");
    try {
      const found = await post("/v1/erasures", { ...chosen(), dry_run: true });
      if (mine !== turn) return;
      told.replaceChildren(...wouldGo(found, chosen()));
      ask(found.n_events ? `Erase ${plural(found.n_events, "event")}` : "Erase all the same", true);
    } catch (error) {
      if (mine !== turn) return;
      told.replaceChildren();
      problem.textContent = error.message;
      // What was named is right, but cannot be counted now: that is no reason not to erase it.
      if (error.status >= 500) ask("Erase without a count", true);
    }
  };
  const send = async (event) => {
    event.preventDefault();
    if (submit.hasAttribute("aria-disabled")) return;
    if (!isSure) return look();
    unsure();
    try {
      await post("/v1/erasures", chosen());
      value.value = "";
      fill(getAnew);
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  const element = h(
    "form",
    { class: "controls", onsubmit: send },
    h("label", { class: "pick" }, "Erase", kind),
    h("label", { class: "pick" }, "Its id, or the text", value),
    refusing,
    keeping,
    told,
    submit,
    problem,
  );
  const again = (of) => {
    kind.value = of;
    fitting();
    value.focus();
  };
  return { element, again };
}

// What would go, in sentences.
function wouldGo({ kind, n_events, n_sessions, n_users, first, last, waiting_since }, { suppress, keep_totals }) {
  const of = {
    user: ` in ${plural(n_sessions, "session")}`,
    session: ` of ${plural(n_users, "user")}`,
    event: "",
    texts: ` in ${plural(n_sessions, "session")} of ${plural(n_users, "user")}`,
  }[kind];
  const times = first === last ? `of ${moment(first)}` : `from ${moment(first)} to ${moment(last)}`;
  const goes = keep_totals
    ? "They stay as rows that count, and lose their ids and texts."
    : "They go, with all that came from them.";
  return [
    n_events
      ? [h("strong", {}, `${plural(n_events, "event")}${of}`), `, ${times}. `, goes, " This cannot be taken back."]
      : [
          h("strong", {}, "No event in the tables"),
          kind === "texts" ? " has this text." : " has this id.",
          " Erase all the same to reach what was sent and is not in them yet.",
        ],
    suppress ? " Later events of the user are refused." : "",
    waiting_since
      ? ` Events that have waited since ${moment(waiting_since)} are not counted; those that belong to it go too.`
      : "",
  ].flat();
}

function listed(data, names, again) {
  if (!data.length) return h("p", { class: "empty" }, "Nothing was erased yet.");
  return table(
    [
      { title: "Asked for", cls: "muted", cell: (each) => moment(each.created_at) },
      { title: "By", cls: "muted", cell: (each) => (each.receipt ? actorOf(each.receipt.by, names) : "") },
      {
        title: "Of",
        cell: (each) => [h("span", { class: "type" }, each.kind), " ", h("code", {}, each.hash.slice(0, 8))],
      },
      {
        title: "State",
        cell: (each) => [STATES[each.state], each.state === "given_up" ? next(each, data, again) : null],
      },
      { title: "Receipt", cls: "whole", cell: (each) => (each.receipt ? receipt(each.receipt, each.state) : "") },
    ],
    data,
    { cls: "fold", label: "Erasures", attributes: (each) => ({ "data-erasure": each.erasure_id }) },
  );
}

// After one that was given up: whether the same was asked for again, or how to. The id has to be entered anew: of what was
// named there is the hash alone.
function next({ kind, hash, created_at }, data, again) {
  const later = data.find((each) => each.kind === kind && each.hash === hash && each.created_at > created_at);
  if (later) return h("p", { class: "fine" }, `Asked for again: ${moment(later.created_at)}`);
  if (!KINDS.some(([each]) => each === kind)) return null;
  return h(
    "p",
    {},
    h("button", { class: "button small", type: "button", onclick: () => again(kind) }, "Erase it again…"),
  );
}

function receipt({ n_events, done, before, after, not_reached, problem }, state) {
  const lines = done.filter(({ n }) => n).map(({ place, what, n }) => h("li", {}, `${place}: ${what} (${count(n)})`));
  const changed = before && Object.keys(before).map((name) => `${name} ${count(before[name])} → ${count(after[name])}`);
  const why = problem && state !== "running" ? h("p", { class: "problem" }, problem) : null;
  const summary = problem
    ? state === "given_up"
      ? "Not done"
      : "Not done yet"
    : `${plural(n_events, "event")} erased`;
  return h(
    "details",
    { open: why !== null },
    h("summary", {}, summary),
    why,
    changed ? h("p", { class: "fine" }, changed.join(", ")) : null,
    h("ul", { class: "receipt" }, lines),
    not_reached.length ? h("p", { class: "fine" }, `Not reached from here: ${not_reached.join("; ")}.`) : null,
  );
}
