// A new job: a form by source, a preview by a dry run, and the job.

import { h, morph } from "./dom.js";
import { counted, day, describe, span } from "./format.js";
import { button, field, select, whole, wrongFields } from "./parts.js";
import { go, link } from "./router.js";
import { getJob, mayWrite, send } from "./session.js";

const SOURCES = [
  ["search", "Search (query API)"], ["oai", "OAI-PMH harvest"], ["snapshot", "Metadata snapshot"],
  ["audit", "Audit"], ["documents", "Structured documents"],
];
const OBJECTS = { search: "search_query", oai: "oai", snapshot: "snapshot", audit: "audit", documents: "documents" };
const SORTS = ["submittedDate", "lastUpdatedDate", "relevance"].map((name) => [name, name]);
const ORDERS = ["descending", "ascending"].map((name) => [name, name]);
const PRIORITIES = ["normal", "high", "low"].map((name) => [name, name]);
const FORMATS = ["arXivRaw", "arXiv"].map((name) => [name, name]);

// Of each source: name in its object, label, kind (text, number, day, ids, check or choices), hint.
const DATES = [["from_date", "From date", "day", "YYYY-MM-DD"], ["to_date", "To date", "day", "YYYY-MM-DD"]];
const OF_SOURCE = {
  search: [
    ["category", "Category", "text", "cs.AI, or an archive: cs"], ["query", "Words or query", "text"],
    ["author", "Author", "text"], ["title", "Title", "text"], ["abstract", "Abstract", "text"], ...DATES,
    ["ids", "arXiv ids", "ids", "ids or URLs, separated by blanks"],
    ["sort_by", "Sort by", SORTS], ["sort_order", "Order", ORDERS],
    ["start", "Skip results", "number"], ["max_results", "Papers in a request", "number"],
  ],
  oai: [["set", "Set", "text", "cs, or cs:cs:AI; empty: all of arXiv"], ...DATES, ["metadata_format", "Format", FORMATS]],
  snapshot: [["file", "File in SNAPSHOT_DIR", "text"]],
  audit: [["set", "Set", "text", "cs, or cs:cs:AI; empty: all of arXiv"], ...DATES, ["heal", "Ingest what is missing or stale", "check"]],
  documents: [["ids", "arXiv ids", "ids", "empty: all that are outdated"]],
};
const COMMON = [
  ["max_papers", "Most papers", "number"], ["batch_size", "Batch size", "number"], ["priority", "Priority", PRIORITIES],
  ["labels", "Labels", "labels", "key:value, key:other value"], ["callback_url", "Callback URL", "text"],
  ["process_pdfs", "Download PDFs and extract text", "check"], ["process_html", "Fetch arXiv's HTML too", "check"],
  ["skip_duplicates", "Skip papers that are held in the same version", "check"],
];
const DEFAULTS = { source: "search", search_query: {}, process_pdfs: true, process_html: false, skip_duplicates: true };

export const title = () => "Submit";

export const every = () => 60000; // nothing here changes by itself

export async function load(params, signal) {
  const from = params.get("from");
  if (!from) return { request: DEFAULTS };
  const job = await getJob(from, signal);
  return { request: { ...DEFAULTS, ...job.details.request }, from: job };
}

