/* What changes, as it changes: the API's server-sent events. */

import { url } from "./api.js";
import { byId } from "./dom.js";

const RETRY = 15_000;
const listeners = { site: new Set(), inventory: new Set() };
let version;
let source;

/** Calls `listener` with each event of a site: `{site_id, stale, last_updated, nodes, whole}`. */
export const onSite = (listener) => listeners.site.add(listener);

/** Calls `listener` when another commit is served. */
export const onInventory = (listener) => listeners.inventory.add(listener);

export function follow() {
  source = new EventSource(url("events"));
  source.onopen = () => tell("live", "Live");
  source.onerror = () => {
    tell("lost", "Not live: trying again");
    // The browser comes back by itself, unless it was refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, RETRY);
  };
  source.addEventListener("inventory", ({ data }) => {
    const told = JSON.parse(data);
    if (version !== undefined && version !== told.version) for (const each of listeners.inventory) each(told);
    version = told.version;
  });
  for (const kind of ["availability", "resync"]) {
    source.addEventListener(kind, ({ data }) => {
      const event = { ...JSON.parse(data), whole: kind === "resync" };
      for (const each of listeners.site) each(event);
    });
  }
}

function tell(state, text) {
  const live = byId("live");
  live.dataset.state = state;
  if (live.textContent !== text) live.textContent = text;
}

/**
 * Brings `items`, by key, up to an event.
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
  for (const item of items.values()) {
    if (item.site_id === event.site_id) set(item, { stale: event.stale, last_updated: event.last_updated });
  }
  for (const { node_id, cluster_id, availability, availability_until, reservations } of event.nodes) {
    const item = items.get(keyOf({ site_id: event.site_id, cluster_id, node_id }));
    if (item) set(item, { availability, availability_until, reservations });
  }
  return changed;
}
