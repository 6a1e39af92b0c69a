/* What is free when: a calendar from one request, kept current by the live feed; capacity; and the slot finder. */

import { booking, filters, go, keyOf, shown, view } from "./address.js";
import { get, url } from "./api.js";
import { calendar } from "./calendar.js";
import * as capacity from "./capacity.js";
import { byId, debounced, el, show } from "./dom.js";
import { nodeName, siteName } from "./inventory.js";
import { applied, meanwhile, onSite } from "./live.js";
import { behind, nothing, problem } from "./messages.js";
import * as slots from "./slots.js";
import { legend } from "./states.js";
import { DAY, HOUR, instant, local, MINUTE, moment } from "./times.js";

const SPANS = new Map([
  ["12h", ["12 hours", 12 * HOUR]],
  ["1d", ["1 day", DAY]],
  ["3d", ["3 days", 3 * DAY]],
  ["7d", ["7 days", 7 * DAY]],
  ["30d", ["30 days", 30 * DAY]],
]);
const COLLATOR = new Intl.Collator(undefined, { numeric: true });
const FEW = 60; // nodes that are shown one by one without being asked
const PART = 200;

let asked = null;
let items = new Map();
let total = 0;
let loading;
let most = PART;

export function render() {
  const wants = String(filters());
  if (wants === asked) return draw();
  asked = wants;
  most = PART;
  return load();
}

/** Of another inventory everything may be different. */
export function forget() {
  asked = null;
  forgetPlans();
}

function forgetPlans() {
  capacity.forget();
  slots.forget();
}

/** Names, states and bookings of all nodes that match, in one request. */
export async function load() {
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  const came = meanwhile();
  try {
    const found = await get(address(), signal);
    items = new Map(found.items.map((item) => [keyOf(item), item]));
    total = found.total;
    // What was told since it was asked may be newer than the answer.
    const newer = came().filter((event) => applied(event, items, keyOf));
    draw();
    if (newer.length) recompute();
    if (newer.length && filters().has("availability_now")) reload();
  } catch (error) {
    if (error.name === "AbortError") return;
    asked = null;
    items = new Map(); // there is no calendar to draw them in
    show(byId("availability"), problem(error, render));
  } finally {
    came();
  }
}

const address = () => url("nodes/availability", filters());
const typeOf = (item) => String(item.node_type ?? "no type");
const nameOf = (item) => nodeName(item);

const reload = debounced(load, 500);
const recompute = debounced(() => {
  if (view() !== "availability" || !byId("capacity")) return forgetPlans();
  const { from, to } = stretch();
  capacity.render(from, to, { again: true });
  slots.render({ again: true });
}, 500);

onSite((event) => {
  const before = items.size;
  const changed = applied(event, items, keyOf);
  const looking = view() === "availability";
  // Who matches may be others now.
  const others = filters().has("availability_now") && (changed || (event.nodes.length && !event.whole));
  if (others || items.size < before) looking ? reload() : (asked = null);
  if (!changed) return;
  if (!looking) return forgetPlans();
  if (byId("calendar")) drawCalendar();
  recompute();
});
slots.onSlots(() => view() === "availability" && items.size && drawCalendar());
addEventListener(
  "resize",
  debounced(() => view() === "availability" && items.size && drawCalendar(), 0),
);
setInterval(() => view() === "availability" && items.size && drawCalendar(), MINUTE);

/** What of time is shown: never what has passed, since of that Blazar tells nothing. */
function stretch() {
  const [, length] = SPANS.get(shown().get("span")) ?? SPANS.get("30d");
  const now = Math.floor(Date.now() / MINUTE) * MINUTE;
  const from = Math.max(now, +moment(shown().get("from")) || now);
  return { from, to: from + length, length, now };
}

