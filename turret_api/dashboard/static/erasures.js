// Settings → Erasure: erasing what a user, a session, an event or a text brought; and the receipts of erasures.

import { link } from "./address.js";
import { actorOf } from "./audit.js";
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
const AGAIN_MS = 5_000;
const STATES = {
  waiting: "waits; it begins within a minute",
  running: "under way",
  failed: "not done yet; it is tried again",
  done: "done",
};

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
    const show = ({ data }) => (follow(list, data, () => turn === asked), listed(data));
    list.replaceChildren(later(ask("/v1/erasures"), show, 120));
  };
  fill(get);
  return [
    panel("Erase", "", { id: "erase", note: "It cannot be taken back" }, form(fill)),
    panel("Erasures", "", { id: "erasures", note: "What was named is kept as a hash only" }, list),
  ];
}

// While one is not done, the list is asked for again: how far it is, and at last its receipt, come by themselves.
function follow(list, shown, isLatest) {
  if (shown.every(({ state }) => state === "done")) return;
  setTimeout(async () => {
    if (!list.isConnected || !isLatest()) return;
    const { data } = await getAnew("/v1/erasures").catch(() => ({ data: shown }));
    if (!isLatest()) return;
    if (JSON.stringify(data) !== JSON.stringify(shown)) list.replaceChildren(listed(data));
    follow(list, data, isLatest);
  }, AGAIN_MS);
}

function form(fill) {
  const problem = h("p", { class: "problem", role: "alert" });
  const kind = choice("kind", KINDS);
  const value = h("input", { type: "text", name: "value", maxlength: 10_000, required: true, autocomplete: "off" });
  const suppress = h("input", { type: "checkbox", name: "suppress" });
  const keep = h("input", { type: "checkbox", name: "keep_totals" });
  const submit = h("button", { class: "button", type: "submit" }, "Erase");
  const given = named();
  if (given) [kind.value, value.value] = [given.kind, given.value];
  // Asked twice in place; what is changed in between is asked for anew.
  const unsure = () => (submit.textContent = "Erase");
  const refusing = h("label", { class: "pick" }, suppress, "Refuse later events of the user");
  const keeping = h("label", { class: "pick" }, keep, "Keep totals: the events count on, without texts and ids");
  const fitting = () => {
    refusing.hidden = kind.value !== "user";
    keeping.hidden = kind.value === "texts";
  };
  fitting();
  kind.addEventListener("change", () => {
    fitting();
    unsure();
  });
  for (const each of [value, suppress, keep]) each.addEventListener("input", unsure);
  const send = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    if (submit.textContent === "Erase") {
      submit.textContent = "Really erase? It cannot be had back";
      return;
    }
    unsure();
    try {
      await post("/v1/erasures", {
        kind: kind.value,
        value: value.value,
        suppress: !refusing.hidden && suppress.checked,
        keep_totals: !keeping.hidden && keep.checked,
      });
      value.value = "";
      fill(getAnew);
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  return h(
    "form",
    { class: "controls", onsubmit: send },
    h("label", { class: "pick" }, "Erase", kind),
    h("label", { class: "pick" }, "Its id, or the text", value),
    refusing,
    keeping,
    submit,
    problem,
  );
}

function listed(data) {
  if (!data.length) return h("p", { class: "empty" }, "Nothing was erased yet.");
  return table(
    [
      { title: "Asked for", cls: "muted", cell: (each) => moment(each.created_at) },
      { title: "By", cls: "muted", cell: (each) => (each.receipt ? actorOf(each.receipt.by) : "") },
      {
        title: "Of",
        cell: (each) => [h("span", { class: "type" }, each.kind), " ", h("code", {}, each.hash.slice(0, 8))],
      },
      { title: "State", cell: (each) => STATES[each.state] },
      { title: "Receipt", cell: (each) => (each.receipt ? receipt(each.receipt) : "") },
    ],
    data,
    { cls: "fold", label: "Erasures", attributes: (each) => ({ "data-erasure": each.erasure_id }) },
  );
}

function receipt({ n_events, done, before, after, not_reached, problem }) {
  const lines = done.filter(({ n }) => n).map(({ place, what, n }) => h("li", {}, `${place}: ${count(n)} ${what}`));
  const changed = before && Object.keys(before).map((name) => `${name} ${count(before[name])} → ${count(after[name])}`);
  return h(
    "details",
    {},
    h("summary", {}, problem ? "Not done yet" : `${plural(n_events, "event")} erased`),
    problem ? h("p", { class: "problem" }, problem) : null,
    changed ? h("p", { class: "fine" }, changed.join(", ")) : null,
    h("ul", {}, lines),
    not_reached.length ? h("p", { class: "fine" }, `Not reached from here: ${not_reached.join("; ")}.`) : null,
  );
}
