/* What changes, as it changes: the API's server-sent events. */

import { url } from "./api.js";
import { byId } from "./dom.js";

const RETRY = 15_000;
const listeners = { site: new Set(), inventory: new Set() };
const rosters = new Map(); // which nodes each site was last said to have
let served = null; // the inventory that was told or read last
let source;

/** Calls `listener` with each event of a site: `{site_id, stale, last_updated, nodes, whole}`. */
export const onSite = (listener) => listeners.site.add(listener);

/** Calls `listener` when another inventory is served. */
export const onInventory = (listener) => listeners.inventory.add(listener);

/**
 * Keeps the events of sites that come while an answer is waited for, since that may be older.
 * @returns what ends this and gives them
 */
export function meanwhile() {
  const events = [];
  const keep = (event) => events.push(event);
  listeners.site.add(keep);
  return () => {
    listeners.site.delete(keep);
    return events;
  };
}

/** Follows what becomes of the inventory that was read: its `{version, sites}`, or null if none could be read. */
export function follow(read) {
  served = read && identity(read);
  connect();
}

// Without git there is no version, so that only its sites tell one from another.
const identity = ({ version, sites }) => JSON.stringify([version, [...sites].sort()]);

function connect() {
  let first = true;
  source = new EventSource(url("events"));
  source.onopen = () => {
    first = true;
    tell("live", "Live");
  };
  source.onerror = () => {
    tell("lost", "Not live: trying again");
    // The browser comes back by itself, unless it was refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY);
  };
  source.addEventListener("inventory", ({ data }) => {
    const told = identity(JSON.parse(data));
    // A stream begins with the one that is served; later there is one only if it is another.
    if (!first || told !== served) another();
    first = false;
    served = told;
  });
  for (const kind of ["availability", "resync"]) {
    source.addEventListener(kind, ({ data }) => {
      const event = { ...JSON.parse(data), whole: kind === "resync" };
      for (const each of listeners.site) each(event);
      if (event.whole && isOfOthers(event)) another();
    });
  }
}

function another() {
  rosters.clear();
  for (const each of listeners.inventory) each();
}

// Whether the site had other nodes when they were last named. Without a version nothing else tells.
function isOfOthers({ site_id, nodes }) {
  const before = rosters.get(site_id);
  const roster = JSON.stringify(nodes.map(({ cluster_id, node_id }) => [cluster_id, node_id].join("/")).sort());
  rosters.set(site_id, roster);
  return before !== undefined && before !== roster;
}

function tell(state, text) {
  const live = byId("live");
  live.dataset.state = state;
  if (live.textContent !== text) live.textContent = text;
}

/**
 * Brings `items`, by key, up to an event; those of its site that a whole one does not name are gone.
 * @returns whether any of them is other than it was
 */
export function applied(event, items, keyOf) {
  let changed = false;
  const set = (item, fields) => {
    for (const [name, value] of Object.entries(fields)) {
      if (value === undefined || JSON.stringify(item[name]) === JSON.stringify(value)) continue;
      item[name] = value;
      changed ||= name !== "last_updated";
    }
  };
  const named = new Map(event.nodes.map((node) => [keyOf({ ...node, site_id: event.site_id }), node]));
  for (const [key, item] of items) {
    if (item.site_id !== event.site_id) continue;
    if (event.whole && !named.has(key)) {
      items.delete(key);
      changed = true;
      continue;
    }
    const { availability, availability_until, reservations } = named.get(key) ?? {};
    set(item, { stale: event.stale, last_updated: event.last_updated, availability, availability_until });
    if (item.reservations) set(item, { reservations });
  }
  return changed;
}
