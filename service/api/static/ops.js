// The operators' page. What comes from the service is only ever set as text.
"use strict";

const SOURCE = "api/v1/ingestion/overview";
const EVERY_MS = 3000;
const TIMEOUT_MS = 10000;
const KEY = "token";
const byId = (id) => document.getElementById(id);

let timer = 0;

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const number = (value) => (value === null ? "–" : value.toLocaleString("en"));
const rate = (value) => (value === null ? "–" : `${value.toFixed(value < 1 ? 2 : 1)}/s`);

function span(seconds) {
  if (seconds === null) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  if (whole < 172800) return `${Math.round(whole / 3600)} h`;
  return `${Math.round(whole / 86400)} d`;
}

// By the database clock, as all times on the page.
const ago = (moment, now) => (moment === null ? "–" : `${span((now - Date.parse(moment)) / 1000)} ago`);

const STATUS = { running: "now", completed: "good", failed: "bad", cancelled: "none", pending: "warn" };

const CHANNEL = { available: "good", unavailable: "bad", cooldown: "warn", paused: "warn" };

function progressOf(job) {
  const cell = element("td", undefined, "unbroken");
  if (job.percent === null) return element("td", "unknown", "none");
  const bar = element("progress", undefined, job.status);
  bar.max = 100;
  bar.value = job.percent;
  cell.append(bar, `${job.percent} %`);
  return cell;
}

// A column: heading, what it shows of a row (text or a cell), class of the cell.
function fill(id, rows, columns, empty) {
  const head = element("tr");
  for (const [title, , kind] of columns) head.append(element("th", title, kind === "number" ? kind : ""));
  const lines = rows.map((row) => {
    const line = element("tr");
    for (const [, show, kind] of columns) {
      const shown = show(row);
      line.append(shown instanceof Node ? shown : element("td", shown, kind));
    }
    return line;
  });
  if (!lines.length) {
    const cell = element("td", empty, "none");
    cell.colSpan = columns.length;
    const line = element("tr");
    line.append(cell);
    lines.push(line);
  }
  byId(id).replaceChildren(head, ...lines);
}

function showTotals(data) {
  const tiles = [
    ...["running", "pending", "completed", "failed", "cancelled"].map((name) => [
      `jobs ${name}`, data.jobs_by_status[name] || 0, name === "failed" ? "bad" : STATUS[name]]),
    ["papers", Object.values(data.papers_by_pdf_state).reduce((sum, one) => sum + one, 0), ""],
    ["with text", data.papers_by_pdf_state.processed || 0, ""],
    ["tasks waiting", data.tasks.filter((one) => one.status === "queued")
      .reduce((sum, one) => sum + one.tasks, 0), ""],
    ["workers", data.workers.length, ""],
    ["stalls", data.stalls, "bad"],
  ];
  byId("totals").replaceChildren(...tiles.map(([name, count, kind]) => {
    const tile = element("div", undefined, "tile");
    tile.append(element("b", number(count), count ? kind : "none"), element("span", name));
    return tile;
  }));
}

function show(data) {
  const now = Date.parse(data.at);
  showTotals(data);
  fill("jobs", data.jobs, [
    ["Status", (job) => element("td", job.status, STATUS[job.status])],
    ["Progress", progressOf],
    ["Papers", (job) => `${number(job.papers_fetched)} of ${number(job.papers_total)}`, "number"],
    ["Pending PDFs", (job) => number(job.pdfs_pending), "number"],
    ["Rate", (job) => rate(job.papers_per_second), "number"],
    ["ETA", (job) => span(job.eta_seconds), "number"],
    ["Errors", (job) => element("td", number(job.errors_total), job.errors_total ? "number bad" : "number none")],
    ["Last activity", (job) => ago(job.seen_at, now), "number"],
    ["Requested by", (job) => job.requested_by ?? "–"],
    ["Job", (job) => job.job_id, "code"],
  ], "No jobs");
  fill("tasks", data.tasks, [
    ["Kind", (task) => task.kind],
    ["Status", (task) => (task.status === "picked" ? "running" : task.status)],
    ["Tasks", (task) => number(task.tasks), "number"],
    ["Oldest", (task) => ago(task.oldest_at, now), "number"],
    ["Heartbeat", (task) => (task.status === "picked" ? ago(task.heartbeat_at, now) : "–"), "number"],
  ], "The queue is empty");
  fill("channels", data.channels, [
    ["Channel", (channel) => channel.channel],
    ["State", (channel) => element("td", channel.state, CHANNEL[channel.state])],
    ["Since", (channel) => ago(channel.since, now), "number"],
    ["Cooldown ends", (channel) => (channel.cooldown_until === null
      ? "–" : `in ${span((Date.parse(channel.cooldown_until) - now) / 1000)}`), "number"],
  ], "");
  fill("workers", data.workers, [
    ["Host", (worker) => worker.host, "code"],
    ["Process", (worker) => String(worker.pid), "number"],
    ["Version", (worker) => worker.version],
    ["Tasks", (worker) => number(worker.tasks), "number"],
    ["Heartbeat", (worker) => ago(worker.heartbeat_at, now), "number"],
  ], "No worker is alive: jobs wait");
  fill("processes", data.processes, [
    ["Process", (one) => one.name.replace(/^arxiv-ingestion /, "")],
    ["Address", (one) => one.address ?? "this machine", "code"],
    ["Connections", (one) => number(one.connections), "number"],
    ["Since", (one) => ago(one.connected_at, now), "number"],
    ["Last query", (one) => ago(one.active_at, now), "number"],
  ], "No process is connected");
  fill("failing", data.failing, [
    ["Paper", (paper) => paper.arxiv_id, "code"],
    ["Title", (paper) => paper.title ?? "–", "long"],
    ["Reason", (paper) => paper.reason ?? "–", "bad"],
    ["Error", (paper) => paper.error ?? "–", "long"],
    ["Attempts", (paper) => number(paper.attempts), "number"],
    ["Failed", (paper) => ago(paper.failed_at, now), "number"],
  ], "None");
}

function tell(text, isBad) {
  byId("told").textContent = text;
  byId("told").className = isBad ? "bad" : "";
}

function leave(reason) {
  sessionStorage.removeItem(KEY);
  clearTimeout(timer);
  byId("board").hidden = byId("leave").hidden = true;
  byId("enter").hidden = false;
  tell(reason, false);
}

async function refresh() {
  clearTimeout(timer);
  const token = sessionStorage.getItem(KEY);
  if (!token) return leave("Paste a token to sign in");
  try {
    const response = await fetch(SOURCE, {
      headers: { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 401) return leave("The token is invalid or has expired");
    if (!response.ok) throw new Error((await response.json()).detail);
    const data = await response.json();
    show(data);
    byId("enter").hidden = true;
    byId("board").hidden = byId("leave").hidden = false;
    tell(`As of ${data.at.slice(0, 19).replace("T", " ")} UTC`, false);
  } catch (error) {
    tell(`Refresh failed: ${error.message}`, true);
  }
  if (sessionStorage.getItem(KEY)) timer = setTimeout(refresh, document.hidden ? 10 * EVERY_MS : EVERY_MS);
}

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, byId("token").value.trim());
  byId("token").value = "";
  refresh();
});
byId("leave").addEventListener("click", () => leave("Signed out"));
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
refresh();