function draw() {
  const { from, to } = stretch();
  if (!byId("calendar")) {
    show(
      byId("availability"),
      el("h2", { class: "total" }),
      el("div", { id: "tools" }),
      legend(),
      el("div", { id: "calendar" }),
      capacity.section(),
      el("div", { id: "calendar-call" }),
    );
  }
  byId("availability").querySelector(".total").textContent = `${total} ${total === 1 ? "node" : "nodes"}`;
  show(byId("tools"), toolbar(), slots.form());
  show(byId("calendar-call"), behind(address(), "the calendar"));
  drawCalendar();
  slots.render();
  if (items.size) capacity.render(from, to);
  else byId("capacity").replaceChildren();
}

function toolbar() {
  const { from, length, now } = stretch();
  const current = shown().get("span") ?? "30d";
  const choice = (name, value, title, chosen) =>
    el(
      "button",
      { id: `${name}-${value}`, "aria-pressed": String(chosen), onclick: () => go({ show: { [name]: value } }) },
      title,
    );
  const move = (by) => () => go({ show: { from: from + by <= now ? null : instant(from + by) }, replace: true });
  return el(
    "div",
    { class: "toolbar" },
    el(
      "div",
      { class: "choices", role: "group", "aria-label": "Rows" },
      choice("rows", "types", "Types", rowsAre() === "types"),
      choice("rows", "nodes", "Nodes", rowsAre() === "nodes"),
    ),
    el(
      "div",
      { class: "choices", role: "group", "aria-label": "How much time" },
      [...SPANS].map(([value, [title]]) => choice("span", value, title, value === current)),
    ),
    el(
      "div",
      { class: "choices", role: "group", "aria-label": "Which time" },
      el("button", { id: "earlier", "aria-label": "Earlier", disabled: from <= now, onclick: move(-length / 2) }, "◀"),
      el("button", { id: "now", disabled: from <= now, onclick: move(now - from) }, "Now"),
      el("button", { id: "later", "aria-label": "Later", onclick: move(length / 2) }, "▶"),
    ),
    el("span", { class: "hint" }, `from ${local(from)}`),
  );
}

const rowsAre = () => shown().get("rows") ?? (items.size > FEW ? "types" : "nodes");

function drawCalendar() {
  const { from, to } = stretch();
  const found = slots.bands();
  const chosen = found.filter((band) => band.chosen);
  const lease = booking();
  const bands = [
    ...chosen,
    ...(lease ? [{ start: +lease.start, end: +lease.end, label: "The time that is chosen", keys: null }] : []),
  ];
  if (!items.size) return show(byId("calendar"), nothing());
  const rows = rowsAre() === "types" ? typeRows() : nodeRows(chosen[0]?.keys);
  show(
    byId("calendar"),
    calendar(rows.slice(0, most), { from, to, width: trackWidth() }, bands),
    rows.length > most &&
      el(
        "p",
        {},
        el(
          "button",
          {
            id: "more-rows",
            onclick: () => {
              most += PART;
              drawCalendar();
            },
          },
          `Show ${Math.min(PART, rows.length - most)} more of ${rows.length}`,
        ),
      ),
    total > items.size &&
      el("p", { class: "age" }, `These are the first ${items.size} of ${total}: filter to see the others.`),
  );
}

// Beside the names, or below them where there is little room; as the style has it.
function trackWidth() {
  const width = byId("calendar").clientWidth;
  return matchMedia("(max-width: 50rem)").matches ? width : width - 266;
}

function typeRows() {
  const byType = Map.groupBy(items.values(), typeOf);
  return [...byType]
    .sort(([one], [other]) => COLLATOR.compare(one, other))
    .map(([label, members]) => ({
      label,
      items: members,
      node: false,
      open: () => go({ ask: { node_type: label, offset: null }, show: { rows: "nodes" } }),
    }));
}

// Those of the slot that was found come first.
function nodeRows(keys = new Set()) {
  const sorting = new Map(
    [...items].map(([key, item]) => [key, `${keys.has(key) ? 0 : 1} ${typeOf(item)} ${nameOf(item)} ${key}`]),
  );
  return [...items]
    .sort(([one], [other]) => COLLATOR.compare(sorting.get(one), sorting.get(other)))
    .map(([key, item]) => ({
      label: nameOf(item),
      where: siteName(item.site_id),
      items: [item],
      node: true,
      open: () => go({ show: { node: key } }),
    }));
}
