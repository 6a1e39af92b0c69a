/* The lease that is to be made: its name and its time, as the address says and a form changes them. */

import { booking, go, shown } from "./address.js";
import { byId, el } from "./dom.js";
import { argument } from "./shell.js";
import { DAY, fromInput, instant, localInput, minuteDown, minuteUp, utc } from "./times.js";

let usual = null; // a day from when it was asked for first: what is shown stays what is booked
let made = null;
let madeFor = null;

/**
 * What is to be booked: whole minutes within what was chosen.
 * @returns `{name, start, end, lasts}`; `start` is null if it begins at once, `lasts` tells whether any time is left.
 */
export function term() {
  const now = new Date();
  const chosen = booking() ?? (usual ??= { start: now, end: new Date(+now + DAY) });
  const start = chosen.start > now ? minuteUp(chosen.start) : null;
  const end = minuteDown(chosen.end);
  return { name: argument(shown().get("name"), "my-lease"), start, end, lasts: end > (start ?? now) };
}

/** Forgets what was typed and not taken. */
export const forget = () => (usual = made = null);

/** Kept while it says what is so, so that nothing is lost under the hands of somebody who types. */
export function form() {
  const { name, start, end } = term();
  const says = String([name, start, end]);
  if (made && says === madeFor) return made;
  madeFor = says;
  made = build(name, start, end);
  return made;
}

function build(name, start, end) {
  const time = (id, title, moment) =>
    el(
      "label",
      {},
      title,
      el("input", {
        id,
        type: "datetime-local",
        value: moment ? localInput(moment) : "",
        title: moment ? utc(moment) : "At once",
        onchange: () => setTimeout(retime, 0, start, end),
      }),
    );
  return el(
    "fieldset",
    { class: "lease" },
    el("legend", {}, "The lease"),
    el(
      "label",
      {},
      "Name",
      el("input", {
        id: "lease-name",
        value: name,
        maxlength: "80",
        onchange: (event) => setTimeout(rename, 0, event.target.value),
      }),
    ),
    time("lease-start", "From (empty: at once)", start),
    time("lease-end", "Until", end),
  );
}

// Once the focus is where it goes: what is drawn anew keeps it.
const rename = (name) => go({ show: { name: name || null }, replace: true });

function retime(start, end) {
  const written = byId("lease-start").value;
  const begin = written ? fromInput(written, start) : new Date();
  const finish = fromInput(byId("lease-end").value, end);
  byId("lease-end").setCustomValidity(begin < finish ? "" : "This is not after the beginning.");
  byId("lease-end").reportValidity();
  if (begin < finish) go({ show: { begin: instant(begin), finish: instant(finish) }, replace: true });
}
