/* How many nodes of each type are free over time, as areas on each other. */

import { filters, go, shown } from "./address.js";
import { get, url } from "./api.js";
import { byId, el, show, table } from "./dom.js";
import { behind, problem } from "./messages.js";
import { STATES, LABELS } from "./states.js";
import { clock, date, instant, local } from "./times.js";

const STEPS = 120; // in which the window is told, so that no answer is too long
const MOST = 8; // types of their own; the rest are one
const STATE_KEYS = { available: "free", reserved: "reserved", maintenance: "maintenance", unknown: "unknown" };

let chart = null;
let asked = null;
let answer = null;
let loading;

export const section = () =>
  el(
    "section",
    { class: "capacity", "aria-label": "Capacity over time" },
    el("h3", {}, "Capacity over time"),
    el("div", { id: "capacity" }),
  );

/** What is known has changed: it is asked anew when it is drawn next. */
export const forget = () => (asked = null);

/** Asks anew if the window or the filters are others, or `again`. */
export async function render(from, to, { again = false } = {}) {
  const parameters = filters();
  parameters.set("group_by", "node_type");
  parameters.set("start", instant(from));
  parameters.set("end", instant(to));
  parameters.set("step", `PT${Math.ceil((to - from) / 1000 / STEPS)}S`);
  const address = url("availability/capacity", parameters);
  if (asked === address.href && !again && byId("capacity")?.children.length) return;
  asked = address.href;
  loading?.abort();
  loading = new AbortController();
  try {
    answer = await get(address, loading.signal);
    draw(address);
  } catch (error) {
    if (error.name === "AbortError") return;
    show(
      byId("capacity"),
      problem(error, () => render(from, to, { again: true })),
    );
  }
}

const nameOf = (group) => String(group.group.node_type ?? "no type");

function draw(address) {
  if (!byId("capacity")) return; // another view, or a problem, has taken its place
  const groups = [...answer.groups].sort((one, other) => other.total - one.total);
  const chosen = groups.find((group) => nameOf(group) === shown().get("type"));
  const layers = chosen ? statesOf(chosen) : typesOf(groups);
  const options = groups.map((group) =>
    el("option", { value: nameOf(group), selected: group === chosen }, `${nameOf(group)}: all states`),
  );
  const place = el("div", { class: "chart", role: "img", "aria-label": `Chart: ${summary(groups)}` });
  show(
    byId("capacity"),
    el(
      "label",
      {},
      "Show ",
      el(
        "select",
        {
          id: "capacity-type",
          onchange: (event) => {
            go({ show: { type: event.target.value || null }, replace: true });
            draw(address);
          },
        },
        el("option", { value: "", selected: !chosen }, "free nodes of all types"),
        options,
      ),
    ),
    groups.some((group) => group.stale) && el("p", { class: "age" }, "Some of this is old news: see the status."),
    place,
    el("details", {}, el("summary", {}, "As a table"), figures(groups)),
    behind(address, "the chart"),
  );
  plot(place, layers);
}

const summary = (groups) =>
  groups.map((group) => `${nameOf(group)} ${least(group)} to ${most(group)} of ${group.total} free`).join(", ");
const least = (group) => Math.min(...group.segments.map((each) => each.free));
const most = (group) => Math.max(...group.segments.map((each) => each.free));

const figures = (groups) =>
  table(
    ["Type", "Nodes", "Free at least", "Free at most", "Free at the beginning"],
    groups.map((group) => [nameOf(group), group.total, least(group), most(group), group.segments[0]?.free]),
  );

function typesOf(groups) {
  const own = groups.slice(0, groups.length > MOST + 1 ? MOST : MOST + 1);
  const rest = groups.slice(own.length);
  const layers = own.map((group, index) => ({
    label: nameOf(group),
    color: `--layer-${index}`,
    segments: [group.segments],
    key: "free",
  }));
  if (rest.length)
    layers.push({
      label: `${rest.length} other types`,
      color: "--layer-8",
      segments: rest.map((group) => group.segments),
      key: "free",
    });
  return layers;
}

const statesOf = (group) =>
  STATES.map((state) => ({
    label: LABELS[state],
    color: `--${state}`,
    segments: [group.segments],
    key: STATE_KEYS[state],
  }));

function plot(place, layers) {
  const { xs, rows } = stacked(layers, Date.parse(answer.start), Date.parse(answer.end));
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  // The one that is drawn first lies behind, and is the sum of all.
  const order = layers.map((_, index) => layers.length - 1 - index);
  const series = order.map((index) => ({
    label: layers[index].label,
    stroke: color(layers[index].color),
    fill: color(layers[index].color),
    width: 1,
    points: { show: false },
    paths: uPlot.paths.stepped({ align: 1 }),
    value: (_, __, ___, at) => (at === null || at === undefined ? "" : rows[index].own[at]),
  }));
  const axis = {
    stroke: color("--text"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { stroke: color("--line") },
  };
  chart?.destroy();
  chart = new uPlot(
    {
      width: Math.max(280, place.clientWidth),
      height: 260,
      series: [{ label: "Time", value: (_, at) => (at === null ? "" : local(at * 1000)) }, ...series],
      axes: [
        { ...axis, space: 80, values: (_, splits) => splits.map(tickName) },
        { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
      ],
      scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] } },
      cursor: { drag: { x: false, y: false } },
    },
    [xs, ...order.map((index) => rows[index].sum)],
    place,
  );
}

const tickName = (seconds) => {
  const at = new Date(seconds * 1000);
  return at.getHours() || at.getMinutes() ? clock(at) : date(at);
};

/** Each layer by itself, and on top of those before it, at every moment at which one changes. */
export function stacked(layers, from, to) {
  const starts = layers.flatMap((layer) => layer.segments.flat().map((each) => Date.parse(each.start)));
  const moments = [...new Set([from, ...starts, to])]
    .filter((each) => each >= from && each <= to)
    .sort((one, other) => one - other);
  let below = moments.map(() => 0);
  const rows = layers.map(({ segments, key }) => {
    const own = moments.map(() => 0);
    for (const list of segments) {
      let index = 0;
      moments.forEach((moment, at) => {
        while (index + 1 < list.length && Date.parse(list[index + 1].start) <= moment) index += 1;
        own[at] += list[index]?.[key] ?? 0;
      });
    }
    below = own.map((value, at) => value + below[at]);
    return { own, sum: below };
  });
  return { xs: moments.map((each) => each / 1000), rows };
}

addEventListener(
  "resize",
  () =>
    chart &&
    byId("capacity") &&
    chart.setSize({ width: Math.max(280, chart.root.parentElement?.clientWidth ?? 280), height: 260 }),
);
matchMedia("(prefers-color-scheme: dark)").addEventListener(
  "change",
  () => asked && answer && byId("capacity") && draw(new URL(asked)),
);
