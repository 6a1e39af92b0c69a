/* What books nodes: commands of OpenStack's client, and Python for python-chi. All times in both are UTC. */

import { asciiJson, commented, quoted, reservation } from "./shell.js";
import { blazarTime } from "./times.js";

/**
 * Command lines, one for each site.
 * @param lease `{name, start, end, sites: [{site_id, name, uids}]}`; `start` null means at once.
 */
export function commands(lease) {
  return lease.sites.map((site) => commandFor(site, lease)).join("\n");
}

function commandFor(site, { name, start, end }) {
  const lines = ["openstack reservation lease create"];
  for (const uid of site.uids) lines.push(`  --reservation ${quoted(reservation(uid))}`);
  // Without a start it begins at once: one that has passed would be refused.
  if (start) lines.push(`  --start-date ${quoted(blazarTime(start))}`);
  lines.push(`  --end-date ${quoted(blazarTime(end))}`, `  ${quoted(name)}`);
  const nodes = site.uids.length === 1 ? "1 node" : `${site.uids.length} nodes`;
  const about = `# ${nodes} of ${commented(site.name)}, with the credentials of that site; times are UTC`;
  return `${about}\n${lines.join(" \\\n")}\n`;
}

/** A program for python-chi 1.x; `lease` as for `commands`. */
export function python(lease) {
  return `from datetime import datetime, timezone\n\nfrom chi import context, lease\n${lease.sites
    .map((site) => pythonFor(site, lease))
    .join("")}`;
}

// The method of a lease takes names and types of nodes only. What it fills its list with takes any property.
function pythonFor(site, { name, start, end }) {
  const uids = site.uids.map((uid) => `    ${asciiJson(uid)},\n`).join("");
  const begin = start ? `    start_date=${pythonTime(start)},\n` : "";
  return (
    `\ncontext.use_site(${asciiJson(site.name)})\n` +
    `booking = lease.Lease(\n    ${asciiJson(name)},\n${begin}    end_date=${pythonTime(end)},\n)\n` +
    `for uid in [\n${uids}]:\n` +
    `    lease.add_node_reservation(booking.node_reservations, resource_properties=["==", "$uid", uid])\n` +
    `booking.submit(wait_for_active=False)\n`
  );
}

function pythonTime(moment) {
  const [date, time] = blazarTime(moment).split(" ");
  const numbers = [...date.split("-"), ...time.split(":")].map(Number);
  return `datetime(${numbers.join(", ")}, tzinfo=timezone.utc)`;
}
