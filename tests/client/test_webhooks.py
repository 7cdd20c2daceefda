"""Webhooks by the client: subscriptions, deliveries, and messages verified or refused."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from arxiv_ingestion_client import IngestionClient, WebhookRefused, verify_webhook
from standardwebhooks import Webhook

from service.domain.webhooks import WebhookSettings, new_secret
from tests.api.conftest import GOOD_BODY, token

SECRET, OTHER = new_secret(), new_secret()
BODY = json.dumps({"type": "job.completed", "timestamp": "x", "data": {}}).encode()


def signed(secret=SECRET, *, body=BODY, age=timedelta(0)):
    sent = datetime.now(UTC) - age
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(sent.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", sent, body.decode()),
    }


@pytest.mark.parametrize("secrets", [(SECRET,), (OTHER, SECRET)], ids=["one", "several"])
def test_a_signed_message_is_read(secrets):
    assert verify_webhook(secrets, signed(), BODY) == json.loads(BODY)
    assert verify_webhook(SECRET, signed(), BODY) == json.loads(BODY)


REFUSED = {
    "another secret": lambda: (signed(OTHER), BODY),
    "another body": lambda: (signed(), BODY + b" "),
    "too old": lambda: (signed(age=timedelta(minutes=6)), BODY),
    "too new": lambda: (signed(age=timedelta(minutes=-6)), BODY),
    "no headers": lambda: ({}, BODY),
    "another id": lambda: ({**signed(), "Webhook-Id": "msg_2"}, BODY),
    "garbage": lambda: ({**signed(), "Webhook-Signature": "garbage"}, BODY),
    "no base64": lambda: ({**signed(), "Webhook-Signature": "v1,%%%"}, BODY),
    "no moment": lambda: ({**signed(), "Webhook-Timestamp": "yesterday"}, BODY),
    "no text": lambda: (signed(), b"\xff\xfe"),
    "no object": lambda: (signed(body=b"[]"), b"[]"),
    "no JSON": lambda: (signed(body=b"no json"), b"no json"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_any_other_is_refused(case):
    headers, body = REFUSED[case]()

    with pytest.raises(WebhookRefused):
        verify_webhook(SECRET, headers, body)


async def test_subscriptions_and_deliveries(serve):
    service = await serve(webhooks=WebhookSettings(secrets=(SECRET,)))
    async with IngestionClient(str(service.make_url("/")), token()) as client:
        made = await client.add_webhook("https://hooks.example.org/", labels={"team": "search"})
        assert made.pop("secret").startswith("whsec_")
        assert await client.webhooks() == [made]
        changed = await client.change_webhook(made["webhook_id"], paused=True)
        assert changed == await client.webhook(made["webhook_id"])
        job = await client.submit({**GOOD_BODY, "callback_url": "https://hooks.example.org/"})
        await client.cancel(job.job_id)
        (delivery,) = [one async for one in client.deliveries(job_id=job.job_id)]
        again = await client.resend(delivery["delivery_id"])
        assert (again["attempt"], again["webhook_id"]) == (2, delivery["webhook_id"])
        assert "removed" in await client.remove_webhook(made["webhook_id"])
        assert await client.webhooks() == []
