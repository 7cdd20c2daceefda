// One job: how far it is, what happened, what failed, its papers; cancel, retry, again.

import { h } from "./dom.js";
import { follow } from "./events.js";
import { ago, clock, counted, describe, duration, number, percent, rate, span, speed, WAITS } from "./format.js";
import { labels } from "./jobs.js";
import { paperLink } from "./paper.js";
import { ACTIONS, badge, bar, button, confirmed, section, table, tiles, waiting } from "./parts.js";
import { plot } from "./plot.js";
import { go, link } from "./router.js";
import { find, findAll, get, getJob, getPage, mayChange, mayWrite, query, send, session } from "./session.js";
import { deliveriesTable } from "./webhooks.js";

const PAPERS = 25;
const EVENTS = 200; // in a page, of which five are read
const STATES = ["failed", "pending", "downloaded", "processed", "unavailable", "skipped"];
const isFinished = (job) => !["pending", "running"].includes(job.status);

export const title = (params, data) => (data ? describe(data.job.details.request) : "Job");

export async function load(params, signal) {
  const id = params.get("id") ?? "";
  const job = await getJob(id, signal);
  const base = `api/v1/ingestion/job/${id}`;
  const papers = query({ limit: PAPERS, state: params.get("state"), cursor: params.get("papers") });
  const chosen = params.get("code") === null ? null
    : query({ limit: PAPERS, stage: params.get("stage"), code: params.get("code"), cursor: params.get("errors") });
  const [groups, page, errors, timeline, series, deliveries] = await Promise.all([
    get(`${base}/errors?group=code`, signal),
    getPage(`${base}/papers?${papers}`, signal),
    chosen ? getPage(`${base}/errors?${chosen}`, signal) : null,
    findAll(`${base}/timeline?limit=${EVENTS}`, signal),
    find(`${base}/timeline?series=throughput`, signal),
    find(`api/v1/webhooks/deliveries?${query({ job_id: id, limit: 100 })}`, signal),
  ]);
  return { job, groups, page, errors, timeline, series, deliveries };
}


// The status comes by itself; a finished job hardly changes.
export const every = (data) => (data && isFinished(data.job) ? 15000 : 4000);

// Changes as they come; the rest is read again every few seconds.
export function live(params, signal, { data, update, refresh, lost }) {
  if (isFinished(data.job)) return;
  follow(data.job.job_id, {
    signal,
    onLoss: lost,
    onStatus: (status) => {
      session.now = Math.max(session.now, Date.parse(status.completed_at ?? 0));
      update((known) => ({ ...known, job: { ...status, details: known.job.details } }));
      if (isFinished(status)) refresh(); // what else has come to its end
    },
  });
}

export function draw(data, params, tools) {
  const { job } = data;
  return [
    head(job, tools),
    section("Progress", progress(job)),
    section("Throughput", throughput(data.series)),
    section("Timeline", timeline(data.timeline)),
    section("Errors", errors(data, params)),
    data.deliveries ? section("Callback deliveries", deliveriesTable(data.deliveries, tools)) : null,
    section("Papers", papers(data.page, job, params)),
    section("Request",
      h("pre", { tabindex: "0", role: "group", "aria-label": "Request as JSON" }, JSON.stringify(job.details.request, null, 2))),
  ];
}

function head(job, tools) {
  const { details } = job;
  const by = details.requested_by ?? "an unknown caller";
  const schedule = link("jobs", { schedule_id: details.schedule_id, status: "all" });
  return h("section", { class: "head", "data-key": "head", "aria-label": "Job" },
    h("p", null, badge(job.status), " ", waiting(job.stats), h("span", { class: "code" }, job.job_id), labels(details.labels)),
    h("p", { class: "none" }, `Requested by ${by} ${ago(job.created_at, session.now)} (${clock(job.created_at)})`,
      details.retry_of ? [", retry of ", h("a", { href: link("job", { id: details.retry_of }) }, details.retry_of)] : null,
      details.schedule_id ? [", by ", h("a", { href: schedule }, "a schedule")] : null),
    h("div", { class: "actions" }, actions(job, tools)));
}

