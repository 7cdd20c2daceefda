// The operators' page: sign-in, views, refreshes.

import { h, morph } from "./dom.js";
import { viewEvents } from "./events.js";
import * as fleet from "./fleet.js";
import { WAITS, clock } from "./format.js";
import * as job from "./job.js";
import * as jobs from "./jobs.js";
import { here, link } from "./router.js";
import { Offline, Problem, get, mayWrite, session, signIn, signOut } from "./session.js";
import { wrongFields } from "./parts.js";
import * as submit from "./submit.js";

const EVERY_MS = 3000;
const HIDDEN_MS = 30000; // in a tab that nobody looks at
const SAID_MS = 8000;
const AGAIN_MS = 1000; // until a stream that was lost is opened again; doubled each time
const AGAIN_MOST_MS = 30000;
const REFUSED_MS = 30000; // without a stream, where the service has no room for one

// A view: `title(params, data)`, `load(params, signal)` → data, `draw(data, params, tools)` →
// nodes, and where changes come by themselves `live(params, signal, { data, update, refresh, lost })`;
// `every(data)` is the time between two refreshes in ms, if it is not the usual one.
// A view that comes as a stream has `stream(params)`, its path, and `assemble(pieces)` → data;
// it is loaded only while the service refuses streams.
const VIEWS = { jobs, job, submit, fleet };
const NAVIGATION = { jobs: "Jobs", submit: "Submit", fleet: "Fleet" };

const byId = (id) => document.getElementById(id);

let shown = null; // { view, params, data, abort, timer, stream, refusedUntil }

function say(text, isBad = false) {
  byId("said").textContent = text;
  byId("said").className = isBad ? "bad" : "";
  clearTimeout(say.timer);
  if (!isBad) say.timer = setTimeout(() => { byId("said").textContent = ""; }, SAID_MS);
}

const tools = {
  say,
  // Does something, reports how it went, and shows the new state.
  async act(something) {
    try {
      say(await something());
    } catch (error) {
      say(error.message, true);
    }
    await refresh();
  },
};

function navigation(view) {
  const links = Object.entries(NAVIGATION).filter(([name]) => name !== "submit" || mayWrite());
  morph(byId("views"), h("nav", { id: "views", "aria-label": "Views" },
    links.map(([name, label]) => h("a", { "data-key": name, href: link(name), "aria-current": name === view ? "page" : null }, label))));
}

function open() {
  close();
  if (!session.token) return askForToken("Paste a token to sign in");
  const { view, params } = here();
  shown = { name: view, view: VIEWS[view] ?? jobs, params, data: null, abort: new AbortController(), timer: 0 };
  byId("enter").hidden = true;
  byId("content").hidden = byId("leave").hidden = byId("views").hidden = false;
  byId("content").setAttribute("aria-busy", "true");
  heading(shown.view.title(params, null));
  return refresh();
}

function close() {
  if (!shown) return;
  shown.abort.abort();
  clearTimeout(shown.timer);
  shown = null;
}

function heading(text) {
  document.title = `${text} · arXiv ingestion`;
  if (byId("title").textContent !== text) byId("title").textContent = text;
}

// Reads the view's data again and shows it; the old stays, dimmed, while there is none.
async function refresh() {
  const mine = shown;
  if (!mine) return;
  clearTimeout(mine.timer);
  mine.stream?.abort();
  const isStreamed = mine.view.stream && !document.hidden && Date.now() >= (mine.refusedUntil ?? 0);
  await (isStreamed ? watch(mine) : poll(mine));
}

// Opens the view's stream, which goes on by itself; returns when it has begun to tell, or failed to.
function watch(mine) {
  mine.stream = new AbortController();
  const signal = AbortSignal.any([mine.abort.signal, mine.stream.signal]);
  return new Promise((done) => { keepWatching(mine, signal, done).finally(done); });
}

async function keepWatching(mine, signal, done) {
  for (let wait = AGAIN_MS; !signal.aborted; wait = Math.min(2 * wait, AGAIN_MOST_MS)) {
    try {
      await readCaller(signal);
      let pieces = {};
      for await (const told of viewEvents(mine.view.stream(mine.params), signal)) {
        wait = AGAIN_MS;
        if (told.event === "failed") {
          stale(new Error(told.problem.detail));
          continue;
        }
        pieces = { ...pieces, ...told.pieces };
        session.now = Date.parse(told.at);
        show(mine, mine.view.assemble(pieces), readinessWarnings(pieces));
        done();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 429 || error.status === 503) {
        mine.refusedUntil = Date.now() + Math.max(REFUSED_MS, error.retryAfter);
        return poll(mine);
      }
      failed(mine, error);
    }
    done();
    await pauseFor(wait * (0.5 + Math.random() / 2), signal);
  }
}

const pauseFor = (ms, signal) => new Promise((done) => {
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
});

