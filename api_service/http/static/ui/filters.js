/* What may be chosen, with how many nodes each choice leaves; and what is chosen, to be taken back. */

import { chosen, filters, go, keyOf, query, wanted } from "./address.js";
import { Problem, search } from "./api.js";
import { byId, debounced, el, show } from "./dom.js";
import { FACETS } from "./inventory.js";
import { onInventory, onSite } from "./live.js";
import { problem } from "./messages.js";
import { fromInput, instant, local, localInput, utc } from "./times.js";

const FEW = 7;
const NARROW = matchMedia("(max-width: 50rem)");
const opened = new Set(["availability_now", "site_id", "node_type", "gpu.gpu_model"]);
let asked = null;
let counting;

/** Counts anew if the filters are others than those that were counted. */
export function render() {
  // Not under the hands of somebody who types.
  if (document.activeElement !== byId("q")) byId("q").value = query().get("q") ?? "";
  show(byId("chips"), chips());
  const wants = String(selecting());
  if (wants === asked) return;
  asked = wants;
  recount();
}

/** Of another inventory, or since states changed. */
export async function recount() {
  counting?.abort();
  counting = new AbortController();
  try {
    show(byId("filters"), panel(await counted(counting.signal)));
  } catch (error) {
    if (error.name === "AbortError") return;
    asked = null;
    show(
      byId("filters"),
      panel(new Map()),
      error instanceof Problem && error.status === 400 ? [] : problem(error, render),
    );
  }
}

// Counts are of states too. What is told first of a site is what was just counted. By site, and by node.
const states = new Map();
const recountSoon = debounced(recount, 400);

onSite(({ site_id, nodes, whole }) => {
  const before = states.get(site_id) ?? new Map();
  const now = whole ? new Map() : before; // of nodes that are gone nothing is kept
  let changed = false;
  for (const { cluster_id, node_id, availability } of nodes) {
    const key = keyOf({ site_id, cluster_id, node_id });
    changed ||= before.has(key) && before.get(key) !== availability;
    now.set(key, availability);
  }
  states.set(site_id, now);
  if (changed && asked !== null) recountSoon();
});
onInventory(() => states.clear());

// Beside the table there is room for all of them; above it there is not.
NARROW.addEventListener("change", () => byId("panel") && (byId("panel").open = !NARROW.matches));

function selecting() {
  const found = filters();
  for (const name of ["start", "end"]) if (query().has(name)) found.set(name, query().get(name));
  return found;
}

// A facet that is chosen from is counted without its own choice, so that others can be added to it.
async function counted(signal) {
  const own = FACETS.map(([field]) => field).filter((field) => selecting().has(field));
  const others = FACETS.map(([field]) => field).filter((field) => !own.includes(field));
  const answers = await Promise.all([
    search(withFacets(selecting(), others), signal),
    ...own.map((field) => {
      const rest = selecting();
      rest.delete(field);
      return search(withFacets(rest, [field]), signal);
    }),
  ]);
  const found = answers.flatMap((answer) => Object.entries(answer.facets ?? {}));
  return new Map(found.map(([field, values]) => [field, new Map(Object.entries(values))]));
}

function withFacets(parameters, fields) {
  parameters.set("facets", fields.join(","));
  parameters.set("fields", "node_type");
  parameters.set("limit", "1");
  return parameters;
}

function panel(counts) {
  return el(
    "details",
    { class: "panel", id: "panel", open: !NARROW.matches },
    el("summary", {}, "Filters"),
    when(),
    FACETS.map(([field, title, label = String]) => facet(field, title, label, counts.get(field) ?? new Map())),
  );
}

function when() {
  const given = wanted();
  const input = (name, title) =>
    el(
      "label",
      {},
      title,
      el("input", {
        id: `when-${name}`,
        type: "datetime-local",
        value: given ? localInput(given[name]) : "",
        title: given ? utc(given[name]) : "On your clock",
        onchange: chooseTime,
      }),
    );
  return el(
    "fieldset",
    { class: "when" },
    el("legend", {}, "Free throughout"),
    input("start", "From"),
    input("end", "Until"),
    given &&
      el(
        "button",
        { class: "plain", onclick: () => go({ ask: { start: null, end: null, offset: null } }) },
        "Any time",
      ),
  );
}

function chooseTime() {
  const given = wanted();
  const [start, end] = ["start", "end"].map((name) => fromInput(byId(`when-${name}`).value, given?.[name]));
  byId("when-end").setCustomValidity(start >= end ? "This is not after the beginning." : "");
  byId("when-end").reportValidity();
  if (start < end) go({ ask: { start: instant(start), end: instant(end), offset: null } });
}

function facet(field, title, label, counts) {
  const taken = chosen(field);
  const values = [...new Set([...counts.keys(), ...taken])];
  if (!values.length) return null;
  const option = (value) =>
    el(
      "label",
      { class: "option" },
      el("input", {
        id: `facet ${field} ${value}`,
        type: "checkbox",
        checked: taken.includes(value),
        onchange: (event) => choose(field, value, event.target.checked),
      }),
      el("span", { class: "value" }, label(value)),
      el("span", { class: "count" }, counts.get(value) ?? 0),
    );
  const more = values.slice(FEW);
  return el(
    "details",
    {
      class: "facet",
      open: opened.has(field) || taken.length > 0,
      ontoggle: (event) => (event.target.open ? opened.add(field) : opened.delete(field)),
    },
    el("summary", { id: `title ${field}` }, title),
    el("div", { role: "group", "aria-label": title }, values.slice(0, FEW).map(option)),
    more.length > 0 && el("details", { class: "more" }, el("summary", {}, `${more.length} more`), more.map(option)),
  );
}

function choose(field, value, on) {
  const kept = chosen(field).filter((each) => each !== value);
  go({ ask: { [field]: on ? [...kept, value] : kept, offset: null } });
}

function chips() {
  const titles = new Map(FACETS.map(([field, title, label = String]) => [field, [title, label]]));
  const each = [...new Set(filters().keys())].flatMap((name) => chosen(name).map((value) => [name, value]));
  const found = each.map(([name, value]) => {
    const [title, label] = titles.get(name) ?? [name === "q" ? "Text" : name, String];
    return chip(`${title}: ${label(value)}`, () => choose(name, value, false));
  });
  const time = wanted();
  if (time) {
    const text = `Free: ${local(time.start)} to ${local(time.end)}`;
    found.push(chip(text, () => go({ ask: { start: null, end: null, offset: null } })));
  }
  return found.length > 0 && el("ul", { class: "chips", "aria-label": "What is chosen" }, found);
}

const chip = (text, remove) =>
  el("li", {}, text, el("button", { class: "plain", "aria-label": `Remove ${text}`, onclick: remove }, "×"));
