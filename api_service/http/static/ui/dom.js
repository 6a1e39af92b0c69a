/* Elements are made here and nowhere else: what the API says becomes text or an attribute, never markup. */

const PROPERTIES = new Set(["checked", "disabled", "indeterminate", "open", "selected", "value"]);

/**
 * An element. `on…` attributes are listeners; null, undefined and false leave an attribute out; `style` is an object
 * of CSS properties, set one by one since the page's policy allows no style attribute.
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for what is drawn. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style")
      for (const [property, each] of Object.entries(value)) made.style.setProperty(property, each);
    else if (PROPERTIES.has(name)) made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Rows of cells below their titles. */
export function table(titles, rows) {
  const head = titles.map((title) => el("th", { scope: "col" }, title));
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell))));
  return el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body));
}

/** Puts children into an element instead of those it has; whatever was focused stays so, if it is there by its id. */
export function show(parent, ...children) {
  if (!parent) return; // what was to hold them is gone: an answer came when nobody looked any more
  const focused = parent.contains(document.activeElement) ? document.activeElement.id : "";
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

export const byId = (id) => document.getElementById(id);

/** Says something to those who hear the page, and shows it for a moment. */
export function announce(text) {
  byId("announcement").textContent = text;
}

/** Calls `work` once, when nobody has called for a while. */
export function debounced(work, milliseconds) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
}
