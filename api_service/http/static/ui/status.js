/* How the service is: for an operator who wants to see that it lives. */

import { view } from "./address.js";
import { get, url } from "./api.js";
import { byId, el, show, table } from "./dom.js";
import { siteName } from "./inventory.js";
import { behind, problem } from "./messages.js";
import { span, time } from "./times.js";

const EVERY = 10_000;
let timer;

export async function render() {
  clearTimeout(timer);
  try {
    draw(await get(url("status")));
  } catch (error) {
    show(byId("status"), problem(error, render));
  }
  clearTimeout(timer);
  timer = setTimeout(() => view() === "status" && render(), EVERY);
}

function draw(status) {
  const { inventory, feed, events, data_faults: faults } = status;
  show(
    byId("status"),
    el("h2", {}, "Status"),
    el(
      "dl",
      { class: "facts" },
      fact("Alive", good(status.live), said(status.live)),
      fact("Ready", good(status.ready), said(status.ready)),
      fact(
        "Served commit",
        inventory.version !== null,
        inventory.version ? commit(inventory) : "none: the inventory is no git repository",
      ),
      fact("Newest commit", !inventory.refused, inventory.refused ? `refused: ${inventory.refused.reason}` : "served"),
      fact("Inventory", inventory.nodes > 0, `${inventory.nodes} nodes at ${inventory.sites} sites`),
      fact(
        "Feed",
        feed.connected,
        `${feed.connected ? "connected" : "not connected"} (${feed.session}), ${taken(feed)} messages taken`,
      ),
      fact("Followers", true, `${events.readers} of ${events.most_readers} at most`),
    ),
    el("h3", {}, "Sites"),
    sites(status.sites),
    el("h3", {}, "Data faults"),
    faults.total ? faultTable(faults) : el("p", { class: "good" }, "None: every file of the inventory is served."),
    behind(url("status")),
  );
}

const good = (answer) => answer === "yes";
const said = (answer) => (Array.isArray(answer) ? answer.join("; ") : String(answer));
const fact = (title, fine, text) => [
  el("dt", {}, title),
  el("dd", { class: fine ? "fine" : "bad" }, fine ? "✓ " : "✗ ", text),
];

const taken = ({ messages }) => messages.applied ?? 0;

const commit = ({ version, committed_at }) => [
  el("code", {}, version.slice(0, 12)),
  committed_at ? [", of ", time(committed_at)] : "",
];

function sites(found) {
  const titles = ["Site", "State", "Age", "Last synced", "Hosts", "Unreadable", "Position"];
  const row = (site) => [
    `${siteName(site.site_id)} (${site.site_id})`,
    state(site),
    site.age_seconds === null ? "" : span(site.age_seconds * 1000),
    site.last_synced ? time(site.last_synced) : "never",
    site.listed_hosts ?? "",
    site.unreadable_hosts ?? "",
    site.position ?? "",
  ];
  return scrolling("Sites", titles, found.map(row));
}

function state(site) {
  if (!site.configured && site.last_synced === null) return "not polled: its nodes are unknown";
  if (site.last_synced === null) return el("span", { class: "bad" }, "✗ never synced");
  return el("span", { class: site.stale ? "bad" : "fine" }, site.stale ? "✗ stale" : "✓ current");
}

const faultTable = ({ total, items }) => [
  el("p", { class: "bad" }, `${total} ${total === 1 ? "file or key is" : "files or keys are"} not as they should be.`),
  scrolling(
    "Data faults",
    ["File", "Kind", "What is wrong"],
    items.map(({ path, kind, detail }) => [el("code", {}, path), kind, detail]),
  ),
];

const scrolling = (label, titles, rows) =>
  el("div", { class: "scrolling", tabindex: "0", role: "region", "aria-label": label }, table(titles, rows));
