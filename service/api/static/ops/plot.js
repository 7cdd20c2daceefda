// Line plots as SVG.

import { h, svg } from "./dom.js";
import { clock, number } from "./format.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [720, 190, 44, 8, 10, 24];

// A round number that is not less than `value`: 1, 2 or 5 times a power of ten.
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].find((one) => one * power >= value * (1 - 1e-9)) * power;
}

// `points`: each `at` and a number for every line; `lines`: [name, label, class].
// Beside it the same as a table, for those who do not see it.
export function plot(caption, points, lines) {
  if (points.length < 2) return h("p", { class: "none" }, "Too few points for a plot yet");
  const times = points.map((one) => Date.parse(one.at));
  const [first, last] = [times[0], times.at(-1)];
  const top = rounded(Math.max(...points.flatMap((one) => lines.map(([name]) => one[name])), 1));
  const x = (time) => LEFT + ((time - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const path = (name) => points.map((one, n) => `${n ? "L" : "M"}${x(times[n]).toFixed(1)} ${y(one[name]).toFixed(1)}`).join("");
  return h("figure", { class: "plot", "data-key": caption },
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(caption, points, lines) },
      [0, top / 2, top].map((value) => [
        svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
        svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, number(value)),
      ]),
      [first, last].map((time, n) =>
        svg("text", { x: x(time), y: HEIGHT - 6, "text-anchor": n ? "end" : "start" }, clock(time).slice(5, 19))),
      lines.map(([name, , kind]) => svg("path", { class: `line ${kind}`, d: path(name) })),
      points.map((one, n) => svg("circle", { class: "hit", cx: x(times[n]), cy: y(one[lines[0][0]]), r: 6 },
        svg("title", null, `${clock(one.at)}: ${lines.map(([name, label]) => `${number(one[name])} ${label}`).join(", ")}`)))),
    h("figcaption", null, caption, lines.map(([, label, kind]) => h("span", { class: `key ${kind}` }, label))));
}

function summary(caption, points, lines) {
  const ends = lines.map(([name, label]) =>
    `${label}: at most ${number(Math.max(...points.map((one) => one[name])))}, last ${number(points.at(-1)[name])}`);
  return `${caption}, ${clock(points[0].at)} to ${clock(points.at(-1).at)}. ${ends.join("; ")}`;
}

// Stacked columns; `rows`: each a `label` and a number for every part of `parts`.
export function bars(caption, rows, parts) {
  const sum = (row) => parts.reduce((total, [name]) => total + row[name], 0);
  const top = rounded(Math.max(...rows.map(sum), 1));
  const step = (WIDTH - LEFT - RIGHT) / rows.length;
  const tall = (value) => (value / top) * (HEIGHT - TOP - BOTTOM);
  const column = (row, place) => {
    let base = HEIGHT - BOTTOM;
    const rects = parts.map(([name, , kind]) => {
      base -= tall(row[name]);
      return svg("rect", { class: `part ${kind}`, x: LEFT + place * step, y: base, width: Math.max(step - 1, 1), height: tall(row[name]) });
    });
    const words = parts.map(([name, label]) => `${number(row[name])} ${label}`).join(", ");
    return svg("g", null, svg("title", null, `${row.label}: ${words}`), rects);
  };
  const totals = parts.map(([name, label]) => `${number(rows.reduce((total, row) => total + row[name], 0))} ${label}`);
  return h("figure", { class: "plot", "data-key": caption },
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${caption}: ${totals.join(", ")}` },
      [0, top].map((value) => [
        svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM - tall(value), y2: HEIGHT - BOTTOM - tall(value) }),
        svg("text", { x: LEFT - 6, y: HEIGHT - BOTTOM - tall(value) + 4, "text-anchor": "end" }, number(value)),
      ]),
      rows.map(column),
      svg("text", { x: LEFT, y: HEIGHT - 6 }, rows[0].label),
      svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, rows.at(-1).label)),
    h("figcaption", null, caption, parts.map(([, label, kind]) => h("span", { class: `key ${kind}` }, label))));
}
