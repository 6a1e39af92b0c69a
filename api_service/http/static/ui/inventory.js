/* What of the inventory the views share: the names of the sites, and how values of its fields are written. */

import { get, url } from "./api.js";

let names = new Map();

/** The sites' names by their uids, as they were read last. */
export const siteName = (site_id) => names.get(site_id) ?? site_id;

/** Reads them; tells which inventory they are of: `{version, sites}`. */
export async function readSites() {
  const { items, version } = await get(url("sites"));
  names = new Map(items.map((site) => [site.uid, typeof site.name === "string" ? site.name : site.uid]));
  return { version, sites: items.map((site) => site.uid) };
}

/** What is at a dotted path; undefined where the path leads nowhere. */
export const at = (document, path) => path.split(".").reduce((value, key) => value?.[key], document);

export function bytes(size) {
  if (typeof size !== "number") return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(size, 1)) / 10)));
  return `${Number((size / 1024 ** power).toFixed(1))} ${units[power]}`;
}

const rate = (text) => (Number(text) >= 1e9 ? `${Number(text) / 1e9} Gbit/s` : `${Number(text) / 1e6} Mbit/s`);
const YES_NO = new Map([
  ["true", "Yes"],
  ["false", "No"],
]);
const yesNo = (text) => YES_NO.get(text) ?? text;

/** What may be chosen beside the table: the field, its title, and how a value is written for people. */
export const FACETS = [
  ["availability_now", "State now", (text) => text[0].toUpperCase() + text.slice(1)],
  ["site_id", "Site", siteName],
  ["node_type", "Node type"],
  ["gpu.gpu_model", "GPU"],
  ["gpu.gpu_count", "GPUs of a node"],
  ["architecture.platform_type", "Architecture"],
  ["processor.model", "Processor"],
  ["main_memory.humanized_ram_size", "Memory"],
  ["storage_devices.media_type", "Storage"],
  ["network_adapters.rate", "Network", rate],
  ["infiniband", "InfiniBand", yesNo],
  ["placement.rack", "Rack"],
];

/** A name for people; a node without one goes by its uid. */
export const nodeName = (node) => (typeof node.node_name === "string" && node.node_name) || node.uid || node.node_id;
