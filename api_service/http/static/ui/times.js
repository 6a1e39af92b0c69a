/* Times as the reader's clock has them; what is exact and UTC is in `datetime`, and shown on hover. */

import { el } from "./dom.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const DATE = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const YEAR = new Intl.DateTimeFormat(undefined, { year: "numeric" });

/** `2026-11-25 08:00 UTC`, of anything that `Date` takes. */
export const utc = (moment) => `${blazarTime(moment)} UTC`;

/** `2026-11-25 08:00`, in UTC, as Blazar takes it. */
export const blazarTime = (moment) => new Date(moment).toISOString().slice(0, 16).replace("T", " ");

const CLOCK_TIME = String.raw`((?:[01]\d|2[0-3]):\d\d(?::\d\d(?:\.\d{1,9})?)?)`;
const ZONE = String.raw`(?:[Zz]|([-+ ])([01]\d|2[0-3])(?::?([0-5]\d))?)?`;
const MOMENT = new RegExp(String.raw`^(\d{4}-\d\d-\d\d)(?:[Tt ]${CLOCK_TIME}${ZONE})?$`);

/** The moment that an address names, read as the API reads it: UTC without an offset, and a space was a `+`. */
export function moment(text) {
  const [, day, clock = "00:00", sign, hours, minutes = "00"] = MOMENT.exec(text ?? "") ?? [];
  const zone = hours ? `${sign.replace(" ", "+")}${hours}:${minutes}` : "Z";
  // A day that its month has not would become one of the next.
  const isDay = day && !Number.isNaN(Date.parse(day)) && new Date(day).toISOString().startsWith(day);
  return new Date(isDay ? `${day}T${clock}${zone}` : NaN);
}

/** RFC 3339 in whole seconds. */
export const instant = (moment) => new Date(moment).toISOString().replace(/\.\d+Z$/, "Z");

export const clock = (moment) => CLOCK.format(new Date(moment));

export function date(moment) {
  const year = YEAR.format(new Date(moment));
  return DATE.format(new Date(moment)) + (year === YEAR.format(new Date()) ? "" : ` ${year}`);
}

/** Day and time for people. */
export const local = (moment) => `${date(moment)}, ${clock(moment)}`;

/** As an element; `text` instead of the time itself, if it is given. */
export const time = (moment, text = local(moment)) =>
  el("time", { datetime: instant(moment), title: utc(moment) }, text);

/** How long, in the unit that fits: `14 min`. */
export function span(milliseconds) {
  const units = [
    ["d", DAY],
    ["h", HOUR],
    ["min", MINUTE],
    ["s", 1000],
  ];
  const [unit, size] = units.find(([, each]) => milliseconds >= 2 * each) ?? units[3];
  return `${Math.max(0, Math.round(milliseconds / size))} ${unit}`;
}

export const ago = (moment) => `${span(Date.now() - new Date(moment))} ago`;

/** For `datetime-local`, which knows the reader's clock only. */
export function localInput(moment) {
  const at = new Date(moment);
  return new Date(at - at.getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
}

/**
 * What a `datetime-local` says. While that is `before`, it is that very moment: its clock has no seconds, and has one
 * hour of the year twice.
 */
export const fromInput = (text, before) => (before && text === localInput(before) ? before : new Date(text));

/** The first minute that is not before. */
export const minuteUp = (moment) => new Date(Math.ceil(new Date(moment) / MINUTE) * MINUTE);
export const minuteDown = (moment) => new Date(Math.floor(new Date(moment) / MINUTE) * MINUTE);

/** Round moments for an axis: of the reader's clock, so many at most. */
export function ticks(from, to, most = 12) {
  const wanted = (to - from) / most;
  const hours = [1, 2, 3, 6, 12].find((each) => each * HOUR >= wanted);
  const days = hours ? 0 : ([1, 2, 3, 5, 7, 10, 14, 30].find((each) => each * DAY >= wanted) ?? 60);
  const at = new Date(from);
  at.setMinutes(0, 0, 0);
  at.setHours(hours ? Math.floor(at.getHours() / hours) * hours : 0);
  const found = [];
  while (at < to) {
    if (at >= from) found.push(new Date(at));
    // By the calendar and not by milliseconds: a day may have 23 hours.
    if (hours) at.setHours(at.getHours() + hours);
    else at.setDate(at.getDate() + days);
  }
  return found;
}
