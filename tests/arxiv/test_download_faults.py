"""PDFs that do not come whole, or not in time: an error says so, and nothing is tried again."""

import asyncio
from datetime import timedelta

import pytest

from service.arxiv.pace import Channel
from service.domain.errors import (
    ChannelClosed,
    ForbiddenPdf,
    ServerError,
    Unavailable,
    UpstreamFaulty,
    UpstreamRejected,
)
from tests.arxiv.asking import PAPER, PDF, fetch


@pytest.mark.parametrize("status", [404, 410])
async def test_no_such_pdf_is_unavailable(client, upstream, pace, http, status):
    upstream.script(http.answer(b"<html>", status=status))

    with pytest.raises(Unavailable):
        await fetch(client)

    assert (len(upstream.asked), pace.cooldowns) == (1, [])


@pytest.mark.parametrize(
    ("status", "headers", "wish"),
    [
        (429, {}, None),
        (429, {"Retry_After": 7}, timedelta(seconds=7)),
        (503, {"Retry_After": 7}, timedelta(seconds=7)),
        (503, {"Retry_After": "banana"}, None),
    ],
)
async def test_throttling_cools_the_channel_down(
    client, upstream, pace, http, status, headers, wish
):
    upstream.script(http.answer(status=status, **headers))

    with pytest.raises(ChannelClosed) as caught:
        await fetch(client)

    assert pace.cooldowns == [(Channel.PDF, wish)]
    assert caught.value.delay == (wish or pace.own_backoff)


async def test_a_block_is_one_where_another_pdf_is_forbidden_too(client, upstream, pace, http):
    upstream.script(http.answer(status=403))

    with pytest.raises(ChannelClosed) as caught:
        await fetch(client)

    assert caught.value.is_block
    assert (len(upstream.asked), pace.blocks) == (2, [(Channel.PDF, None)])


@pytest.mark.parametrize("other", [200, 404])
async def test_a_pdf_that_alone_is_forbidden_is_not_public(client, upstream, pace, http, other):
    upstream.script(http.answer(status=403), http.answer(PDF, status=other))

    with pytest.raises(ForbiddenPdf) as caught:
        await fetch(client)

    assert caught.value.code == "forbidden"
    assert upstream.asked[1].target == "/pdf/0704.0001v1"
    assert (pace.blocks, pace.failures) == ([], [])


async def test_a_500_of_one_pdf_is_a_fault_of_that_pdf(client, upstream, pace, http):
    upstream.script(http.answer(status=500), http.answer(PDF))

    with pytest.raises(ServerError):
        await fetch(client)

    assert (pace.turns, pace.failures) == (["pdf", "pdf"], [])


async def test_a_500_of_all_pdfs_is_an_outage(client, upstream, pace, http):
    upstream.script(http.answer(status=500))

    with pytest.raises(ChannelClosed):
        await fetch(client)

    assert pace.failures == [(Channel.PDF, "arXiv answered with HTTP 500")]


@pytest.mark.parametrize("fault", ["502", "503", "504", "reset", "empty reply"])
async def test_no_answer_is_an_outage_of_the_channel(client, upstream, pace, http, fault):
    steps = {"reset": http.reset, "empty reply": b""}
    upstream.script(steps[fault] if fault in steps else http.answer(status=int(fault)))

    with pytest.raises(ChannelClosed):
        await fetch(client)

    assert ([channel for channel, _ in pace.failures], pace.clearings) == ([Channel.PDF], [])


@pytest.mark.parametrize("status", [400, 401, 451])
async def test_any_other_4xx_is_a_refusal(client, upstream, http, status):
    upstream.script(http.answer(status=status))

    with pytest.raises(UpstreamRejected):
        await fetch(client)


BROKEN = {
    "416": lambda up, http: http.answer(status=416),
    "204": lambda up, http: http.answer(status=204, length=False),
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
    assert pace.failures == []


async def test_silence_is_no_answer(build_client, upstream, pace):
    upstream.script(upstream.stall)
    client = await build_client(pdf_total=timedelta(milliseconds=200))

    async with asyncio.timeout(10):
        with pytest.raises(ChannelClosed):
            await fetch(client)

    assert pace.failures == [(Channel.PDF, "arXiv did not answer in time")]


@pytest.mark.parametrize("step", ["stalled body", "dripped body"])
async def test_every_transfer_ends_at_its_total_deadline(build_client, upstream, http, step):
    start = http.answer(PDF[:10], length=10**6)
    steps = {
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