function actions(job, tools) {
  const owner = job.details.requested_by ?? null;
  const canRetry = isFinished(job) && (job.stats.pdfs_failed > 0 || job.status === "failed" || job.details.errors_total > 0);
  return [
    !isFinished(job) && mayChange(owner) ? button("Cancel job", () => cancel(job, tools), { class: "danger" }) : null,
    canRetry && mayWrite() ? button("Retry failed papers", () => retry(job, tools)) : null,
    mayWrite() ? h("a", { class: "button", href: link("submit", { from: job.job_id }) }, "Again with changes") : null,
    mayWrite() ? null : h("span", { class: "none" }, "Read-only: this token may not change jobs"),
  ];
}

async function cancel(job, tools) {
  if (!(await confirmed(`Cancel ${describe(job.details.request)}?`, "Cancel job"))) return;
  await tools.act(async () => {
    await send(`api/v1/ingestion/job/${job.job_id}`, { method: "DELETE" });
    return "Cancelled";
  });
}

async function retry(job, tools) {
  await tools.act(async () => {
    const made = await (await send(`api/v1/ingestion/job/${job.job_id}/retry`, { method: "POST" })).json();
    go("job", { id: made.job_id });
    return "Retry created";
  });
}

function progress(job) {
  const { stats, progress: counts } = job;
  const now = session.now;
  return [
    h("p", { class: "progress" }, bar(percent(job), job.status, "Progress")),
    tiles(
      ["Papers", `${number(counts.papers_fetched)} of ${number(stats.papers_total)}`],
      ["Rate", rate(speed(job))],
      ["ETA", job.status === "running" ? span(stats.eta_seconds) : "–"],
      ["Elapsed", span(stats.elapsed_seconds)],
      ["Last activity", ago(job.details.updated_at, now)],
      ["Errors", stats.errors_total ?? 0, stats.errors_total ? "bad" : "none"],
      stats.resumed ? ["Leases reclaimed", stats.resumed, "warn"] : null),
    table("Stages", stages(job), [
      ["Stage", (row) => row[0]],
      ["Done", (row) => number(row[1]), "number"],
      ["Pending", (row) => number(row[2]), "number"],
      ["Failed", (row) => h("span", { class: row[3] ? "bad" : "none" }, number(row[3])), "number"],
      ["Note", (row) => row[4]],
    ], { key: (row) => row[0] }),
  ];
}

function stages({ progress: counts, stats }) {
  const total = stats.papers_total;
  const left = (total ?? null) === null ? null : Math.max(0, total - counts.papers_fetched);
  return [
    ["Pages fetched", stats.pages_fetched ?? 0, null, null, ""],
    ["Papers fetched", counts.papers_fetched, left, null, `${counted(stats.papers_skipped ?? 0, "paper")} unchanged`],
    ["Papers stored", counts.papers_created + counts.papers_updated, null, null,
      `${number(counts.papers_created)} new, ${number(counts.papers_updated)} updated`],
    ["PDFs downloaded", counts.pdfs_downloaded, null, null, `${number(stats.pdfs_unavailable ?? 0)} not available at arXiv`],
    ["Text extracted", counts.pdfs_processed, stats.pdfs_pending ?? 0, stats.pdfs_failed ?? 0, ""],
  ];
}

function throughput(series) {
  if (!series) return h("p", { class: "none" }, "Not recorded");
  const lines = [["papers", "papers fetched", "first"], ["pdfs", "PDFs processed", "second"]];
  return plot(`In each ${span(series.interval_seconds)}`, series.points, lines);
}

const EVENT = {
  created: () => "Created",
  started: () => "Started",
  page: (event) => `${event.first === event.page ? "Page" : `Pages ${number(event.first)} to`} ${number(event.page)} stored`
    + ((event.papers_fetched ?? null) === null ? "" : `, ${counted(event.papers_fetched, "paper")} so far`),
  waiting: (event) => `Waited: ${WAITS[event.reason] ?? event.reason}`
    + (event.times > 1 ? `, ${counted(event.times, "time")}` : "") + (event.ended_at ? ` for ${duration(event.at, event.ended_at)}` : ""),
  finished: (event) => `Finished: ${event.status}`,
  callback: (event) => `Callback ${event.status}, attempt ${number(event.attempt)}`
    + (event.http_status ? `, HTTP ${event.http_status}` : "") + (event.error ? `, ${event.error}` : ""),
};

