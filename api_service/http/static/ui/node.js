/* One node: what it is, its history, and what changed between any two versions of it. */

import { go, keyOf, placeOf, select, selected, shown } from "./address.js";
import { get, resource, url } from "./api.js";
import { changes } from "./differences.js";
import { byId, el, show } from "./dom.js";
import { nodeName, siteName } from "./inventory.js";
import { applied, meanwhile, onSite } from "./live.js";
import { behind, problem } from "./messages.js";
import { stateMark } from "./states.js";
import { local, time, utc } from "./times.js";

let current = null;
let versions = [];
let known = new Map(); // what is known of the node now, by its key
let compared = null; // which two versions were asked for last
let loading;

/** Opens, fills and closes the dialog as the address says. */
export function render() {
  const dialog = byId("node");
  const key = shown().get("node");
  if (!key) {
    forget();
    if (dialog.open) dialog.close();
    return;
  }
  dialog.onclose = () => shown().has("node") && go({ show: { node: null, before: null, after: null } });
  if (!dialog.open) dialog.showModal();
  if (key !== current) load(key);
  else drawSelection(key);
}

/** Of another inventory everything may be different. */
export function forget() {
  loading?.abort();
  current = null;
}

onSite((event) => current !== null && applied(event, known, keyOf) && drawState(current));

async function load(key) {
  forget();
  current = key;
  known = new Map();
  loading = new AbortController();
  const { signal } = loading;
  const came = meanwhile();
  const place = placeOf(key);
  const path = ["sites", place.site_id, "clusters", place.cluster_id, "nodes", place.uid];
  show(byId("node"), heading(place.uid), el("p", {}, "Loading …"));
  try {
    const [node, history, found] = await Promise.all([
      get(resource(...path), signal),
      get(resource(...path, "versions"), signal),
      get(url("nodes/availability", new URLSearchParams({ ...pick(place), uid: place.uid })), signal),
    ]);
    versions = history.items;
    known = new Map(found.items.map((item) => [keyOf(item), item]));
    // What was told since it was asked may be newer than the answer.
    for (const event of came()) applied(event, known, keyOf);
    draw(key, path, node);
  } catch (error) {
    if (error.name === "AbortError") return;
    show(
      byId("node"),
      heading(place.uid),
      problem(error, () => load(key)),
    );
  } finally {
    came();
  }
}

const pick = ({ site_id, cluster_id }) => ({ site_id, cluster_id });

const heading = (title) =>
  el(
    "header",
    { class: "dialog-head" },
    el("h2", { id: "node-title" }, title),
    el("button", { class: "plain close", "aria-label": "Close", onclick: () => byId("node").close() }, "×"),
  );

function draw(key, path, node) {
  const place = placeOf(key);
  show(
    byId("node"),
    heading(nodeName(node)),
    el(
      "dl",
      { class: "facts" },
      fact("Uid", el("code", {}, node.uid)),
      fact("Where", `${siteName(place.site_id)}, cluster ${place.cluster_id}`),
      fact("Type", String(node.node_type ?? "not told")),
      fact("Now", el("span", { id: "node-now" })),
    ),
    el("div", { id: "node-bookings" }),
    el("p", { id: "node-select" }),
    el("h3", {}, "History"),
    history(path),
    el(
      "details",
      { class: "document", open: true },
      el("summary", {}, "Everything that is known, as JSON"),
      json(node),
    ),
    el("p", {}, "API: ", links(path)),
    behind(resource(...path)),
  );
  drawState(key);
  drawSelection(key);
  if (shown().has("before")) compare(path);
}

function drawState(key) {
  const item = known.get(keyOf(placeOf(key)));
  show(byId("node-now"), item ? stateMark(item) : "not known");
  show(byId("node-bookings"), bookings(item, byId("node-bookings")?.querySelector("details")?.open));
}

const fact = (title, value) => [el("dt", {}, title), el("dd", {}, value)];

const json = (value) => el("pre", { tabindex: "0", "aria-label": "The node as JSON" }, JSON.stringify(value, null, 2));

