/* The view is what the address bar says: after `?` what the API is asked, after `#` what the page shows of it. */

import { moment } from "./times.js";

/** Parameters of a search that select no nodes, so that plans take none of them. */
const NO_FILTERS = ["sort", "offset", "limit", "fields", "facets", "start", "end"];
const VIEWS = ["hardware", "availability", "status"];

export const MOST_SELECTED = 200; // as many values as one condition of the API may have

/** What the API is asked for: filters, and for the table also its order and part. */
export function query() {
  const found = new URLSearchParams(location.search);
  // The page is about the state of now. Addresses of before name it as the API does where no time is asked for.
  for (const value of found.getAll("availability")) found.append("availability_now", value);
  found.delete("availability");
  return found;
}

// Of these the API takes several values with commas too.
const LISTS = new Set(["site_id", "cluster_id", "node_type", "arch", "availability_now"]);

/** The values of a filter, one by one. */
export const chosen = (name) =>
  query()
    .getAll(name)
    .flatMap((each) => (LISTS.has(name) ? each.split(",") : [each]));

/** Filters alone, which the plans take too. */
export function filters() {
  const found = query();
  for (const name of NO_FILTERS) found.delete(name);
  return found;
}

/** What the page shows: `view`, `node`, `rows`, `span`, `from`, `selected`, …. */
export const shown = () => new URLSearchParams(location.hash.slice(1));

export function view() {
  const named = shown().get("view");
  return VIEWS.includes(named) ? named : "hardware";
}

/** The time in which nodes have to be free, if the address names one. */
export const wanted = () => during(query(), "start", "end");

/** When to book: what was chosen for that, or else the time in which nodes have to be free; or null. */
export const booking = () => during(shown(), "begin", "finish") ?? wanted();

function during(parameters, first, last) {
  const [start, end] = [first, last].map((name) => moment(parameters.get(name)));
  return start < end ? { start, end } : null;
}

/** Goes on to another view of the same page; what is null goes, what is a list is repeated. */
export function go({ ask = {}, show = {}, replace = false }) {
  const [search, hash] = [changed(query(), ask), changed(shown(), show)];
  const address = `${location.pathname}${search ? `?${search}` : ""}${hash ? `#${hash}` : ""}`;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  dispatchEvent(new Event("navigate"));
}

function changed(parameters, changes) {
  for (const [name, value] of Object.entries(changes)) {
    parameters.delete(name);
    for (const each of [value].flat())
      if (each !== null && each !== undefined && each !== "") parameters.append(name, each);
  }
  return String(parameters);
}

/** Which node: site, cluster and uid, each quoted, since one may hold a slash. */
export const keyOf = (item) =>
  [item.site_id, item.cluster_id, item.uid ?? item.node_id].map(encodeURIComponent).join("/");

export function placeOf(key) {
  const [site_id, cluster_id, uid] = key.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part; // somebody wrote the address by hand
    }
  });
  return { site_id, cluster_id, uid };
}

export const selected = () => shown().getAll("selected").slice(0, MOST_SELECTED);

/** Selects or unselects nodes; the address stays short enough for any server. */
export function select(keys, on) {
  const kept = new Set(selected());
  for (const key of keys) on ? kept.add(key) : kept.delete(key);
  go({ show: { selected: [...kept].slice(0, MOST_SELECTED) }, replace: true });
  return kept.size <= MOST_SELECTED;
}
