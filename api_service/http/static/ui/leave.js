/* What one leaves with: the selected nodes as commands, a program, tables or a calendar. */

import { booking, go, keyOf, placeOf, selected, shown } from "./address.js";
import { get, url } from "./api.js";
import { csv } from "./csv.js";
import { byId, el, show } from "./dom.js";
import { nodeName, siteName } from "./inventory.js";
import { copyButton, problem } from "./messages.js";
import { conflicts } from "./segments.js";
import { commands, python } from "./snippets.js";
import { DAY, instant, localInput, minuteDown, minuteUp, utc } from "./times.js";

const AT_ONCE = 50; // uids in one request, so that no server finds its line too long
const FORMS = {
  commands: ["Commands", "text/x-shellscript", "book.sh", () => commands(lease())],
  python: ["Python", "text/x-python", "book.py", () => python(lease())],
  csv: ["CSV", "text/csv", "nodes.csv", table],
  json: ["JSON", "application/json", "nodes.json", () => `${JSON.stringify(nodes, null, 2)}\n`],
};
const COLUMNS = [
  "uid",
  "node_name",
  "node_type",
  "site_id",
  "cluster_id",
  "availability",
  "availability_until",
  "stale",
  "last_updated",
];

let nodes = [];
let known = [];
let read = null;

/** The bar at the bottom, and the dialog if the address says so. */
export function render() {
  const keys = selected();
  document.body.classList.toggle("selecting", keys.length > 0);
  show(byId("selection"), keys.length > 0 && bar(keys.length));
  const dialog = byId("leave");
  if (!shown().has("leave") || !keys.length) {
    if (dialog.open) dialog.close();
    return;
  }
  dialog.onclose = () => shown().has("leave") && go({ show: { leave: null } });
  if (!dialog.open) dialog.showModal();
  if (read === String(keys)) draw();
  else load(keys);
}

const bar = (count) =>
  el(
    "div",
    { class: "bar selection", role: "region", "aria-label": "Selection" },
    el("strong", {}, `${count} ${count === 1 ? "node" : "nodes"} selected`),
    el(
      "button",
      { id: "leave-open", class: "primary", onclick: () => go({ show: { leave: "commands" } }) },
      "Leave with them …",
    ),
    el("button", { id: "clear", class: "plain", onclick: () => go({ show: { selected: null } }) }, "Clear"),
  );

async function load(keys) {
  show(byId("leave"), heading(), el("p", {}, "Loading …"));
  try {
    [nodes, known] = await Promise.all(["nodes/search", "nodes/availability"].map((path) => readAll(path, keys)));
    read = String(keys);
    if (shown().has("leave")) draw();
  } catch (error) {
    show(
      byId("leave"),
      heading(),
      problem(error, () => load(keys)),
    );
  }
}

async function readAll(path, keys) {
  const requests = [];
  for (let first = 0; first < keys.length; first += AT_ONCE)
    requests.push(get(asked(path, keys.slice(first, first + AT_ONCE))));
  const wanted = new Set(keys);
  return (await Promise.all(requests)).flatMap((answer) => answer.items).filter((item) => wanted.has(keyOf(item)));
}

const asked = (path, keys) => url(path, new URLSearchParams(keys.map((key) => ["uid", placeOf(key).uid])));

const heading = () =>
  el(
    "header",
    { class: "dialog-head" },
    el("h2", { id: "leave-title" }, "Leave with the selected nodes"),
    el("button", { class: "plain close", "aria-label": "Close", onclick: () => byId("leave").close() }, "×"),
  );

function draw() {
  const chosen = Object.hasOwn(FORMS, shown().get("leave")) ? shown().get("leave") : "commands";
  const [, type, file, text] = FORMS[chosen];
  const calendar = asked("nodes/availability.ics", selected());
  show(
    byId("leave"),
    heading(),
    form(),
    warnings(),
    el(
      "div",
      { class: "choices", role: "group", "aria-label": "As what" },
      Object.keys(FORMS).map((name) => choice(name, name === chosen)),
    ),
    el("pre", { id: "leave-text", tabindex: "0", "aria-label": FORMS[chosen][0] }, text()),
    el(
      "p",
      {},
      copyButton(text),
      " ",
      el("button", { id: "download", onclick: () => download(file, type, text()) }, `Download ${file}`),
    ),
    el(
      "p",
      {},
      "Calendar of their bookings, to subscribe to: ",
      el("a", { id: "calendar-link", href: calendar }, "availability.ics"),
      " ",
      copyButton(() => calendar.href),
    ),
  );
}

const choice = (name, current) =>
  el(
    "button",
    {
      id: `leave-${name}`,
      "aria-pressed": String(current),
      onclick: () => go({ show: { leave: name }, replace: true }),
    },
    FORMS[name][0],
  );

function form() {
  const { name, start, end } = lease();
  const time = (id, title, moment) =>
    el(
      "label",
      {},
      title,
      el("input", {
        id,
        type: "datetime-local",
        value: moment ? localInput(moment) : "",
        title: moment ? utc(moment) : "At once",
        onchange: () => setTimeout(retime),
      }),
    );
  return el(
    "fieldset",
    { class: "lease" },
    el("legend", {}, "The lease"),
    el(
      "label",
      {},
      "Name",
      el("input", {
        id: "lease-name",
        value: name,
        maxlength: "80",
        onchange: (event) => setTimeout(rename, 0, event.target.value),
      }),
    ),
    time("lease-start", "From (empty: at once)", start),
    time("lease-end", "Until", end),
  );
}

// Once the focus is where it goes: what is drawn anew keeps it.
const rename = (name) => go({ show: { name: name || null }, replace: true });

function retime() {
  const start = byId("lease-start").value;
  const end = new Date(byId("lease-end").value);
  const begin = start ? new Date(start) : new Date();
  byId("lease-end").setCustomValidity(begin < end ? "" : "This is not after the beginning.");
  byId("lease-end").reportValidity();
  if (begin < end) go({ show: { begin: instant(begin), finish: instant(end) }, replace: true });
}

/** What the snippets book: whole minutes within what was chosen; what begins now has no start. */
function lease() {
  const chosen = booking() ?? { start: new Date(), end: new Date(Date.now() + DAY) };
  const start = chosen.start > new Date() ? minuteUp(chosen.start) : null;
  const bySite = new Map();
  for (const { site_id, uid } of nodes) bySite.set(site_id, [...(bySite.get(site_id) ?? []), uid]);
  const sites = [...bySite].map(([site_id, uids]) => ({ site_id, name: siteName(site_id), uids }));
  return { name: shown().get("name") ?? "my-lease", start, end: minuteDown(chosen.end), sites };
}

function warnings() {
  const { start, end } = lease();
  const names = new Map(nodes.map((node) => [keyOf(node), nodeName(node)]));
  const found = known.flatMap((item) =>
    conflicts(item, start ?? new Date(), end).map((text) => `${names.get(keyOf(item)) ?? item.node_id}: ${text}`),
  );
  const lost = selected().length - nodes.length;
  if (lost > 0) found.push(`${lost} of the selected nodes are no longer in the inventory, and are left out.`);
  if (!found.length)
    return el("p", { class: "good" }, "All of them are free for all of that time, as far as is known.");
  return el(
    "div",
    { class: "problem" },
    el("p", {}, "Not all of them can be booked for all of that time:"),
    el(
      "ul",
      {},
      found.map((text) => el("li", {}, text)),
    ),
  );
}

function table() {
  return csv(
    COLUMNS,
    nodes.map((node) => COLUMNS.map((name) => node[name])),
  );
}

function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
