/* The table of the nodes that match. The server filters, sorts and pages. */

import { go, keyOf, MOST_SELECTED, query, select, selected, view } from "./address.js";
import { search, url } from "./api.js";
import { announce, byId, debounced, el, show } from "./dom.js";
import { at, bytes, nodeName, siteName } from "./inventory.js";
import { applied, meanwhile, onSite } from "./live.js";
import { behind, nothing, problem } from "./messages.js";
import { legend, stateMark } from "./states.js";

const PAGE = 50;
const STATE = ["availability_now", "availability_until", "last_updated", "stale"];

/** Title, the field to sort by, and what stands in a cell. */
const COLUMNS = [
  [
    "Node",
    "node_name",
    (node) => el("button", { class: "name", id: `name ${keyOf(node)}`, onclick: () => open(node) }, nodeName(node)),
  ],
  ["Site", "site_id", (node) => siteName(node.site_id)],
  ["Type", "node_type", (node) => text(node, "node_type")],
  ["Now", "availability_now", stateMark],
  ["Threads", "architecture.smt_size", (node) => text(node, "architecture.smt_size"), "number"],
  ["Memory", "main_memory.ram_size", (node) => bytes(at(node, "main_memory.ram_size")), "number"],
  ["GPU", "gpu.gpu_count", (node) => gpu(node)],
];
const FIELDS = [...COLUMNS.map(([, field]) => field), "gpu.gpu_model", ...STATE].filter((field) => field !== "site_id");

let asked = null;
let answer = null;
let loading;

/** Asks anew if the address asks for something else. */
export function render() {
  const wants = String(query());
  if (wants === asked && answer) return draw();
  asked = wants;
  return load();
}

/** Of another inventory everything may be different. */
export const forget = () => (asked = null);

export async function load() {
  loading?.abort();
  loading = new AbortController();
  const section = byId("hardware");
  section.setAttribute("aria-busy", "true");
  const came = meanwhile();
  try {
    answer = await search(request(), loading.signal);
    answer.items = answer.items.map(ofNow);
    // What was told since it was asked may be newer than the answer.
    if (came().filter(update).length) reload();
    draw();
    announce(`${answer.total} nodes match.`);
  } catch (error) {
    if (error.name === "AbortError") return;
    answer = null;
    show(section, problem(error, load));
  } finally {
    came();
  }
  section.removeAttribute("aria-busy");
}

/** With the state of now under the name that the live feed has for it: between two times the API's is another. */
const ofNow = ({ availability_now, ...node }) => ({ ...node, availability: availability_now });

function request() {
  const parameters = query();
  parameters.set("fields", FIELDS.join(","));
  parameters.set("limit", PAGE);
  if (!parameters.has("sort")) parameters.set("sort", "node_type,node_name");
  return parameters;
}

const reload = debounced(load, 400);

function update(event) {
  const items = new Map(answer.items.map((item) => [keyOf(item), item]));
  const changed = applied(event, items, keyOf);
  answer.items = [...items.values()];
  return changed;
}

onSite((event) => {
  const before = answer && JSON.stringify(answer.items);
  const changed = answer && update(event);
  if (view() !== "hardware") asked = null;
  else if (changed && before !== JSON.stringify(answer.items)) draw();
  // Nodes that are not shown may fit now, and counts be others.
  if (view() === "hardware" && (changed || (!event.whole && event.nodes.length))) reload();
});

function draw() {
  const { total, offset, items } = answer;
  const chosen = new Set(selected());
  show(
    byId("hardware"),
    el("h2", { class: "total" }, `${total} ${total === 1 ? "node" : "nodes"}`),
    legend(),
    total === 0 ? nothing() : [table(items, chosen), pager(total, offset, items.length)],
    behind(url("nodes/search", request())),
  );
}

function table(items, chosen) {
  const keys = items.map(keyOf);
  const all = keys.every((key) => chosen.has(key));
  const box = el("input", {
    type: "checkbox",
    id: "select-page",
    "aria-label": "Select all nodes of this page",
    checked: all,
    indeterminate: !all && keys.some((key) => chosen.has(key)),
    onchange: (event) => pick(keys, event.target.checked),
  });
  return el(
    "div",
    { class: "scrolling", tabindex: "0", role: "region", "aria-label": "Nodes" },
    el(
      "table",
      { class: "nodes" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "pick" }, box), COLUMNS.map(header))),
      el(
        "tbody",
        {},
        items.map((node) => row(node, chosen)),
      ),
    ),
  );
}

function header([title, field, , kind]) {
  const sort = query().get("sort");
  const direction = sort === field ? "ascending" : sort === `-${field}` ? "descending" : null;
  const next = direction === "ascending" ? `-${field}` : field;
  const arrow = direction ? (direction === "ascending" ? " ▲" : " ▼") : "";
  return el(
    "th",
    { scope: "col", "aria-sort": direction, class: kind },
    el(
      "button",
      { id: `sort ${field}`, onclick: () => go({ ask: { sort: next, offset: null } }) },
      title,
      el("span", { "aria-hidden": "true" }, arrow),
    ),
  );
}

function row(node, chosen) {
  const key = keyOf(node);
  const box = el("input", {
    type: "checkbox",
    id: `pick ${key}`,
    "aria-label": `Select ${nodeName(node)}`,
    checked: chosen.has(key),
    onchange: (event) => pick([key], event.target.checked),
  });
  const cells = COLUMNS.map(([title, , content, kind], index) =>
    el(index ? "td" : "th", { scope: index ? null : "row", class: kind, "data-title": title }, content(node)),
  );
  return el("tr", { class: chosen.has(key) ? "chosen" : null }, el("td", { class: "pick" }, box), cells);
}

function pager(total, offset, count) {
  const to = (start) => () => go({ ask: { offset: start || null } });
  return el(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    el("button", { id: "previous", disabled: offset === 0, onclick: to(Math.max(0, offset - PAGE)) }, "Previous"),
    el("span", {}, count ? `${offset + 1}–${offset + count} of ${total}` : `none of ${total} here`),
    el("button", { id: "next", disabled: offset + count >= total, onclick: to(offset + PAGE) }, "Next"),
  );
}

function pick(keys, on) {
  if (!select(keys, on)) announce(`${MOST_SELECTED} nodes may be selected at most.`);
}

const open = (node) => go({ show: { node: keyOf(node) } });

function text(node, path) {
  const value = at(node, path);
  return value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

function gpu(node) {
  const count = at(node, "gpu.gpu_count");
  const model = text(node, "gpu.gpu_model");
  return [typeof count === "number" && count > 0 ? `${count} ×` : "", model].filter(Boolean).join(" ");
}
