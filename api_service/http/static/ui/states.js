/* What a node is now, in words and marks: colour alone says nothing. */

import { el } from "./dom.js";
import { ago, time } from "./times.js";

export const STATES = ["available", "reserved", "maintenance", "unknown"];
export const LABELS = { available: "Available", reserved: "Reserved", maintenance: "Maintenance", unknown: "Unknown" };

export const staleText = (item) =>
  item.last_updated ? `stale: as of ${ago(item.last_updated)}` : "stale: never synced";

/** `Reserved until Wed, 25 Nov, 08:00`; stale states say of when they are. */
export function stateMark(item) {
  const until = item.availability_until ? ["until ", time(item.availability_until)] : [];
  return el(
    "span",
    { class: `state ${item.availability}${item.stale ? " stale" : ""}` },
    el("span", { class: "swatch", "aria-hidden": "true" }),
    el("span", { class: "word" }, LABELS[item.availability]),
    " ",
    el("span", { class: "until" }, until),
    item.stale && el("span", { class: "age" }, ` ${staleText(item)}`),
  );
}

/** What the colours mean. */
export const legend = () =>
  el(
    "ul",
    { class: "legend", "aria-label": "What the colours mean" },
    [...STATES.map((state) => [state, LABELS[state]]), ["stale", "Stale: old news"]].map(([state, label]) =>
      el("li", { class: `state ${state}` }, el("span", { class: "swatch", "aria-hidden": "true" }), label),
    ),
  );