// Pages that follow each other make one line.
function joined(events) {
  const lines = [];
  for (const event of events) {
    const before = lines.at(-1);
    const first = event.page - (event.times ?? 1) + 1;
    if (event.event === "page" && before?.event === "page") {
      lines[lines.length - 1] = { ...event, at: before.at, first: before.first, ended_at: event.ended_at ?? event.at };
    } else lines.push({ ...event, first });
  }
  return lines;
}

function timeline(events) {
  if (!events) return h("p", { class: "none" }, "Not recorded");
  if (!events.length) return h("p", { class: "none" }, "Nothing has happened yet");
  return h("ol", { class: "timeline" }, joined(events).map((event, place) =>
    h("li", { "data-key": String(place), class: event.event },
      h("time", { datetime: event.at }, clock(event.at)), " ", (EVENT[event.event] ?? (() => event.event))(event))));
}

const here = (params, changes) => link("job", { ...Object.fromEntries(params), ...changes });

function errors({ groups, errors: page, job }, params) {
  const columns = [
    ["Stage", (group) => group.stage],
    ["Code", (group) => h("span", { class: "code" }, group.code ?? "–")],
    ["Errors", (group) => number(group.count), "number"],
    ["Papers", (group) => number(group.papers), "number"],
    ["Latest example", (group) => group.example, "long"],
    [ACTIONS, (group) => h("a", {
      href: here(params, { stage: group.stage, code: group.code ?? "", errors: null }),
      "aria-label": `List the errors ${group.stage} ${group.code ?? ""}`,
    }, "List")],
  ];
  return [
    table("Errors by stage and code", groups, columns, { key: (group) => `${group.stage} ${group.code}`, empty: "No errors" }),
    page ? chosenErrors(page, job, params) : null,
  ];
}

function chosenErrors({ rows, next }, job, params) {
  const name = `${params.get("stage") ?? ""} ${params.get("code")}`;
  return h("div", { "data-key": "chosen" },
    h("h3", null, `Errors: ${name}`),
    table(`Errors ${name}`, rows, [
      ["Paper", (error) => (error.arxiv_id ? paperLink(error.arxiv_id) : error.line ? `line ${number(error.line)}` : "–")],
      ["When", (error) => clock(error.timestamp), "unbroken"],
      ["Attempt", (error) => number(error.attempt), "number"],
      ["Error", (error) => error.error, "long"],
    ]),
    h("nav", { class: "pages", "aria-label": "Pages of errors" },
      h("a", { href: here(params, { stage: null, code: null, errors: null }) }, "Hide"),
      params.has("errors") ? h("a", { href: here(params, { errors: null }) }, "First errors") : null,
      next ? h("a", { href: here(params, { errors: next.get("cursor") }) }, "More errors") : null));
}

function papers({ rows, next }, job, params) {
  const known = { failed: job.stats.pdfs_failed, pending: job.stats.pdfs_pending,
    unavailable: job.stats.pdfs_unavailable, processed: job.progress.pdfs_processed };
  const chosen = params.get("state") ?? "";
  const choice = (state, label) => h("a", {
    href: here(params, { state, papers: null }), "aria-current": chosen === state ? "true" : null,
  }, label + (known[state] === undefined ? "" : ` ${number(known[state])}`));
  return [
    h("nav", { class: "choices", "aria-label": "State of papers" }, choice("", "all"), STATES.map((state) => choice(state, state))),
    table("Papers of this job", rows, [
      ["Paper", (paper) => paperLink(paper.arxiv_id, paper.version), "unbroken"],
      ["Title", (paper) => paper.title ?? "–", "long"],
      ["State", (paper) => h("span", { class: PAPER[paper.state] }, paper.state)],
      ["Reason", (paper) => paper.reason ?? "–"],
      ["Attempts", (paper) => number(paper.attempts), "number"],
      ["Changed", (paper) => ago(paper.updated_at, session.now), "number"],
    ], { key: (paper) => `${paper.arxiv_id}v${paper.version}`, empty: chosen ? `No ${chosen} papers` : "No papers yet" }),
    h("nav", { class: "pages", "aria-label": "Pages of papers" },
      params.has("papers") ? h("a", { href: here(params, { papers: null }) }, "First papers") : null,
      next ? h("a", { href: here(params, { papers: next.get("cursor") }) }, "More papers") : null),
  ];
}

const PAPER = { processed: "good", failed: "bad", pending: "warn", downloaded: "now", unavailable: "none", skipped: "none" };
