// Elements made in code, and live elements brought up to date in place.
// Text from the service only ever becomes a text node.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "onsubmit", "oninput", "onchange"];

function made(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (HANDLERS.includes(name)) node[name] = value;
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

export const h = (name, properties, ...children) =>
  made(document.createElement(name), properties, children);

export const svg = (name, properties, ...children) =>
  made(document.createElementNS(SVG, name), properties, children);

// Make `live` like `next`, keeping every node that can stay: focus, selection and scroll
// positions survive. Children with a `data-key` are matched by it. What has the same
// `data-keep` is left as it is: a form that somebody is filling in.
export function morph(live, next) {
  if (live.nodeType !== Node.ELEMENT_NODE) {
    if (live.data !== next.data) live.data = next.data;
    return;
  }
  if (live.dataset.keep !== undefined && live.dataset.keep === next.dataset.keep) return;
  morphAttributes(live, next);
  for (const name of HANDLERS) if (live[name] !== next[name]) live[name] = next[name];
  morphChildren(live, next);
}

function morphAttributes(live, next) {
  const isOpenedByHand = live.nodeName === "DETAILS";
  for (const { name } of [...live.attributes]) {
    if (!next.hasAttribute(name) && !(isOpenedByHand && name === "open")) live.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (isOpenedByHand && name === "open") continue;
    if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  }
}

const keyOf = (node) => node.dataset?.key;

function morphChildren(live, next) {
  const wantedKeys = new Set([...next.childNodes].map(keyOf));
  for (const child of [...live.childNodes]) if (!wantedKeys.has(keyOf(child))) child.remove();
  const byKey = new Map([...live.childNodes].map((child) => [keyOf(child), child]));
  let place = live.firstChild;
  for (const wanted of [...next.childNodes]) {
    const key = keyOf(wanted);
    const found = key === undefined ? place : byKey.get(key);
    if (!found || keyOf(found) !== key) {
      live.insertBefore(wanted, place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else move(live, found, place);
    if (isAlike(found, wanted)) morph(found, wanted);
    else found.replaceWith(wanted);
  }
  while (place) {
    const rest = place.nextSibling;
    place.remove();
    place = rest;
  }
}

const isAlike = (one, other) =>
  one.nodeName === other.nodeName && one.dataset?.keep === other.dataset?.keep;

function move(parent, node, place) {
  if (parent.moveBefore) parent.moveBefore(node, place); // keeps the focus
  else parent.insertBefore(node, place);
}
