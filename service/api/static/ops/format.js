// Numbers, times and requests in words.

const DAY = 86400;

export const number = (value) => (value ?? null) === null ? "–" : value.toLocaleString("en");

export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export function rate(perSecond) {
  if ((perSecond ?? null) === null) return "–";
  if (perSecond === 0) return "0/s";
  if (perSecond < 0.1) return `${(perSecond * 60).toFixed(1)}/min`;
  return `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`;
}

export function span(seconds) {
  if ((seconds ?? null) === null) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.round(whole / 60)} min`;
  if (whole < 2 * DAY) return `${Math.round(whole / 3600)} h`;
  return `${Math.round(whole / DAY)} d`;
}

const seconds = (moment, now) => (now - Date.parse(moment)) / 1000;

export const ago = (moment, now) => (moment ? `${span(seconds(moment, now))} ago` : "–");

// A moment of the future; one that has passed is due.
export function until(moment, now) {
  if (!moment) return "–";
  const left = -seconds(moment, now);
  return left > 0 ? `in ${span(left)}` : "now";
}

// Seconds since a moment that has passed, else 0.
export const lag = (moment, now) => (moment ? Math.max(0, seconds(moment, now)) : 0);

export const clock = (moment) => (moment ? `${new Date(moment).toISOString().slice(0, 19).replace("T", " ")} UTC` : "–");

export function bytes(count) {
  if ((count ?? null) === null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(count, 1)) / 3));
  return `${(count / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

export const duration = (from, to) => (from && to ? span((Date.parse(to) - Date.parse(from)) / 1000) : "–");

// 20240101 and 2024-01-01 as 2024-01-01; moving dates ("last_success") as they are.
export const day = (text) => String(text).replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3").replace("_", " ");

function range(one) {
  if (one.from_date && one.to_date) return [`${day(one.from_date)} to ${day(one.to_date)}`];
  if (one.from_date) return [`since ${day(one.from_date)}`];
  return one.to_date ? [`until ${day(one.to_date)}`] : [];
}

const QUOTED = { query: "", title: "title ", abstract: "abstract " };

function search(one) {
  const what = [
    ...(one.category ? [one.category] : []),
    ...(one.author ? [`by ${one.author}`] : []),
    ...Object.entries(QUOTED).filter(([name]) => one[name]).map(([name, word]) => `${word}“${one[name]}”`),
    ...(one.ids?.length ? [one.ids.length === 1 ? `paper ${one.ids[0]}` : `${number(one.ids.length)} papers by id`] : []),
    ...range(one),
  ];
  const words = what.join(" ") || "by an empty search";
  return /^(by|since|until|\d{4}-)/.test(words) ? `Papers ${words}` : words;
}

const SOURCES = {
  search: (request) => search(request.search_query ?? {}),
  oai: ({ oai = {} }) => ["OAI-PMH", oai?.set ?? "all of arXiv", ...range(oai ?? {})].join(" "),
  snapshot: ({ snapshot }) => `Snapshot ${snapshot?.file ?? ""}`,
  audit: ({ audit = {} }) =>
    ["Audit of", audit?.set ?? "all of arXiv", ...range(audit ?? {}), ...(audit?.heal ? ["with healing"] : [])].join(" "),
  documents: ({ documents }) =>
    documents?.ids ? `Documents of ${counted(documents.ids.length, "paper")}` : "All outdated documents",
};

function wanted(request) {
  if (request.source === "audit" || request.source === "documents") return "";
  const amount = request.max_papers ? `${counted(request.max_papers, "paper")} ` : "all papers ";
  const files = [...(request.process_pdfs ? ["PDFs"] : []), ...(request.process_html ? ["HTML"] : [])];
  return `, ${request.search_query?.ids ? "" : amount}${files.length ? `with ${files.join(" and ")}` : "without PDFs"}`;
}

// What a request asks for: "cs.AI since 2024-01-01, 500 papers with PDFs".
export function describe(request) {
  if (!request || !Object.keys(request).length) return "Job without a request";
  const words = SOURCES[request.source ?? "search"];
  return words ? words(request) + wanted(request) : `Source ${request.source}`;
}

// Progress of a job in percent; null when its total is unknown.
export function percent(job) {
  if (job.status === "completed") return 100;
  const { papers_total: total, pdfs_pending: pending = 0 } = job.stats;
  if (!total) return null;
  const done = Math.max(0, job.progress.papers_fetched - pending);
  return Math.min(100, Math.round((1000 * done) / total) / 10);
}

// Papers that nothing more is to be done for, per second since the start.
export function speed(job) {
  const elapsed = job.stats.elapsed_seconds;
  if (!elapsed) return null;
  return Math.max(0, job.progress.papers_fetched - (job.stats.pdfs_pending ?? 0)) / elapsed;
}

export const WAITS = {
  arxiv_unavailable: "arXiv is unavailable",
  arxiv_cooldown: "arXiv cooldown",
  arxiv_paused: "arXiv traffic is paused",
  storage_unavailable: "storage is unavailable",
};
