/* Rows by time: what each node, or how many of each type, will be what and when. */

import { keyOf, select, selected } from "./address.js";
import { el, svg } from "./dom.js";
import { LABELS, STATES, stateMark, staleText } from "./states.js";
import { counts, segments, thinned } from "./segments.js";
import { clock, date, local, ticks } from "./times.js";

const FILL = { maintenance: "url(#hatch-maintenance)", unknown: "url(#hatch-unknown)" };
const TICK = 90; // pixels that the name of a moment needs
const TOLD = 6; // bookings that a row names to those who cannot see it

/**
 * The calendar of `rows` from `from` to `to`.
 * @param rows `[{label, where, items, node, open}]`: `node` if it is one and no type; `open` is what its name does.
 * @param width of the track, in pixels, as far as is known.
 * @param bands `[{start, end, label, keys}]`: times to mark, and for which nodes.
 */
export function calendar(rows, { from, to, width }, bands) {
  const marks = ticks(from, to, Math.max(2, Math.floor(width / TICK)));
  const scale = (moment) => (100 * (moment - from)) / (to - from);
  return el(
    "div",
    { class: "calendar" },
    axis(marks, scale),
    el(
      "div",
      { class: "grid", "aria-hidden": "true" },
      marks.map((tick) => el("i", { style: { left: `${scale(tick)}%` } })),
    ),
    el(
      "ul",
      { class: "rows", "aria-label": "Calendar" },
      rows.map((each) => row(each, from, to, scale, bands)),
    ),
  );
}

function axis(marks, scale) {
  const named = marks
    .filter((tick) => scale(tick) < 94)
    .map((tick) => {
      const midnight = tick.getHours() === 0;
      return el(
        "span",
        { style: { left: `${scale(tick)}%` }, class: midnight ? "day" : null },
        midnight ? date(tick) : clock(tick),
      );
    });
  return el("div", { class: "axis", "aria-hidden": "true" }, named);
}

function row(each, from, to, scale, bands) {
  const [item] = each.items;
  const single = each.node;
  const stale = each.items.find((one) => one.stale);
  const track = single ? nodeTrack(item, from, to, scale) : typeTrack(each.items, from, to, scale);
  const key = single ? keyOf(item) : null;
  const marked = bands.filter(
    (band) => !band.keys || (single ? band.keys.has(key) : each.items.some((one) => band.keys.has(keyOf(one)))),
  );
  return el(
    "li",
    { class: `row${single ? "" : " several"}`, "data-key": key },
    el(
      "div",
      { class: "label" },
      single &&
        el("input", {
          type: "checkbox",
          id: `calendar ${key}`,
          "aria-label": `Select ${each.label}`,
          checked: selected().includes(key),
          onchange: (event) => select([key], event.target.checked),
        }),
      el("button", { class: "name", id: `open ${key ?? each.label}`, onclick: each.open }, each.label),
      each.where && el("span", { class: "where" }, each.where),
      single
        ? stateMark(item)
        : el(
            "span",
            { class: "state" },
            typeText(each.items),
            stale && el("span", { class: "age" }, ` ${staleText(stale)}`),
          ),
    ),
    el(
      "div",
      {
        class: `track${stale ? " stale" : ""}`,
        role: "img",
        "aria-label": single ? nodeWords(item, from, to) : typeWords(each, from, to),
      },
      track,
      marked.map(({ start, end, label }) => mark(Math.max(start, from), Math.min(end, to), label, scale)),
    ),
  );
}

const mark = (start, end, label, scale) =>
  end > start &&
  el("b", { class: "band", title: label, style: { left: `${scale(start)}%`, width: `${scale(end) - scale(start)}%` } });

const nodeTrack = (item, from, to, scale) =>
  segments(item, from, to).map(({ state, start, end }) =>
    el(
      "span",
      {
        class: `segment ${state}`,
        title: `${LABELS[state]}: ${local(start)} to ${local(end)}`,
        style: { left: `${scale(start)}%`, width: `${scale(end) - scale(start)}%` },
      },
      scale(end) - scale(start) > 9 && (FILL[state] ? el("b", {}, LABELS[state]) : LABELS[state]),
    ),
  );

// Drawn from below: free, reserved, in maintenance, unknown; the height of each is its share.
function typeTrack(items, from, to, scale) {
  const bars = thinned(counts(items, from, to), from, to).flatMap((found) => {
    let height = 0;
    return STATES.filter((state) => found[state] > 0).map((state) => {
      const share = (100 * found[state]) / items.length;
      height += share;
      const place = {
        x: `${scale(found.start)}%`,
        width: `${scale(found.end) - scale(found.start)}%`,
        y: `${100 - height}%`,
        height: `${share}%`,
      };
      return svg(
        "rect",
        { ...place, class: state, fill: FILL[state] ?? null },
        svg("title", {}, typeTitle(found, items.length)),
      );
    });
  });
  return svg("svg", { width: "100%", height: "100%", "aria-hidden": "true" }, bars);
}

function typeTitle({ start, end, available, reserved, maintenance, unknown }, total) {
  const told = `${available} of ${total} free, ${reserved} reserved, ${maintenance} in maintenance, ${unknown} unknown`;
  return `${told}: ${local(start)} to ${local(end)}`;
}

function typeText(items) {
  const now = (state) => items.filter((item) => item.availability === state).length;
  const others = ["maintenance", "unknown"]
    .filter((state) => now(state))
    .map((state) => `, ${now(state)} ${LABELS[state].toLowerCase()}`);
  return `${now("available")} of ${items.length} free now${others.join("")}`;
}

function nodeWords(item, from, to) {
  if (["maintenance", "unknown"].includes(item.availability)) return `${LABELS[item.availability]} all the time`;
  const found = segments(item, from, to).filter(({ state }) => state === "reserved");
  if (!found.length) return `Free from ${local(from)} to ${local(to)}`;
  const words = found.slice(0, TOLD).map(({ start, end }) => `${local(start)} to ${local(end)}`);
  return `Reserved ${words.join("; ")}${found.length > TOLD ? `; and ${found.length - TOLD} times more` : ""}`;
}

function typeWords({ label, items }, from, to) {
  const free = counts(items, from, to).map(({ available }) => available);
  const range = `between ${Math.min(...free)} and ${Math.max(...free)} of ${items.length} free`;
  return `${label}: ${range} from ${local(from)} to ${local(to)}`;
}
