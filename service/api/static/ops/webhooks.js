// Subscriptions to callbacks, and attempts to deliver them.

import { h } from "./dom.js";
import { ago, clock, number, until } from "./format.js";
import { labels } from "./jobs.js";
import { ACTIONS, button, table } from "./parts.js";
import { link } from "./router.js";
import { mayWrite, send, session } from "./session.js";

const STATUS = { delivered: "good", failed: "bad", pending: "warn" };

export const webhooksTable = (webhooks) =>
  table("Webhook subscriptions", webhooks, [
    ["URL", (one) => one.url, "long"],
    ["Events", (one) => one.events.join(", ")],
    ["Labels", (one) => labels(one.labels)],
    ["State", (one) => (one.disabled_at
      ? h("span", { class: "bad" }, `disabled ${ago(one.disabled_at, session.now)}: ${one.disabled_reason ?? "–"}`)
      : one.paused ? h("span", { class: "warn" }, "paused") : h("span", { class: "good" }, "active"))],
    ["Created by", (one) => one.created_by ?? "–"],
  ], { key: (one) => one.webhook_id, empty: "No subscriptions" });

export const deliveriesTable = (deliveries, tools) =>
  table("Callback deliveries", deliveries, [
    ["When", (one) => clock(one.ended_at ?? one.created_at), "unbroken"],
    ["Event", (one) => h("a", { href: link("job", { id: one.job_id }) }, one.event)],
    ["URL", (one) => one.url, "long"],
    ["Attempt", (one) => number(one.attempt), "number"],
    ["Status", (one) => h("span", { class: STATUS[one.status] }, one.status)],
    ["Answer", (one) => (one.http_status ? `HTTP ${one.http_status}` : one.error ?? "–")],
    ["Next attempt", (one) => until(one.next_attempt_at, session.now), "number"],
    [ACTIONS, (one) => (one.status !== "pending" && mayWrite()
      ? button("Send again", () => resend(one, tools), { "aria-label": `Send ${one.event} to ${one.url} again` }) : "")],
  ], { key: (one) => one.delivery_id, empty: "No deliveries" });

const resend = (delivery, tools) => tools.act(async () => {
  await send(`api/v1/webhooks/deliveries/${delivery.delivery_id}/resend`, { method: "POST" });
  return "Queued once more";
});
