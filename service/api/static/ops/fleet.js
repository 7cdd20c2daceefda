// The fleet: workers, queue, arXiv, storage, database, coverage, schedules, webhooks.

import { h } from "./dom.js";
import { ago, bytes, clock, describe, lag, number, rate, span, until } from "./format.js";
import { paperLink } from "./paper.js";
import { bars } from "./plot.js";
import { ACTIONS, bar, button, confirmed, section, select, table, tiles } from "./parts.js";
import { go, link } from "./router.js";
import { find, findAll, get, mayChange, mayOperate, query, send, session } from "./session.js";
import { deliveriesTable, webhooksTable } from "./webhooks.js";

const CHANNEL = { available: "good", unavailable: "bad", cooldown: "warn", paused: "warn" };
const CHANNELS = { api: "query API and OAI-PMH", pdf: "PDFs", html: "HTML pages" };
const REFUSALS = ["429", "503", "406", "403"];

export const title = () => "Fleet";

export async function load(params, signal) {
  const set = query({ set: params.get("set") });
  const [overview, fleet, stats, coverage, schedules, webhooks, deliveries] = await Promise.all([
    get("api/v1/ingestion/overview", signal),
    get("api/v1/fleet", signal),
    get("api/v1/ingestion/stats", signal),
    get(`api/v1/coverage?${set}`, signal),
    findAll("api/v1/schedules?limit=200", signal),
    findAll("api/v1/webhooks?limit=200", signal),
    find("api/v1/webhooks/deliveries?limit=20", signal),
  ]);
  return { overview, fleet, stats, coverage, schedules, webhooks, deliveries };
}

export const stream = (params) => `api/v1/fleet/events?${query({ set: params.get("set") })}`;

// Pieces are named after the route that tells them otherwise: fleet.workers, stats.queue.
export function assemble({ coverage, schedules, webhooks = null, deliveries = null, ...pieces }) {
  const data = { coverage, schedules, webhooks, deliveries };
  for (const [name, value] of Object.entries(pieces)) {
    const [origin, field] = name.split(".");
    (data[origin] ??= {})[field] = value;
  }
  return data;
}

export function draw(data, params, tools) {
  const { overview, fleet, stats, webhooks } = data;
  return [
    section("Now", totals(overview, stats)),
    section("arXiv", traffic(fleet.channels, tools), channels(fleet.channels, overview.requests)),
    section("Throughput", throughput(stats, overview, requestRates(overview))),
    section("Queue", queue(fleet.queue, stats)),
    section("Workers", workers(fleet.workers)),
    section("Storage and database", parts(data)),
    section("Coverage", coverage(data, params)),
    section("Schedules", schedules(data.schedules, tools)),
    section("Webhooks", webhooks === null
      ? h("p", { class: "none" }, "Callbacks are off: WEBHOOK_SECRET is not set")
      : [webhooksTable(webhooks), h("h3", null, "Latest deliveries"), deliveriesTable(data.deliveries ?? [], tools)]),
    section("Failed papers", failures(overview.failing)),
  ];
}

function totals({ jobs_by_status: jobs, papers_by_pdf_state: papers, workers, stalls }) {
  const kinds = { running: "now", pending: "warn", completed: "good", failed: "bad", cancelled: "none" };
  return tiles(
    ...Object.entries(kinds).map(([status, kind]) =>
      [`Jobs ${status}`, h("a", { href: link("jobs", { status }), class: jobs[status] ? kind : "none" }, number(jobs[status] ?? 0))]),
    ["Papers", Object.values(papers).reduce((sum, count) => sum + count, 0)],
    ["Papers with text", papers.processed ?? 0],
    ["Workers", workers.length, workers.length ? "" : "bad"],
    ["Stalls", stalls, stalls ? "bad" : "none"]);
}

function traffic(channels, tools) {
  const paused = channels.find((channel) => channel.state === "paused");
  const state = paused
    ? h("span", { class: "warn" }, `All traffic to arXiv is paused since ${clock(paused.since)}`)
    : h("span", null, "Traffic to arXiv is not paused");
  const change = paused
    ? button("Resume arXiv traffic", () => resume(tools))
    : button("Pause arXiv traffic", () => pause(tools), { class: "danger" });
  return h("div", { class: "actions" }, state,
    mayOperate() ? change : h("span", { class: "none" }, "Read-only: this token lacks the operator scope"));
}

async function pause(tools) {
  if (!(await confirmed("Stop all requests of the whole fleet to arXiv?", "Pause arXiv traffic"))) return;
  await tools.act(async () => {
    await send("api/v1/arxiv/pause", { method: "POST" });
    return "arXiv traffic is paused";
  });
}

const resume = (tools) => tools.act(async () => {
  await send("api/v1/arxiv/resume", { method: "POST" });
  return "arXiv traffic is resumed";
});

