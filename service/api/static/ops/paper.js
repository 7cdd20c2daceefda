// One paper in a dialog: what is held of it, its text and its PDF.

import { h } from "./dom.js";
import { bytes, clock, number } from "./format.js";
import { button, shown } from "./parts.js";
import { get, send } from "./session.js";

const ARXIV = "https://arxiv.org/abs/";

const named = (arxivId, version) => (version ? `${arxivId}v${version}` : arxivId);

export function paperLink(arxivId, version) {
  const name = named(arxivId, version);
  return button(name, () => open(arxivId), { class: "link code", "aria-label": `Show paper ${name}` });
}

async function open(arxivId) {
  const path = `api/v1/papers/${arxivId}`;
  try {
    show(await get(path), path);
  } catch (error) {
    shown(arxivId, h("p", { class: "bad" }, error.message), outside(arxivId));
  }
}

const outside = (arxivId) =>
  h("p", null, h("a", { href: ARXIV + arxivId, target: "_blank", rel: "noreferrer" }, "At arXiv (opens a new tab)"));

function show(paper, path) {
  const result = h("div", { role: "status" });
  const facts = [
    ["Authors", paper.authors?.join(", ")],
    ["Categories", paper.categories?.join(", ")],
    ["Version", number(paper.version)],
    ["Published", clock(paper.published_at)],
    ["PDF", paper.pdf_bytes ? `${paper.pdf_state}, ${bytes(paper.pdf_bytes)}` : paper.pdf_state],
    ["Pages", number(paper.page_count)],
  ].filter(([, value]) => value && value !== "–");
  shown(paper.title ?? paper.arxiv_id,
    h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
    h("p", null, paper.abstract ?? ""),
    outside(paper.arxiv_id),
    paper.pdf_state === "processed" || paper.pdf_state === "downloaded"
      ? h("div", { class: "actions" },
        button("Show text", () => into(result, () => text(path))),
        button("Save PDF", () => into(result, () => save(path, paper.arxiv_id))))
      : null,
    result);
}

async function into(place, make) {
  place.replaceChildren("Loading…");
  try {
    place.replaceChildren(await make());
  } catch (error) {
    place.replaceChildren(h("span", { class: "bad" }, error.message));
  }
}

async function text(path) {
  const response = await send(`${path}/text`, { headers: { Accept: "text/plain" } });
  return h("pre", { tabindex: "0", role: "group", "aria-label": "Text" }, await response.text());
}

async function save(path, arxivId) {
  const url = URL.createObjectURL(await (await send(`${path}/pdf`, { timeout: 60000 })).blob());
  h("a", { href: url, download: `${arxivId.replace("/", "_")}.pdf` }).click();
  URL.revokeObjectURL(url);
  return "Saved";
}
