/* Comma-separated values as RFC 4180 has them, for programs that take a cell for a formula if they can. */

const FORMULA = /^[=+\-@\t\r]/;

/** One cell. Text that a spreadsheet would calculate gets an apostrophe before it. */
export function cell(value) {
  if (value === null || value === undefined) return "";
  let text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (typeof value !== "number" && FORMULA.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A table: the names of its columns, and each row a list. */
export const csv = (columns, rows) => [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
