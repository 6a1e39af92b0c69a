/* Which view is shown, and what the address says of it. */

import { go, query, view } from "./address.js";
import { forgetAbsent } from "./api.js";
import * as availability from "./availability.js";
import { byId, debounced, el, show } from "./dom.js";
import * as filters from "./filters.js";
import * as hardware from "./hardware.js";
import { readSites } from "./inventory.js";
import * as leave from "./leave.js";
import { follow, onInventory } from "./live.js";
import * as node from "./node.js";
import * as status from "./status.js";

const VIEWS = {
  hardware: ["Hardware", hardware],
  availability: ["Availability", availability],
  status: ["Status", status],
};

function render() {
  const current = view();
  document.title = `${VIEWS[current][0]} · Hardware and availability`;
  show(
    byId("views"),
    Object.entries(VIEWS).map(([name, [title]]) => tab(name, title, name === current)),
  );
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== current;
  document.body.dataset.view = current;
  filters.render();
  VIEWS[current][1].render();
  leave.render();
  node.render();
}

function tab(name, title, current) {
  const turn = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ show: { view: name } });
  };
  const attributes = {
    id: `view-${name}`,
    href: `${location.search || location.pathname}#view=${name}`,
    onclick: turn,
  };
  return el("a", { ...attributes, "aria-current": current ? "page" : null }, title);
}

const searched = debounced(
  (text) => go({ ask: { q: text.trim() || null, offset: null }, replace: query().has("q") }),
  300,
);

byId("search").addEventListener("submit", (event) => event.preventDefault());
byId("q").addEventListener("input", (event) => searched(event.target.value));
for (const name of ["navigate", "popstate", "hashchange"]) addEventListener(name, render);

byId("skip").addEventListener("click", () => byId("main").focus());

async function begin() {
  // Names are a nicety: without them sites go by their ids.
  const read = await readSites().catch(() => null);
  render();
  follow(read);
}

onInventory(async () => {
  forgetAbsent();
  await readSites().catch(() => {});
  filters.recount();
  for (const each of [hardware, availability, leave, node]) each.forget();
  render();
});
begin();
