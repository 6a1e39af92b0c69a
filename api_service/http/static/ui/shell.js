/* Text for a POSIX shell and for the command line of Blazar. */

/** One word, whatever is in it: within single quotes a shell changes nothing. */
export const quoted = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;

/** What may stand in a comment: one line, and nothing that a terminal obeys or that runs backwards. */
export const commented = (text) => String(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");

/** A name as an argument: 80 characters of one line, and nothing that a program takes for an option; or `otherwise`. */
export const argument = (text, otherwise) =>
  [...commented(text ?? "").replace(/^[\s-]+/u, "")].slice(0, 80).join("") || otherwise;

/** JSON of printable ASCII: valid in JSON, JavaScript and Python alike, and no terminal obeys it. */
export const asciiJson = (value) =>
  JSON.stringify(value).replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * The value of `--reservation` for one node. Blazar's client splits it at `,name=`, wherever that is; so neither a
 * comma nor an equals sign of a uid may be seen in it.
 */
export function reservation(uid) {
  const literal = asciiJson(uid).replaceAll(",", "\\u002c").replaceAll("=", "\\u003d");
  return `min=1,max=1,resource_type=physical:host,resource_properties=["==", "$uid", ${literal}]`;
}