function show(mine, data, warnings) {
  warn(warnings);
  mine.data = data;
  mine.retryAfter = 0;
  byId("content").removeAttribute("aria-busy");
  render(mine);
  fresh();
}

async function poll(mine) {
  try {
    const { signal } = mine.abort;
    await readCaller(signal);
    const [data, warnings] = await Promise.all([mine.view.load(mine.params, signal), readWarnings(signal)]);
    if (mine !== shown) return;
    const isFirst = mine.data === null;
    show(mine, data, warnings);
    if (isFirst) begin(mine);
  } catch (error) {
    if (mine !== shown) return;
    failed(mine, error);
  }
  if (mine !== shown) return;
  clearTimeout(mine.timer);
  mine.timer = setTimeout(refresh, pause(mine));
}

function pause(mine) {
  const usual = document.hidden ? HIDDEN_MS : mine.view.every?.(mine.data) ?? EVERY_MS;
  return Math.max(usual, mine.retryAfter ?? 0);
}

async function readCaller(signal) {
  if (session.caller) return;
  session.caller = (await get("api/v1/ingestion/overview", signal)).caller;
  byId("caller").textContent = `Signed in as ${session.caller.subject}${mayWrite() ? "" : ", read-only"}`;
}

const WARNINGS = {
  ...WAITS,
  no_worker: "No worker is alive: jobs wait",
  database_read_only: "The database accepts no writes",
};

const inWords = ({ code, since }) => `${WARNINGS[code] ?? code}, since ${clock(since)}`;

const readinessWarnings = ({ "readiness.missing": missing, "readiness.warnings": warnings }) =>
  missing.length ? [`Not ready: ${missing.join(", ")}`] : warnings.map(inWords);

// What is out of order, whatever view is shown.
async function readWarnings(signal) {
  try {
    const { warnings } = await get("readyz", signal);
    return warnings.map(inWords);
  } catch (error) {
    if (error instanceof Problem) return [error.message];
    throw error;
  }
}

const warn = (warnings) =>
  morph(byId("warnings"), h("div", { id: "warnings", role: "alert" }, warnings.map((text) => h("p", { "data-key": text }, text))));

function render(mine) {
  navigation(mine.name === "job" ? "jobs" : mine.name);
  heading(mine.view.title(mine.params, mine.data));
  const key = mine.name + mine.params.get("id");
  const drawn = mine.view.draw(mine.data, mine.params, tools);
  const next = h("div", { id: "view", class: mine.name, "data-key": key }, drawn);
  morph(byId("content"), h("div", { id: "content" }, next));
}

// Follows the changes of the view, if it has any.
function begin(mine) {
  mine.view.live?.(mine.params, mine.abort.signal, {
    data: mine.data,
    refresh: () => (mine === shown ? refresh() : null),
    update(change) {
      if (mine !== shown) return;
      mine.data = change(mine.data);
      render(mine);
      fresh();
    },
    lost: (error) => { if (mine === shown && error instanceof Offline) stale(error); },
  });
}

function fresh() {
  delete document.body.dataset.stale;
  byId("as-of").textContent = `As of ${clock(session.now)}`;
  if (byId("state").textContent) say("Connected again");
  byId("state").textContent = "";
}

function stale(error) {
  const text = error instanceof Offline ? `Offline: ${error.message}` : `Not refreshed: ${error.message}`;
  document.body.dataset.stale = "";
  if (byId("state").textContent !== text) byId("state").textContent = text;
}

function failed(mine, error) {
  byId("content").removeAttribute("aria-busy");
  mine.retryAfter = error.retryAfter ?? 0;
  if (mine.data === null && error instanceof Problem) {
    byId("state").textContent = "";
    morph(byId("content"), h("div", { id: "content" },
      h("div", { id: "view", "data-key": "problem" }, h("section", { class: "problem" },
        h("p", { class: "bad" }, error.message),
        wrongFields(error),
        h("p", null, h("a", { href: link("jobs") }, "All active jobs"))))));
    return;
  }
  stale(error);
}

function askForToken(reason) {
  byId("content").hidden = byId("leave").hidden = byId("views").hidden = true;
  byId("content").replaceChildren();
  warn([]);
  byId("enter").hidden = false;
  for (const id of ["caller", "as-of", "state"]) byId(id).textContent = "";
  delete document.body.dataset.stale;
  heading("Sign in");
  say(reason);
  clearTimeout(say.timer);
  byId("token").focus();
}

session.onSignOut = (reason) => {
  close();
  askForToken(reason);
};

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(byId("token").value);
  byId("token").value = "";
  say("");
  open();
});
byId("leave").addEventListener("click", () => signOut("Signed out"));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // what stands behind the # of the URL is the view
  (session.token ? byId("main") : byId("token")).focus();
});
window.addEventListener("hashchange", () => {
  open();
  byId("title").focus();
});
for (const change of ["online", "offline"]) window.addEventListener(change, () => refresh());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
  else shown?.stream?.abort(); // nobody looks: the place is for others
});
open();
