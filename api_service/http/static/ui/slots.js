/* "4 nodes for 72 hours": the earliest times at which enough nodes that match are free together. */

import { filters, go, keyOf, MOST_SELECTED, select, selected, shown } from "./address.js";
import { get, Problem, url } from "./api.js";
import { announce, byId, el, show } from "./dom.js";
import { siteName } from "./inventory.js";
import { behind } from "./messages.js";
import { ago, span, time } from "./times.js";

let asked = null;
let found = [];
let refused = null;
let loading;
let changed = () => {};
let made = null;
let madeFor = null;

/** Calls `listener` when other slots are to be drawn. */
export const onSlots = (listener) => (changed = listener);

/** The slots that were found: `[{start, end, label, keys, chosen}]`. */
export function bands() {
  const chosen = Number(shown().get("slot") ?? 0);
  return found.map((slot, index) => ({
    start: Date.parse(slot.start),
    end: Date.parse(slot.end),
    label: `Slot ${index + 1}: ${slot.nodes.length} nodes`,
    keys: new Set(slot.nodes.map(keyOf)),
    chosen: index === chosen,
  }));
}

/** Kept while the address asks for the same, so that nothing is lost that somebody is about to ask. */
export function form() {
  const given = shown();
  const asks = String(["count", "hours", "across"].map((name) => given.get(name)));
  if (made && asks === madeFor) return made;
  madeFor = asks;
  made = build(given);
  return made;
}

function build(given) {
  const number = (id, title, value, max) =>
    el("label", {}, title, el("input", { id, type: "number", min: "1", max, required: true, value }));
  return el(
    "form",
    { class: "finder", onsubmit: ask, "aria-label": "Find a slot" },
    number("slot-count", "Nodes", given.get("count") ?? "1", "5000"),
    number("slot-hours", "Hours", given.get("hours") ?? "24", "8760"),
    el(
      "label",
      { class: "check" },
      el("input", { id: "slot-across", type: "checkbox", checked: given.has("across") }),
      "at several sites",
    ),
    el("button", { class: "primary" }, "Find the earliest slot"),
    given.has("count") && el("button", { type: "button", class: "plain", onclick: clear }, "Forget"),
    el("div", { id: "slots", role: "status" }),
  );
}

function ask(event) {
  event.preventDefault();
  const across = byId("slot-across").checked ? "true" : null;
  asked = null;
  go({ show: { count: byId("slot-count").value, hours: byId("slot-hours").value, across, slot: null } });
}

const clear = () => go({ show: { count: null, hours: null, across: null, slot: null } });

function request() {
  const parameters = filters();
  parameters.set("count", shown().get("count"));
  parameters.set("duration", `PT${shown().get("hours")}H`);
  if (shown().has("across")) parameters.set("across_sites", "true");
  return url("availability/earliest", parameters);
}

/** What is known has changed: what was found is nothing any more, and is looked for when it is drawn next. */
export function forget() {
  loading?.abort();
  asked = refused = null;
  found = [];
  show(byId("slots"));
}

/** Finds what the address asks for, if that is something new; `again` if the world has changed. */
export async function render({ again = false } = {}) {
  if (!shown().has("count") || !shown().has("hours")) {
    const had = found.length > 0;
    forget();
    if (had) changed();
    return;
  }
  const address = request();
  if (asked === address.href && !again) return draw(address);
  asked = address.href;
  loading?.abort();
  loading = new AbortController();
  try {
    const { alternatives, ...first } = await get(address, loading.signal);
    [found, refused] = [[first, ...alternatives], null];
  } catch (error) {
    if (error.name === "AbortError") return;
    [found, refused] = [[], error];
  }
  draw(address);
  changed();
}

function refusal(error) {
  const advice =
    error instanceof Problem && error.status === 404
      ? "Ask for fewer nodes or hours, or remove a filter."
      : "Try again.";
  return el("p", { class: "problem" }, el("strong", {}, error.message), ` ${advice}`);
}

function draw(address) {
  if (!refused && !found.length) return; // the answer is still to come
  if (refused) return show(byId("slots"), refusal(refused));
  show(byId("slots"), el("ol", { class: "slots" }, found.map(slot)), behind(address, "the slots"));
}

function slot(each, index) {
  const nodes = each.nodes.length === 1 ? "1 node" : `${each.nodes.length} nodes`;
  const where = each.site_id ? siteName(each.site_id) : "several sites";
  const current = Number(shown().get("slot") ?? 0) === index;
  const soon = Date.parse(each.start) - Date.now();
  return el(
    "li",
    { class: current ? "current" : null },
    time(each.start),
    soon > 120_000 ? ` (in ${span(soon)})` : " (now)",
    " to ",
    time(each.end),
    `: ${nodes} at ${where}`,
    each.stale &&
      el("span", { class: "age" }, ` from old news${each.last_updated ? ` of ${ago(each.last_updated)}` : ""}`),
    " ",
    el(
      "button",
      {
        id: `slot-show-${index}`,
        "aria-pressed": String(current),
        onclick: () => go({ show: { slot: index, rows: "nodes" }, replace: true }),
      },
      "Show",
    ),
    " ",
    el("button", { id: `slot-take-${index}`, onclick: () => take(each) }, "Take"),
  );
}

function take(each) {
  const keys = each.nodes.map(keyOf);
  select(keys, true);
  go({ show: { begin: each.start, finish: each.end } });
  const taken = new Set(selected());
  const count = keys.filter((key) => taken.has(key)).length;
  const left = count < keys.length ? `: ${MOST_SELECTED} may be selected at most` : "";
  announce(`${count} of ${keys.length} nodes are selected, and the time is set${left}.`);
}