function channels(found, requests) {
  const counts = new Map(requests.map((one) => [one.channel, one]));
  return table("arXiv channels", found, [
    ["Channel", (one) => [h("b", null, one.channel), ` ${CHANNELS[one.channel] ?? ""}`]],
    ["State", (one) => h("span", { class: CHANNEL[one.state] }, one.state)],
    ["Since", (one) => h("span", { title: clock(one.since) }, ago(one.since, session.now)), "number"],
    ["Answers", (one) => (one.answers ? "yes" : h("span", { class: "bad" }, "no"))],
    ["Next slot", (one) => until(one.next_slot_at, session.now), "number"],
    ["Cooldown ends", (one) => until(one.cooldown_until, session.now), "number"],
    ["Slots", (one) => number(counts.get(one.channel)?.requests), "number"],
    ...REFUSALS.map((status) => [status, (one) => refused(counts.get(one.channel)?.by_status[status] ?? 0), "number"]),
  ], { key: (one) => one.channel });
}

const refused = (count) => h("span", { class: count ? "warn" : "none" }, number(count));

const REQUESTS_KEPT_MS = 60000;
let looks = []; // when the counts of slots were read, and what they were

// Slots given out on a channel in a minute, over the last minute that this page was open.
function requestRates(overview) {
  const at = session.now;
  const counts = new Map(overview.requests.map((one) => [one.channel, one.requests]));
  looks = [...looks.filter((one) => at - one.at < REQUESTS_KEPT_MS && one.at < at), { at, counts }];
  const [first] = looks;
  return (channel) => {
    if (first.at === at || !counts.has(channel)) return null;
    return ((counts.get(channel) - (first.counts.get(channel) ?? 0)) * 60000) / (at - first.at);
  };
}

function throughput({ throughput: { last_minute: minute, last_hour: hour } }, { limits }, perMinute) {
  const rounded = (value) => (value === null ? null : Math.round(value));
  const share = (count, permitted) =>
    (permitted && count !== null ? bar(Math.min(100, Math.round((100 * count) / permitted)), "", "Share of what arXiv permits") : "–");
  const rows = [
    ["API slots (pages)", rounded(perMinute("api")), null, limits.api_requests_per_minute],
    ["Papers stored", minute.papers, hour.papers, null],
    ["PDF slots", rounded(perMinute("pdf")), null, limits.pdfs_per_minute],
    ["PDFs to text", minute.pdfs, hour.pdfs, null],
    ["HTML slots", rounded(perMinute("html")), null, limits.html_requests_per_minute],
  ];
  return table("Throughput by stage", rows, [
    ["Stage", (row) => row[0]],
    ["Last minute", (row) => number(row[1]), "number"],
    ["Last hour", (row) => number(row[2]), "number"],
    ["Mean rate", (row) => (row[2] === null ? "–" : rate(row[2] / 3600)), "number"],
    ["arXiv permits", (row) => (row[3] ? `${number(Math.round(row[3]))}/min` : "–"), "number"],
    ["Used of it", (row) => share(row[1], row[3]), "progress"],
  ], { key: (row) => row[0] });
}

const queue = (kinds, { queue: levels }) =>
  table("Queue by kind of task", kinds, [
    ["Kind", (one) => one.kind],
    ["Queued", (one) => number(one.queued), "number"],
    ["High / normal / low", (one) => {
      const level = levels[one.kind];
      return level ? `${number(level.high)} / ${number(level.normal)} / ${number(level.low)}` : "–";
    }, "number"],
    ["Running", (one) => number(one.running), "number"],
    ["Oldest due", (one) => (one.oldest_due_seconds ? span(one.oldest_due_seconds) : "none due"), "number"],
  ], { key: (one) => one.kind, empty: "The queue is empty" });

const workers = (alive) =>
  table("Workers", alive, [
    ["Host", (one) => one.host, "code"],
    ["Process", (one) => String(one.pid), "number"],
    ["Version", (one) => one.version],
    ["Heartbeat", (one) => ago(one.heartbeat_at, session.now), "number"],
    ["Tasks in hand", (one) => number(one.tasks), "number"],
  ], { key: (one) => `${one.host} ${one.pid} ${one.version}`, empty: "No worker is alive: jobs wait" });

function parts({ overview: { database, processes }, fleet }) {
  const good = (state) => (state === "available" ? "good" : "bad");
  const { pool } = database;
  return [
    tiles(
      ["Storage", fleet.storage, good(fleet.storage)],
      ["Database", fleet.database.replace("_", "-"), good(fleet.database)],
      ["Database size", bytes(database.bytes)],
      ["Pool of this API process", `${number(pool.in_use)} of ${number(pool.size)} in use`],
      ["Waiting for a connection", pool.waiting, pool.waiting ? "warn" : "none"]),
    table("Largest tables", database.tables, [
      ["Table", (one) => one.name, "code"],
      ["Size", (one) => bytes(one.bytes), "number"],
      ["Rows (estimate)", (one) => number(one.rows), "number"],
      ["Dead rows", (one) => number(one.dead_rows), "number"],
      ["Last vacuum", (one) => ago(one.vacuumed_at, session.now), "number"],
    ], { key: (one) => one.name }),
    h("h3", null, "Connections"),
    table("Database connections", processes, [
      ["Process", (one) => one.name.replace(/^arxiv-ingestion /, "")],
      ["Address", (one) => one.address ?? "this machine", "code"],
      ["Connections", (one) => number(one.connections), "number"],
      ["Since", (one) => ago(one.connected_at, session.now), "number"],
      ["Last query", (one) => ago(one.active_at, session.now), "number"],
    ], { key: (one) => `${one.name} ${one.address}`, empty: "No process is connected" }),
  ];
}

