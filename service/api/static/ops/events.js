// A job's changes as Server-Sent Events, read by fetch: EventSource cannot send a token.

import { send } from "./session.js";

const AGAIN_MS = 2000;
const SILENCE_MS = 60000; // the service sends a ping every 15 s

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
        if (event.data) onStatus(JSON.parse(event.data));
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

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await timely(reader.read());
      if (done) return;
      const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
      text = blocks.pop();
      yield* blocks.map(parsed);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function timely(promise) {
  let timer;
  const silence = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error("the stream is silent")), SILENCE_MS);
  });
  return Promise.race([promise, silence]).finally(() => clearTimeout(timer));
}

function parsed(block) {
  const fields = block.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line)).filter(Boolean);
  return Object.fromEntries(fields.map(([, name, value]) => [name, value]));
}
