// Server-Sent Events, read by fetch: EventSource cannot send a token.

import { Offline, Problem, send } from "./session.js";

const AGAIN_MS = 2000;
const SILENCE_MS = 60000; // the service sends a ping every 15 s
const VIEW_SILENCE_MS = 20000; // and says every 5 s that a view is as it was

// The events of a view until its stream ends, each `{ event, at, pieces, problem }`;
// raises Offline when it breaks off, and Problem.
export async function* viewEvents(path, signal) {
  try {
    const response = await send(path, { signal, timeout: 0 });
    for await (const { event, data } of events(response.body, VIEW_SILENCE_MS)) {
      yield { event, ...JSON.parse(data) };
    }
  } catch (error) {
    if (signal.aborted || error instanceof Problem || error instanceof Offline) throw error;
    throw new Offline("the connection was lost");
  }
}

// Calls `onStatus` with each status object until the job has ended or `signal` is aborted;
// reconnects behind the last event seen. `onLoss` is told why a stream ended early.
export async function follow(jobId, { signal, onStatus, onLoss }) {
  let seen = null;
  while (!signal.aborted) {
    try {
      const headers = seen === null ? {} : { "Last-Event-ID": seen };
      const response = await send(`api/v1/ingestion/job/${jobId}/events`, { signal, headers, timeout: 0 });
      if (response.status === 204) return;
      for await (const event of events(response.body)) {
        seen = event.id ?? seen;
        onStatus(JSON.parse(event.data));
        if (event.event === "end") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      onLoss(error);
      if (error.status === 401 || error.status === 404) return;
    }
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

async function* events(body, silence = SILENCE_MS) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await timely(reader.read(), silence);
      if (done) return;
      const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
      text = blocks.pop();
      yield* blocks.map(parsed).filter(({ data }) => data);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function timely(promise, most) {
  let timer;
  const silence = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error("the stream is silent")), most);
  });
  return Promise.race([promise, silence]).finally(() => clearTimeout(timer));
}

function parsed(block) {
  const fields = block.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line)).filter(Boolean);
  return Object.fromEntries(fields.map(([, name, value]) => [name, value]));
}