const DAYS = 90;

function coverage({ coverage: found, overview: { freshness, audited_sets: audited } }, params) {
  const sets = [...new Set(["", params.get("set") ?? "", ...audited])].map((set) => [set, set || "all of arXiv"]);
  const days = found.days.slice(-DAYS);
  return [
    tiles(
      ["Newest paper stored", ago(freshness.stored_at, session.now)],
      ["Newest day of arXiv held", freshness.datestamp ?? "–"],
      ["Listed", found.days.length ? found.listed : null],
      ["Held", found.days.length ? found.held : null],
      ["Missing", found.days.length ? found.missing : null, found.missing ? "bad" : "none"],
      ["Stale", found.days.length ? found.stale : null, found.stale ? "warn" : "none"],
      ["Checked", ago(found.checked_at, session.now)]),
    h("form", { class: "actions", "data-key": "set", "data-keep": sets.join(), onsubmit: (event) => event.preventDefault() },
      h("label", { for: "set" }, "Set"),
      select({ id: "set", onchange: (event) => go("fleet", { set: event.target.value }) }, sets, params.get("set") ?? "")),
    days.length
      ? bars(`By day, latest ${days.length}`, days.map((day) => ({ ...day, label: day.day, fresh: day.held - day.stale })),
        [["fresh", "held", "good"], ["stale", "stale", "warn"], ["missing", "missing", "bad"]])
      : h("p", { class: "none" }, "Never audited: a job with source audit compares what arXiv lists with what is held"),
  ];
}

function schedules(found, tools) {
  const late = (one) => (one.paused ? 0 : lag(one.next_run_at, session.now));
  const next = (one) => h("span", { title: clock(one.next_run_at) }, until(one.next_run_at, session.now));
  const jobs = (one) => link("jobs", { schedule_id: one.schedule_id, status: "all" });
  const other = (one) => (one.paused ? "Resume" : "Pause");
  return table("Schedules", found ?? [], [
    ["Schedule", (one) => [h("b", null, one.name), h("small", null, describe(one.request))], "wide"],
    ["Cron", (one) => [h("span", { class: "code" }, one.cron), one.timezone === "UTC" ? "" : ` ${one.timezone}`]],
    ["Next run", (one) => (one.paused ? h("span", { class: "warn" }, "paused") : next(one)), "number"],
    ["Lag", (one) => (late(one) ? h("span", { class: "warn" }, span(late(one))) : "none"), "number"],
    ["Last run", (one) => (one.last_job_id
      ? h("a", { href: link("job", { id: one.last_job_id }), title: clock(one.last_run_at) }, ago(one.last_run_at, session.now))
      : "never"), "number"],
    ["Jobs", (one) => h("a", { href: jobs(one), "aria-label": `Jobs of ${one.name}` }, "list")],
    [ACTIONS, (one) => (mayChange(one.created_by) ? h("span", { class: "actions" },
      button("Run now", () => run(one, tools), { "aria-label": `Run ${one.name} now` }),
      button(other(one), () => setPaused(one, tools), { "aria-label": `${other(one)} ${one.name}` })) : "")],
  ], { key: (one) => one.schedule_id, empty: "No schedules" });
}

const run = (schedule, tools) => tools.act(async () => {
  const made = await (await send(`api/v1/schedules/${schedule.schedule_id}/run`, { method: "POST" })).json();
  go("job", { id: made.job_id });
  return `${schedule.name} runs`;
});

const setPaused = (schedule, tools) => tools.act(async () => {
  const body = { paused: !schedule.paused };
  await send(`api/v1/schedules/${schedule.schedule_id}`, { method: "PATCH", body });
  return `${schedule.name} is ${body.paused ? "paused" : "resumed"}`;
});

const failures = (papers) =>
  table("Latest failed papers", papers, [
    ["Paper", (paper) => paperLink(paper.arxiv_id)],
    ["Title", (paper) => paper.title ?? "–", "long"],
    ["Reason", (paper) => h("span", { class: "bad" }, paper.reason ?? "–")],
    ["Error", (paper) => paper.error ?? "–", "long"],
    ["Attempts", (paper) => number(paper.attempts), "number"],
    ["Failed", (paper) => {
      const job = link("job", { id: paper.job_id, state: "failed" });
      return h("a", { href: job }, ago(paper.failed_at, session.now));
    }, "number"],
  ], { key: (paper) => `${paper.job_id} ${paper.arxiv_id}`, empty: "No failed papers" });
