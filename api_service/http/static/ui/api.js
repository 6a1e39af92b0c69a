/* The API, asked as anybody asks it. Where it is follows from where this file is, so any prefix will do. */

import { quoted } from "./shell.js";

const LIMIT = 30_000; // milliseconds: whoever waits longer is told so
const BASE = new URL("../../", import.meta.url);

const UNREACHED = "The service does not answer. Is it running, and is this machine online?";

/** An answer that is none: an error of the API as RFC 9457 has it, or no answer at all. */
export class Problem extends Error {
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

/** The whole URL of a path below the API's root. */
export function url(path, query = "") {
  const found = new URL(path, BASE);
  found.search = String(query);
  return found;
}

/** The URL of a path whose parts are ids, whatever is in them. */
export const resource = (...parts) => url(parts.map(encodeURIComponent).join("/"));

/** What the API answers as JSON; raises `Problem`, or `AbortError` once `signal` says so. */
export async function get(address, signal) {
  let response;
  let body = null;
  const limit = AbortSignal.timeout(LIMIT);
  try {
    const either = AbortSignal.any([limit, ...(signal ? [signal] : [])]);
    // What the browser kept is asked for anew: it may be of an inventory that is no more.
    const how = { signal: either, cache: "no-cache", headers: { Accept: "application/json" } };
    response = await fetch(address, how);
    body = await response.json();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (limit.aborted) throw new Problem(0, `The service has not answered for ${LIMIT / 1000} seconds.`);
    // What has come whole, and is no JSON, tells at least its status.
    if (!(error instanceof SyntaxError)) throw new Problem(0, UNREACHED);
  }
  if (response.ok && body !== null) return body;
  const detail = body?.detail ?? `The service answers ${response.status} ${response.statusText}.`;
  throw new Problem(response.status, detail, body?.errors ?? []);
}

/** The same request for a shell. */
export const curl = (address) => `curl ${quoted(address.href)}`;

// Fields that no node of this inventory has; asking for one again would be refused again.
const absent = new Set();

/**
 * What `/nodes/search` answers. Fields that no node has are left out of `fields`, `facets` and `sort`: the API refuses
 * them by name, as a misspelt one, and which there are depends on the inventory.
 */
export async function search(query, signal) {
  const asked = new URLSearchParams(query);
  for (let attempt = 0; ; attempt += 1) {
    for (const name of ["fields", "facets", "sort"]) leaveOut(asked, name);
    try {
      return await get(url("nodes/search", asked), signal);
    } catch (error) {
      if (!(error instanceof Problem) || attempt === 3 || !learnAbsent(asked, error.errors)) throw error;
    }
  }
}

function leaveOut(asked, name) {
  if (!asked.has(name)) return;
  const kept = asked
    .get(name)
    .split(",")
    .filter((field) => !absent.has(field.replace(/^-/, "")));
  if (kept.length) asked.set(name, kept.join(","));
  else asked.delete(name);
}

// Whether some of what was asked for is now known to be absent; another request may have learnt it meanwhile.
function learnAbsent(asked, errors) {
  let learnt = false;
  for (const { name, detail } of errors) {
    const field = /^no node has a field ([^;]+);/.exec(detail)?.[1]?.replace(/^-/, "");
    if (!field || !["fields", "facets", "sort"].includes(name) || !asked.has(name)) continue;
    absent.add(field);
    learnt = true;
  }
  return learnt;
}

/** Forgets which fields there are not: another commit may have them. */
export const forgetAbsent = () => absent.clear();
