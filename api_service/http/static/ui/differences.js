/* A JSON patch (RFC 6902) as sentences have it: what was there before, and what is there after. */

/** `[{path, before, after}]` for each operation; undefined where there is nothing. */
export function changes(patch, document) {
  const now = { whole: structuredClone(document) };
  return patch.map((operation) => {
    const path = pointer(operation.path);
    const from = operation.from === undefined ? null : pointer(operation.from);
    const value = from ? structuredClone(find(now, from)) : operation.value;
    const before = operation.op === "add" || from ? undefined : find(now, path);
    if (operation.op === "remove" || operation.op === "move") remove(now, from ?? path);
    if (operation.op !== "remove") put(now, path, value, operation.op === "replace");
    return {
      path: path.slice(1).join(" › ") || "the whole",
      before,
      after: operation.op === "remove" ? undefined : value,
    };
  });
}

const pointer = (text) => [
  "whole",
  ...text
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~")),
];

const find = (document, path) =>
  path.reduce((value, key) => (Object.hasOwn(Object(value), key) ? value[key] : undefined), document);

function remove(document, path) {
  const parent = find(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(Number(path.at(-1)), 1);
  else if (parent) delete parent[path.at(-1)];
}

function put(document, path, value, replaces) {
  const parent = find(document, path.slice(0, -1));
  const key = path.at(-1);
  if (Array.isArray(parent) && !replaces) parent.splice(key === "-" ? parent.length : Number(key), 0, value);
  // `__proto__` is a key like any other.
  else if (parent) Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true });
}
