// Making and updating elements without markup in strings.

const ICONS = new URL("../icons.svg", import.meta.url).href;
const SVG = "http://www.w3.org/2000/svg";

/** Make an element. `props`: class, text, dataset, on (listeners), and attributes; false and null leave one out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Draw an icon of the sprite. It says nothing to screen readers: words stand beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}

/** Point an icon at another drawing. */
export function setIcon(svg, name) {
  const href = `${ICONS}#${name}`;
  const use = svg.firstChild;
  if (use.getAttribute("href") !== href) use.setAttribute("href", href);
}

/** A button with an icon and words; `quiet` hides the words from the eye but not from screen readers. */
export function button(name, label, onclick, { quiet = false, kind = "" } = {}) {
  return h(
    "button",
    { type: "button", class: `button ${quiet ? "button-icon" : ""} ${kind}`, title: quiet ? label : null, on: { click: onclick } },
    icon(name),
    h("span", { class: quiet ? "hidden" : "", text: label }),
  );
}

/** Write text only where it differs, so that selections and screen readers are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Show or hide; what hides while it has the focus hands it to `heir`, so that the keyboard does not lose its place. */
export function setHidden(element, hidden, heir = null) {
  if (element.hidden === hidden) return;
  const held = hidden && element === document.activeElement;
  element.hidden = hidden;
  if (held) heir?.focus({ preventScroll: true });
}

/**
 * Make the children of `parent` show `items`, in order. A child is made once for each key, updated in place, and moved
 * only if the order changed, so that focus, selection and scroll position stay where they are.
 */
export function keyed(parent, items, { key, create, update }) {
  const views = (parent.keyedViews ??= new Map());
  const wanted = new Set(items.map(key));
  for (const [id, view] of views) {
    if (!wanted.has(id)) {
      views.delete(id);
      removeKeepingFocus(view.element);
    }
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const id = key(item);
    let view = views.get(id);
    if (!view) {
      view = create(item);
      views.set(id, view);
    }
    update(view, item);
    if (view.element === next) next = next.nextElementSibling;
    else parent.insertBefore(view.element, next);
  }
}

/** A row that goes away while it has the focus hands it to its neighbour. */
function removeKeepingFocus(element) {
  if (element.contains(document.activeElement)) {
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
    const target = neighbour?.querySelector("a[href], button:not([hidden])") ?? document.getElementById("main");
    element.remove();
    target.focus({ preventScroll: true });
  } else {
    element.remove();
  }
}

/** Read the state that came with the page. */
export function firstState() {
  return JSON.parse(document.getElementById("first").textContent);
}