function bookings(availability, open) {
  if (!availability?.reservations.length) return null;
  const rows = availability.reservations.map(({ start, end }) =>
    el("li", {}, "Reserved ", time(start), " to ", time(end)),
  );
  const title = rows.length === 1 ? "1 coming booking" : `${rows.length} coming bookings`;
  return el("details", { open: Boolean(open) }, el("summary", { id: "bookings" }, title), el("ul", {}, rows));
}

function drawSelection(key) {
  const on = selected().includes(key);
  const toggle = () => select([key], !on);
  const place = byId("node-select");
  if (place)
    show(
      place,
      el(
        "button",
        { id: "node-pick", onclick: toggle, "aria-pressed": String(on) },
        on ? "Selected: take it out" : "Select this node",
      ),
    );
}

function links(path) {
  const found = [
    ["node", path],
    ["versions", [...path, "versions"]],
    ["availability", [...path, "availability"]],
  ];
  const calendar = [["calendar (.ics)", [...path, "availability.ics"]]];
  return [...found, ...calendar].map(([title, parts]) => [el("a", { href: resource(...parts) }, title), " "]);
}

function history(path) {
  if (!versions.length) return el("p", {}, "This inventory has no history: it is no git repository.");
  const rows = versions.map((version, index) =>
    el(
      "tr",
      {},
      ["before", "after"].map((name) => el("td", {}, radio(name, version, index))),
      el("td", {}, time(version.date, local(version.date))),
      el("td", {}, version.message),
      el("td", {}, version.author),
    ),
  );
  const titles = ["From", "To", "When", "What", "Who"].map((title) => el("th", { scope: "col" }, title));
  return [
    el(
      "div",
      { class: "scrolling", tabindex: "0", role: "region", "aria-label": "Versions" },
      el("table", { class: "versions" }, el("thead", {}, el("tr", {}, titles)), el("tbody", {}, rows)),
    ),
    versions.length > 1
      ? el("p", {}, el("button", { onclick: () => choose(path) }, "What changed between these two"))
      : el("p", {}, "It has one version: nothing has changed."),
    el("div", { id: "differences", role: "status" }),
  ];
}

function radio(name, version, index) {
  const given = shown().get(name);
  const chosen = given ? given === version.uid : index === (name === "after" ? 0 : Math.min(1, versions.length - 1));
  const label = `${name === "before" ? "From" : "To"} ${utc(version.date)}: ${version.message}`;
  return el("input", { type: "radio", name, value: version.uid, checked: chosen, "aria-label": label });
}

function choose(path) {
  const [before, after] = ["before", "after"].map(
    (name) => document.querySelector(`input[name="${name}"]:checked`).value,
  );
  go({ show: { before, after }, replace: true });
  compare(path);
}

async function compare(path) {
  const [before, after] = ["before", "after"].map((name) => shown().get(name) ?? "");
  const { signal } = loading;
  const asked = String([before, after]);
  compared = asked;
  try {
    const diff = await get(resource(...path, "versions", before, "diff", after), signal);
    const [changed] = diff.changed;
    const address = resource(...path);
    address.search = new URLSearchParams({ version: before });
    const old = changed ? await get(address, signal) : null;
    if (asked !== compared) return;
    show(
      byId("differences"),
      told(diff, changed, old),
      behind(resource(...path, "versions", before, "diff", after), "what changed"),
    );
  } catch (error) {
    if (error.name === "AbortError" || asked !== compared) return;
    show(
      byId("differences"),
      problem(error, () => compare(path)),
    );
  }
}

function told(diff, changed, old) {
  if (diff.added.length) return el("p", {}, "The node was added between these two.");
  if (diff.removed.length) return el("p", {}, "The node was removed between these two.");
  if (!changed) return el("p", {}, "Nothing differs between these two.");
  const rows = changes(changed.patch, old).map(({ path, before, after }) =>
    el("tr", {}, el("th", { scope: "row" }, path), el("td", {}, written(before)), el("td", {}, written(after))),
  );
  const titles = ["Field", "Before", "After"].map((title) => el("th", { scope: "col" }, title));
  return el("table", { class: "changes" }, el("thead", {}, el("tr", {}, titles)), el("tbody", {}, rows));
}

const written = (value) => (value === undefined ? el("i", {}, "not there") : el("code", {}, JSON.stringify(value)));
