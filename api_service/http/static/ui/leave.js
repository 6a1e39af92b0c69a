/* What one leaves with: the selected nodes as commands, a program, tables or a calendar. */

import { go, keyOf, placeOf, selected, shown } from "./address.js";
import { get, url } from "./api.js";
import { csv } from "./csv.js";
import { byId, el, show } from "./dom.js";
import { nodeName, siteName } from "./inventory.js";
import * as lease from "./lease.js";
import { applied, meanwhile, onSite } from "./live.js";
import { copyButton, problem } from "./messages.js";
import { conflicts } from "./segments.js";
import { commands, python } from "./snippets.js";
import { MINUTE } from "./times.js";

const AT_ONCE = 50; // uids in one request, so that no server finds its line too long
const FORMS = {
  commands: ["Commands", "text/x-shellscript", "book.sh", () => commands(wanted())],
  python: ["Python", "text/x-python", "book.py", () => python(wanted())],
  csv: ["CSV", "text/csv", "nodes.csv", () => table()],
  json: ["JSON", "application/json", "nodes.json", () => `${JSON.stringify(nodes.map(withState), null, 2)}\n`],
};
const BOOKING = new Set(["commands", "python"]); // of no use without a time to book
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

const MOST_OF_A_LINK = 8000; // characters; servers take few more
const NOBODY_KNOWS = { availability: "unknown", availability_until: null, stale: true, last_updated: null };

let nodes = [];
let known = new Map(); // what is known of them now, by their keys
let read = null;
let loading;
let drawnFor = null;

/** The bar at the bottom, and the dialog if the address says so. */
export function render() {
  const keys = selected();
  document.body.classList.toggle("selecting", keys.length > 0);
  show(byId("selection"), keys.length > 0 && bar(keys.length));
  const dialog = byId("leave");
  if (!shown().has("leave") || !keys.length) {
    forget();
    lease.forget();
    if (dialog.open) dialog.close();
    return;
  }
  dialog.onclose = () => shown().has("leave") && go({ show: { leave: null } });
  if (!dialog.open) dialog.showModal();
  if (read === String(keys)) draw();
  else load(keys);
}

/** What was read may be otherwise by now: it is read anew before it is shown again. */
export function forget() {
  loading?.abort();
  read = null;
}

onSite((event) => read !== null && applied(event, known, keyOf) && drawFound());
// A beginning and an end pass.
setInterval(() => read !== null && drawnFor !== moments() && draw(), MINUTE);

const moments = () => {
  const { start, end, lasts } = lease.term();
  return String([start, end, lasts]);
};

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
  forget();
  loading = new AbortController();
  const { signal } = loading;
  const came = meanwhile();
  show(byId("leave"), heading(), el("p", {}, "Loading …"));
  try {
    const paths = ["nodes/search", "nodes/availability"];
    const [found, states] = await Promise.all(paths.map((path) => readAll(path, keys, signal)));
    nodes = found;
    known = new Map(states.map((item) => [keyOf(item), item]));
    // What was told since it was asked may be newer than the answer.
    for (const event of came()) applied(event, known, keyOf);
    read = String(keys);
    draw();
  } catch (error) {
    if (error.name === "AbortError") return;
    show(
      byId("leave"),
      heading(),
      problem(error, () => load(keys)),
    );
  } finally {
    came();
  }
}

async function readAll(path, keys, signal) {
  const requests = [];
  for (let first = 0; first < keys.length; first += AT_ONCE)
    requests.push(get(asked(path, keys.slice(first, first + AT_ONCE)), signal));
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
  show(byId("leave"), heading(), lease.form(), el("div", { id: "leave-found" }, found()));
}

// The form alone stays, with what is typed into it.
const drawFound = () => show(byId("leave-found"), found());

function found() {
  drawnFor = moments();
  const chosen = Object.hasOwn(FORMS, shown().get("leave")) ? shown().get("leave") : "commands";
  const books = lease.term().lasts;
  return [
    books ? warnings() : over(),
    el(
      "div",
      { class: "choices", role: "group", "aria-label": "As what" },
      Object.keys(FORMS).map((name) => choice(name, name === chosen)),
    ),
    books || !BOOKING.has(chosen) ? taken(...FORMS[chosen]) : [],
    calendar(asked("nodes/availability.ics", selected())),
  ];
}

const over = () =>
  el(
    "p",
    { class: "problem" },
    "Nothing can be booked: of that time nothing is left. Choose an end that is to come, and after the beginning.",
  );

const taken = (title, type, file, text) => [
  el("pre", { id: "leave-text", tabindex: "0", "aria-label": title }, text()),
  el(
    "p",
    {},
    copyButton(text),
    " ",
    el("button", { id: "download", onclick: () => download(file, type, text()) }, `Download ${file}`),
  ),
];

function calendar({ href }) {
  if (href.length > MOST_OF_A_LINK)
    return el("p", {}, "There is no calendar of their bookings: so many nodes make a link that servers find too long.");
  return el(
    "p",
    {},
    "Calendar of their bookings, to subscribe to: ",
    el("a", { id: "calendar-link", href }, "availability.ics"),
    " ",
    copyButton(() => href),
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

/** What the snippets book, by site. */
function wanted() {
  const bySite = Map.groupBy(nodes, ({ site_id }) => site_id);
  const sites = [...bySite].map(([site_id, each]) => ({
    site_id,
    name: siteName(site_id),
    uids: each.map(({ uid }) => uid),
  }));
  return { ...lease.term(), sites };
}

// A node of which nothing was told is unknown, and never what it was before.
const stateOf = (node) => known.get(keyOf(node)) ?? NOBODY_KNOWS;

function withState(node) {
  const state = stateOf(node);
  return { ...node, ...Object.fromEntries(Object.keys(NOBODY_KNOWS).map((name) => [name, state[name]])) };
}

function warnings() {
  const { start, end } = lease.term();
  const faults = nodes.flatMap((node) =>
    conflicts(stateOf(node), start ?? new Date(), end).map((text) => `${nodeName(node)}: ${text}`),
  );
  const lost = selected().length - nodes.length;
  if (lost > 0) faults.push(`${lost} of the selected nodes are no longer in the inventory, and are left out.`);
  if (!faults.length)
    return el("p", { class: "good" }, "All of them are free for all of that time, as far as is known.");
  return el(
    "div",
    { class: "problem" },
    el("p", {}, "Not all of them can be booked for all of that time:"),
    el(
      "ul",
      {},
      faults.map((text) => el("li", {}, text)),
    ),
  );
}

const table = () =>
  csv(
    COLUMNS,
    nodes.map(withState).map((node) => COLUMNS.map((name) => node[name])),
  );

function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
