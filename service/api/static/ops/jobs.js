// The list of jobs: filters, words, order and pages, all of them in the URL.

import { h } from "./dom.js";
import { ago, clock, counted, describe, number, percent, rate, span, speed } from "./format.js";
import { badge, bar, field, select, table, waiting, whole } from "./parts.js";
import { go, link } from "./router.js";
import { getPage, query, session } from "./session.js";

const LIMIT = 50;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const FILTERS = ["status", "q", "requested_by", "label", "source", "schedule_id", "created_after", "created_before", "sort"];
const RARE = ["requested_by", "label", "source", "schedule_id", "created_after", "created_before"];

const STATUSES = [
  ["", "active"], ["all", "all"], ["pending", "pending"], ["running", "running"],
  ["completed", "completed"], ["failed", "failed"], ["cancelled", "cancelled"],
];
const SOURCES = ["", "search", "oai", "snapshot", "audit", "documents"].map((name) => [name, name || "any"]);
const ORDERS = [
  ["", "newest first"], ["created_at", "oldest first"],
  ["-updated_at", "latest activity first"], ["updated_at", "longest without activity first"],
];

export const title = () => "Jobs";

export const load = (params, signal) => getPage(`api/v1/ingestion/jobs?${asked(params)}`, signal);

export const stream = (params) => `api/v1/ingestion/jobs/events?${asked(params)}`;

export const assemble = ({ page, ...jobs }) => ({
  rows: page.order.map((id) => jobs[id]),
  next: page.next ? new URLSearchParams({ cursor: page.next }) : null,
});

function asked(params) {
  const wanted = Object.fromEntries(FILTERS.map((name) => [name, params.getAll(name)]));
  const words = params.get("q")?.trim() ?? "";
  if (UUID.test(words)) Object.assign(wanted, { q: [], id: words, status: [] });
  return query({ details: "true", limit: LIMIT, cursor: params.get("cursor"), ...wanted });
}

export function draw({ rows, next }, params) {
  return [
    filters(params),
    whole("List of jobs",
      table("Jobs", rows, COLUMNS, { key: (job) => job.job_id, empty: emptiness(params) }),
      pages(params, next, rows.length)),
  ];
}

const COLUMNS = [
  ["Job", (job) => [
    h("a", { href: link("job", { id: job.job_id }), class: "what" }, describe(job.details.request)),
    h("span", { class: "code" }, job.job_id),
    labels(job.details.labels),
  ], "wide"],
  ["Status", (job) => [badge(job.status), waiting(job.stats)]],
  ["Requested by", (job) => job.details.requested_by ?? "–"],
  ["Progress", progress, "progress"],
  ["Rate", (job) => (job.status === "running" ? rate(speed(job)) : "–"), "number"],
  ["ETA", (job) => (job.status === "running" ? span(job.stats.eta_seconds) : "–"), "number"],
  ["Errors", (job) => h("span", { class: job.details.errors_total ? "bad" : "none" }, number(job.details.errors_total)), "number"],
  ["Last activity", (job) => h("span", { title: clock(job.details.updated_at) }, ago(job.details.updated_at, session.now)), "number"],
];

export const labels = (found) =>
  Object.entries(found ?? {}).map(([name, value]) => h("span", { class: "label" }, `${name}:${value}`));

function progress(job) {
  if (job.status === "pending") return h("span", { class: "none" }, "waits for a worker");
  const { papers_total: total, pdfs_pending: pending } = job.stats;
  const fetched = job.progress.papers_fetched;
  return [
    h("div", null, bar(percent(job), job.status, "Progress")),
    h("small", null, (total ? `${number(fetched)} of ${counted(total, "paper")}` : counted(fetched, "paper"))
      + (pending ? `, ${number(pending)} PDFs pending` : "")),
  ];
}

function filters(params) {
  const value = (name) => params.get(name) ?? "";
  const input = (name, properties) => h("input", { id: name, name, value: value(name), ...properties });
  const rare = [
    field("Requested by", input("requested_by")),
    field("Label", input("label", { placeholder: "key:value", value: params.getAll("label").join(" ") })),
    field("Source", select({ id: "source", name: "source" }, SOURCES, value("source"))),
    field("Schedule", input("schedule_id", { placeholder: "id" })),
    field("Created from (UTC)", moment("created_after", value("created_after"))),
    field("Created before (UTC)", moment("created_before", value("created_before"))),
  ];
  return h("form", { class: "filters", role: "search", "data-key": "filters", "data-keep": params.toString(), onsubmit: search },
    field("Search", input("q", { type: "search", placeholder: "job id, or words of the request" })),
    field("State", select({ id: "status", name: "status", onchange: submit }, STATUSES, value("status"))),
    field("Order", select({ id: "sort", name: "sort", onchange: submit }, ORDERS, value("sort"))),
    h("div", { class: "field" }, h("button", null, "Search")),
    h("details", { class: "rare", open: RARE.some((name) => params.has(name)) },
      h("summary", null, "More filters"), h("div", { class: "fields" }, rare)),
    params.size ? h("a", { href: link("jobs") }, "Clear filters") : null);
}

const moment = (name, value) =>
  h("input", { id: name, name, type: "datetime-local", value: value.replace(/(:\d\d)?(\.\d+)?Z$/, "") });

const submit = (event) => event.target.form.requestSubmit();

function search(event) {
  event.preventDefault();
  const given = Object.fromEntries(new FormData(event.target));
  for (const name of ["created_after", "created_before"]) if (given[name]) given[name] += ":00Z";
  go("jobs", { ...given, label: given.label.split(/\s+/) });
}

function emptiness(params) {
  if (params.get("cursor")) return "No more jobs";
  return [...params.keys()].some((name) => name !== "sort" && name !== "status")
    ? "No job matches these filters" : `No ${params.get("status") || "active"} jobs`.replace("No all", "No");
}

function pages(params, next, count) {
  const at = (cursor) => {
    const found = new URLSearchParams(params);
    if (cursor) found.set("cursor", cursor);
    else found.delete("cursor");
    return `#/jobs?${found}`;
  };
  return h("nav", { class: "pages", "aria-label": "Pages" },
    h("span", { class: "none" }, count === 1 ? "1 job" : `${number(count)} jobs on this page`),
    params.has("cursor") ? h("a", { href: at(null) }, "First page") : null,
    next ? h("a", { href: at(next.get("cursor")) }, "Next page") : null);
}
