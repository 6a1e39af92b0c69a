/* When a node is what, and how many of several are. Times are milliseconds; an end is excluded. */

import { local } from "./times.js";
import { STATES, staleText } from "./states.js";

const MOST = 150; // that a row of several nodes is drawn in

/** What a node is from `from` to `to`: `[{state, start, end}]` without gaps. What is unknown is never free. */
export function segments(item, from, to) {
  if (item.availability === "unknown" || item.availability === "maintenance") {
    return [{ state: item.availability, start: from, end: to }];
  }
  const found = [];
  let reached = from;
  for (const { start, end } of blocks(item)) {
    if (end <= reached || start >= to) continue;
    if (start > reached) found.push({ state: "available", start: reached, end: start });
    found.push({ state: "reserved", start: Math.max(start, reached), end: Math.min(end, to) });
    reached = Math.min(end, to);
  }
  if (reached < to) found.push({ state: "available", start: reached, end: to });
  return found;
}

const blocks = (item) =>
  item.reservations.map(({ start, end }) => ({ start: Date.parse(start), end: Date.parse(end) }));

/** How many of `items` are what: `[{start, end, available, reserved, maintenance, unknown}]`. */
export function counts(items, from, to) {
  const deltas = new Map();
  const add = (moment, state, by) => {
    if (!deltas.has(moment)) deltas.set(moment, { available: 0, reserved: 0, maintenance: 0, unknown: 0 });
    deltas.get(moment)[state] += by;
  };
  for (const item of items) {
    for (const { state, start, end } of segments(item, from, to)) {
      add(start, state, 1);
      add(end, state, -1);
    }
  }
  const now = { available: 0, reserved: 0, maintenance: 0, unknown: 0 };
  const moments = [...deltas.keys()].sort((one, other) => one - other);
  return moments.slice(0, -1).map((moment, index) => {
    for (const state of STATES) now[state] += deltas.get(moment)[state];
    return { start: moment, end: moments[index + 1], ...now };
  });
}

/** As many of them as can be seen: of each stretch of time the moment at which least is free. */
export function thinned(found, from, to, most = MOST) {
  if (found.length <= most) return found;
  const width = (to - from) / most;
  const least = new Map();
  for (const each of found) {
    const first = Math.floor((each.start - from) / width);
    for (let slot = first; slot < most && from + slot * width < each.end; slot += 1) {
      if (!(least.get(slot)?.available <= each.available)) least.set(slot, each);
    }
  }
  return [...least]
    .sort(([one], [other]) => one - other)
    .map(([slot, each]) => ({ ...each, start: from + slot * width, end: from + (slot + 1) * width }));
}

/** Why a node cannot be relied on from `start` to `end`, in sentences. */
export function conflicts(item, start, end) {
  if (item.availability === "maintenance") return ["in maintenance"];
  if (item.availability === "unknown") return ["unknown: nobody knows whether it is free"];
  const found = blocks(item)
    .filter((block) => block.start < end && block.end > start)
    .map((block) => `reserved ${local(block.start)} to ${local(block.end)}`);
  if (item.stale) found.push(`${staleText(item)}, it may have been booked since`);
  return found;
}
