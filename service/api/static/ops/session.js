// The token, which this tab alone keeps, and requests that carry it to this service.

const KEY = "token";
const TIMEOUT_MS = 10000;

// The service answered, with a problem; `fields` are what is wrong with each field of a form.
export class Problem extends Error {
  constructor(status, body, retryAfter = 0) {
    super(body.detail ?? `HTTP ${status}`);
    this.retryAfter = 1000 * retryAfter; // ms
    this.status = status;
    this.code = body.code ?? "";
    this.fields = body.errors ?? {};
  }
}

// No answer came.
export class Offline extends Error {}

export const session = {
  token: sessionStorage.getItem(KEY),
  caller: null, // { subject, may_write, may_operate }, once the service has told
  now: Date.now(), // by the clock of the service, as of its last answer
  onSignOut: () => {},
};

export function signIn(token) {
  session.token = token.trim().replace(/^Bearer\s+/i, "");
  sessionStorage.setItem(KEY, session.token);
}

export function signOut(reason) {
  sessionStorage.removeItem(KEY);
  session.token = session.caller = null;
  session.onSignOut(reason);
}

export const mayWrite = () => session.caller?.may_write === true;
export const mayOperate = () => session.caller?.may_operate === true;
// A change to what `owner` has made.
export const mayChange = (owner) => mayWrite() && (mayOperate() || owner === session.caller.subject);

// The response of the service; raises Offline or Problem. `path` is relative to the page.
export async function send(path, { method = "GET", body, headers = {}, signal, timeout = TIMEOUT_MS } = {}) {
  const signals = [...(signal ? [signal] : []), ...(timeout ? [AbortSignal.timeout(timeout)] : [])];
  const options = {
    method,
    headers: { Authorization: `Bearer ${session.token}`, ...headers },
    signal: AbortSignal.any(signals),
    cache: "no-store",
  };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, options).catch((error) => {
    if (signal?.aborted) throw error;
    throw new Offline(error.name === "TimeoutError" ? "no answer in time" : "no connection");
  });
  await refuse(response);
  const date = Date.parse(response.headers.get("Date"));
  if (date) session.now = date;
  return response;
}

async function refuse(response) {
  if (response.ok) return;
  const body = await response.json().catch(() => ({}));
  if (response.status === 401) signOut("The token is invalid or has expired");
  throw new Problem(response.status, body, Number(response.headers.get("Retry-After")) || 0);
}

export const get = async (path, signal) => (await send(path, { signal })).json();

// A page of a list, and the query of the one that follows, if there is one.
export async function getPage(path, signal) {
  const response = await send(path, { signal });
  const next = /<[^>]*\?([^>]*)>;\s*rel="next"/.exec(response.headers.get("Link") ?? "");
  return { rows: await response.json(), next: next ? new URLSearchParams(next[1]) : null };
}

// The status object of a job with its `details`, which are there while it is pending, too.
export async function getJob(id, signal) {
  const [job] = await get(`api/v1/ingestion/jobs?${query({ id, details: "true" })}`, signal);
  if (!job) throw new Problem(404, { detail: "Job not found" });
  return job;
}

// All rows of a list, up to so many pages; null where the service says that there is none.
export const findAll = (path, signal, most = 5) =>
  unlessAbsent(path, async () => {
    const rows = [];
    let cursor = "";
    for (let pages = 0; pages < most && cursor !== null; pages += 1) {
      const page = await getPage(path + (cursor && `&cursor=${cursor}`), signal);
      rows.push(...page.rows);
      cursor = page.next?.get("cursor") ?? null;
    }
    return rows;
  });

// What there is at `path`; null where the service says that there is no such thing.
export const find = (path, signal) => unlessAbsent(path, () => get(path, signal));

const absent = new Set(); // paths that need not be asked for again until the page is loaded anew

async function unlessAbsent(path, ask) {
  const [resource] = path.split("?");
  if (absent.has(resource)) return null;
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
    absent.add(resource);
    return null;
  }
}

export const query = (values) => {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") found.append(name, one);
  }
  return found.toString();
};