export function draw({ request, from }, params, tools) {
  if (!mayWrite()) return whole("Submit", h("p", { class: "none" }, "Read-only: this token may not submit jobs"));
  const source = params.get("source") ?? request.source ?? "search";
  const object = source === (request.source ?? "search") ? request[OBJECTS[source]] ?? {} : {};
  const choose = (event) => go("submit", { from: params.get("from"), source: event.target.value });
  const form = h("form", { class: "submit", "data-key": "form", "data-keep": params.toString(), novalidate: true },
    from ? h("p", null, "Again: ", h("a", { href: link("job", { id: from.job_id }) }, describe(request))) : null,
    field("Source", select({ id: "source", name: "source", onchange: choose }, SOURCES, source)),
    h("fieldset", null, h("legend", null, "What"),
      h("div", { class: "fields" }, OF_SOURCE[source].map((one) => control(one, object, OBJECTS[source])))),
    h("fieldset", null, h("legend", null, "How"),
      h("div", { class: "fields" }, commonOf(source).map((one) => control(one, asDefaults(request, source), "")))),
    h("div", { class: "actions" },
      source === "search" ? button("Preview", () => preview(form, source, tools)) : null,
      h("button", { class: "main" }, "Create job")),
    h("div", { class: "result", role: "status" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    create(form, source, tools);
  };
  return whole("New job", form);
}

// PDFs are wanted by default of a search only.
const asDefaults = (request, source) => (source === (request.source ?? "search") ? request
  : { ...DEFAULTS, process_pdfs: source === "search", labels: request.labels, priority: request.priority });

const commonOf = (source) => (source === "audit" ? COMMON.filter(([name]) => name !== "max_papers") : COMMON);

const nameOf = (prefix, name) => (prefix ? `${prefix}.${name}` : name);

function control([name, label, kind, hint], values, prefix) {
  const id = nameOf(prefix, name);
  const value = values[name] ?? null;
  const described = hint ? `${id}-hint` : null;
  if (kind === "check") {
    const box = h("input", { id, name: id, type: "checkbox", checked: value === true });
    return h("div", { class: "field check" }, box, h("label", { for: id }, label));
  }
  if (Array.isArray(kind)) return field(label, select({ id, name: id }, kind, value ?? kind[0][0]));
  return field(label, h("input", {
    id, name: id, value: written(kind, value), inputmode: kind === "number" ? "numeric" : null,
    autocomplete: "off", "aria-describedby": described,
  }), hint);
}

function written(kind, value) {
  if (value === null) return "";
  if (kind === "ids") return value.join(" ");
  if (kind === "day") return day(value);
  if (kind === "labels") return Object.entries(value).map(([name, one]) => `${name}:${one}`).join(", ");
  return String(value);
}

// A label ends where the next one's key begins, so that values may hold blanks and commas.
const labelsIn = (text) => Object.fromEntries(text.split(/[\s,]+(?=[\w.-]+:)/).map((one) => {
  const [name, ...rest] = one.split(":");
  return [name.trim(), rest.join(":").trim()];
}));

const words = (text) => text.split(/[\s,]+/).filter(Boolean);

function read(kind, input) {
  const text = input.value.trim();
  if (kind === "check") return input.checked;
  if (text === "") return undefined;
  if (kind === "number") return /^-?\d+$/.test(text) ? Number(text) : text; // the service says what is wrong
  if (kind === "ids") return words(text);
  if (kind === "labels") return labelsIn(text);
  return text;
}

// The request in the form; what is left empty is left out.
function bodyOf(form, source) {
  const taken = (fields, prefix) => Object.fromEntries(fields
    .map(([name, , kind]) => [name, read(kind, form.elements[nameOf(prefix, name)])])
    .filter(([, value]) => value !== undefined));
  const body = { source, [OBJECTS[source]]: taken(OF_SOURCE[source], OBJECTS[source]), ...taken(commonOf(source), "") };
  if (body.process_html === false) delete body.process_html;
  return body;
}

async function preview(form, source, tools) {
  const body = bodyOf(form, source);
  await asked(form, tools, async () => {
    const response = await send("api/v1/ingestion/arxiv?dry_run=true", { method: "POST", body, timeout: 20000 });
    const found = await response.json();
    return [
      h("p", null, h("b", null, describe(body))),
      h("p", null, `arXiv has ${counted(found.total, "paper")}; the job would bring ${counted(found.estimated_papers, "paper")} in `
        + `${counted(found.requests, "request")} for pages, in about ${span(found.estimated_seconds)}.`),
    ];
  });
}

// One key for one request: sent again after a lost answer, it finds the job of the first time.
const sent = { body: "", key: "" };

function keyOf(body) {
  const text = JSON.stringify(body);
  if (sent.body !== text) {
    const random = crypto.getRandomValues(new Uint32Array(4)); // randomUUID wants https
    Object.assign(sent, { body: text, key: `ops-${[...random].map((one) => one.toString(16)).join("-")}` });
  }
  return sent.key;
}

async function create(form, source, tools) {
  await asked(form, tools, async () => {
    const body = bodyOf(form, source);
    const headers = { "Idempotency-Key": keyOf(body) };
    const response = await send("api/v1/ingestion/arxiv", { method: "POST", body, headers });
    const { job_id: id } = await response.json();
    sent.body = ""; // the next one is meant
    tools.say("Job created");
    go("job", { id });
    return ["Job created"];
  });
}

// Shows what came of a request, or what is wrong with each field.
async function asked(form, tools, ask) {
  const result = form.querySelector(".result");
  for (const one of form.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
  const put = (...parts) => morph(result, h("div", { class: "result", role: "status" }, parts));
  put("Asking…");
  for (const one of form.querySelectorAll("button")) one.disabled = true;
  try {
    put(...await ask());
  } catch (error) {
    for (const name of Object.keys(error.fields ?? {})) form.elements[name]?.setAttribute?.("aria-invalid", "true");
    put(h("p", { class: "bad" }, error.message), wrongFields(error));
  } finally {
    for (const one of form.querySelectorAll("button")) one.disabled = false;
  }
}
