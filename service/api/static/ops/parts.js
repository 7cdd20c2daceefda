// Parts that several views are made of: tables, badges, bars, buttons, questions.

import { h } from "./dom.js";
import { WAITS, ago, number } from "./format.js";
import { session } from "./session.js";

// The heading of a column of buttons.
export const ACTIONS = "Actions";

// A column: heading, what it shows of a row (text or node), class of its cells.
// `key` names a row, so that it stays the same element from one refresh to the next.
export function table(caption, rows, columns, { key, empty = "None" } = {}) {
  const titles = columns.map(([title, , kind]) => h("th", { scope: "col", role: "columnheader", class: kind }, title));
  const cell = (row) => ([title, show, kind]) =>
    h("td", { role: "cell", class: kind, "data-title": title }, show(row));
  const lines = rows.map((row, place) =>
    h("tr", { role: "row", "data-key": key ? key(row) : String(place) }, columns.map(cell(row))));
  const body = lines.length ? lines : [h("tr", { role: "row" }, h("td", { role: "cell", class: "none", colspan: columns.length }, empty))];
  const made = h("table", { role: "table", "aria-label": caption },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, titles)), h("tbody", { role: "rowgroup" }, body));
  return h("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": caption }, made);
}

export const section = (title, ...children) =>
  h("section", { "data-key": title, "aria-label": title }, h("h2", null, title), children);

// The only part of a view: its heading is that of the page.
export const whole = (title, ...children) => h("section", { "data-key": title, "aria-label": title }, children);

const STATUS = { running: "now", completed: "good", failed: "bad", cancelled: "none", pending: "warn" };

export const badge = (status) => h("span", { class: `badge ${STATUS[status] ?? "none"}` }, status);

export const waiting = (stats) =>
  stats.waiting_for
    ? h("span", { class: "wait warn" }, `${WAITS[stats.waiting_for] ?? stats.waiting_for}, since ${ago(stats.waiting_since, session.now)}`)
    : null;

export function bar(percent, status, name) {
  if (percent === null) return h("span", { class: "none" }, "total unknown");
  return [
    h("progress", { class: status, max: 100, value: percent, "aria-label": name }),
    h("span", { class: "unbroken" }, `${percent} %`),
  ];
}

// Each a name, a figure (null: none, and no tile) and the class of the figure.
export const tiles = (...rows) =>
  h("dl", { class: "tiles" }, rows.filter((row) => row && row[1] !== null).map(([name, value, kind]) =>
    h("div", { "data-key": name }, h("dt", null, name), h("dd", { class: kind }, typeof value === "number" ? number(value) : value))));

export const button = (label, onclick, properties) => h("button", { type: "button", onclick, ...properties }, label);

// Asks before something that cannot be undone; resolves to whether it was confirmed.
export function confirmed(question, action) {
  return new Promise((done) => {
    const dialog = h("dialog", { "aria-label": question },
      h("p", null, question),
      h("div", { class: "actions" },
        button(action, () => dialog.close("yes"), { class: "danger" }),
        button("Back", () => dialog.close(""), { autofocus: true })));
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// A text to be read, in a dialog over the page.
export function shown(title, ...children) {
  const dialog = h("dialog", { class: "reader", "aria-label": title },
    h("div", { class: "actions" }, h("h2", null, title), button("Close", () => dialog.close(), { autofocus: true })),
    children);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

export const field = (label, control, hint) =>
  h("div", { class: "field" }, h("label", { for: control.id }, label), control,
    hint ? h("small", { id: `${control.id}-hint` }, hint) : null);

// What a problem says is wrong with each field; null if it names none.
export function wrongFields({ fields = {} }) {
  const lines = Object.entries(fields).map(([name, wrong]) =>
    h("li", null, h("span", { class: "code" }, name), ` ${[wrong].flat().join(" ")}`));
  return lines.length ? h("ul", null, lines) : null;
}

export const select = (properties, options, chosen) =>
  h("select", properties, options.map(([value, label]) => h("option", { value, selected: value === chosen }, label)));
