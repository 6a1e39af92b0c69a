/* What is said when there is nothing to show, or something is wrong: always with what to do. */

import { go, query } from "./address.js";
import { curl } from "./api.js";
import { announce, el } from "./dom.js";

/** Why there is no answer, and what may be done. */
export function problem(error, again) {
  const advice = {
    0: "Try again in a moment.",
    400: "A filter in the address is not understood: remove it above, or start afresh.",
    503: ["The service is busy, or has no inventory yet: the ", toStatus(), " shows which. Try again in a moment."],
  };
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("p", {}, el("strong", {}, error.message || String(error))),
    el("p", {}, advice[error.status] ?? "If this stays, tell whoever runs the service."),
    el("p", {}, el("button", { onclick: again }, "Try again"), " ", afresh()),
  );
}

const toStatus = () => el("button", { class: "plain", onclick: () => go({ show: { view: "status" } }) }, "status");

/** There is no node: none matches, or the inventory has none. */
export function nothing() {
  const all = [...query()].length === 0;
  const advice = all
    ? ["The inventory has no nodes: the ", toStatus(), " shows what is wrong with it, if anything is."]
    : ["Remove a filter, or ", afresh(), "."];
  const text = all ? "There are no nodes." : "No node matches all of this.";
  return el("div", { class: "nothing" }, el("p", {}, el("strong", {}, text)), el("p", {}, advice));
}

const afresh = () =>
  el("button", { class: "plain", onclick: () => (location.href = location.pathname) }, "start afresh");

// Which of them stand open: what is drawn anew keeps them so.
const open = new Set();

/** The API call behind what is shown, to be copied. */
export function behind(address, what = "") {
  const command = curl(address);
  const toggled = ({ target }) => (target.open ? open.add(what) : open.delete(what));
  return el(
    "details",
    { class: "behind", open: open.has(what), ontoggle: toggled },
    el("summary", { id: `behind ${what}` }, what ? `Show ${what} as curl` : "Show as curl"),
    el(
      "p",
      {},
      el("code", { class: "curl" }, command),
      " ",
      copyButton(() => command),
    ),
  );
}

export function copyButton(text) {
  return el("button", { onclick: () => copy(text()) }, "Copy");
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce("Copied.");
  } catch {
    announce("This browser does not let the page copy: select the text instead.");
  }
}
