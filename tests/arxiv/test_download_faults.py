"""PDFs that do not come whole, or not in time: an error says so, and nothing is tried again."""

import asyncio
from datetime import timedelta

import pytest

from service.arxiv.pace import Channel
from service.arxiv.pdf_response import Forbidden
from service.domain.errors import RateLimited, Unavailable, UpstreamFaulty, UpstreamRejected
from tests.arxiv.asking import PAPER, PDF, fetch


@pytest.mark.parametrize("status", [404, 410])
async def test_no_such_pdf_is_unavailable(client, upstream, pace, http, status):
    upstream.script(http.answer(b"<html>", status=status))

    with pytest.raises(Unavailable):
        await fetch(client)

    assert (len(upstream.asked), pace.silences) == (1, [])


@pytest.mark.parametrize(
    ("status", "headers", "wish"),
    [
        (429, {}, None),
        (429, {"Retry_After": 7}, timedelta(seconds=7)),
        (503, {"Retry_After": 7}, timedelta(seconds=7)),
        (503, {"Retry_After": "banana"}, None),
    ],
)
async def test_throttling_silences_the_lane(client, upstream, pace, http, status, headers, wish):
    upstream.script(http.answer(status=status, **headers))

    with pytest.raises(RateLimited) as caught:
        await fetch(client)

    assert pace.silences == [(Channel.PDF, wish)]
    assert caught.value.delay == (wish or pace.own_backoff)


async def test_a_block_silences_the_lane_and_can_pass(client, upstream, pace, http):
    upstream.script(http.answer(status=403))

    with pytest.raises(Forbidden) as caught:
        await fetch(client)

    assert pace.silences == [(Channel.PDF, None)]
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize("status", [400, 401, 451])
async def test_any_other_4xx_is_a_refusal(client, upstream, http, status):
    upstream.script(http.answer(status=status))

    with pytest.raises(UpstreamRejected):
        await fetch(client)


BROKEN = {
    "500": lambda up, http: http.answer(status=500),
    "503": lambda up, http: http.answer(status=503),
    "416": lambda up, http: http.answer(status=416),
    "204": lambda up, http: http.answer(status=204, length=False),
    "reset": lambda up, http: http.reset,
    "empty reply": lambda up, http: b"",
    "reset in the body": lambda up, http: up.after(http.answer(PDF, length=10**7), then=http.reset),
    "short body": lambda up, http: http.answer(PDF, length=len(PDF) + 1),
    "chunked without end": lambda up, http: http.answer(
        http.chunked(PDF), length=False, Transfer_Encoding="chunked"
    ),
    "bad chunk size": lambda up, http: http.answer(
        http.chunked(PDF) + b"zz\r\n", length=False, Transfer_Encoding="chunked"
    ),
    "two lengths": lambda up, http: (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n%PDF-1"
    ),
    "packed": lambda up, http: http.answer(PDF, Content_Encoding="gzip"),
    "9 kB header": lambda up, http: http.answer(PDF, X_Long="x" * 9000),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_transfer_is_a_fault_and_not_tried_again(
    client, upstream, pace, http, fault
):
    upstream.script(BROKEN[fault](upstream, http), http.answer(PDF))

    with pytest.raises(UpstreamFaulty):
        await fetch(client)

    assert len(upstream.asked) == 1
    assert pace.clearings == []


@pytest.mark.parametrize("step", ["silence", "stalled body", "dripped body"])
async def test_every_transfer_ends_at_its_total_deadline(build_client, upstream, http, step):
    start = http.answer(PDF[:10], length=10**6)
    steps = {
        "silence": upstream.stall,
        "stalled body": upstream.after(start, then=upstream.stall),
        "dripped body": upstream.after(start, then=upstream.drip),
    }
    upstream.script(steps[step])
    client = await build_client(pdf_total=timedelta(milliseconds=200))

    async with asyncio.timeout(4):
        with pytest.raises(UpstreamFaulty, match="in time"):
            await fetch(client)


async def test_a_reader_that_dawdles_past_the_deadline_is_told_so(build_client, upstream, http):
    upstream.script(http.answer(PDF))
    client = await build_client(pdf_total=timedelta(milliseconds=50))

    async def dawdle():
        passed = asyncio.Event()
        async with client.open_pdf(PAPER) as stream:
            asyncio.get_running_loop().call_later(0.06, passed.set)
            async for _ in stream.chunks():
                await passed.wait()

    with pytest.raises(UpstreamFaulty, match="in time"):
        await dawdle()


async def test_framing_that_breaks_midway_is_noticed_before_the_total_deadline(
    build_client, upstream, http
):
    body = http.chunked(PDF) + b"zz\r\n"
    upstream.script(http.answer(body, length=False, Transfer_Encoding="chunked"))
    client = await build_client(
        pdf_total=timedelta(seconds=60), sock_read=timedelta(milliseconds=100)
    )

    async with asyncio.timeout(5):
        with pytest.raises(UpstreamFaulty):
            await fetch(client)
