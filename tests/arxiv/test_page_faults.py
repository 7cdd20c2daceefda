"""Pages that come broken or not at all: which is the request's fault, and which an outage."""

import asyncio
import gzip
from datetime import timedelta

import pytest

from service.arxiv.pace import Channel
from service.domain.channels import WaitReason
from service.domain.errors import ChannelClosed, ServerError, UpstreamFaulty
from tests.arxiv.asking import ask, query_of

BROKEN = {
    "408": lambda up, http: http.answer(status=408),
    "204": lambda up, http: http.answer(status=204, length=False),
    "reset in the body": lambda up, http: up.after(
        http.answer(b"<fee", length=99), then=http.reset
    ),
    "not HTTP": lambda up, http: b"SSH-2.0-OpenSSH\r\n\r\n",
    "short body": lambda up, http: http.answer(b"<feed", length=1000),
    "length too small": lambda up, http: http.answer(http.feed(), length=50),
    "chunked without end": lambda up, http: http.answer(
        b"5\r\n<feed\r\n", length=False, Transfer_Encoding="chunked"
    ),
    "bad chunk size": lambda up, http: http.answer(
        b"zz\r\n<feed\r\n0\r\n\r\n", length=False, Transfer_Encoding="chunked"
    ),
    "two lengths": lambda up, http: (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n<feed>"
    ),
    "bad gzip": lambda up, http: http.answer(b"no gzip at all", Content_Encoding="gzip"),
    "gzip cut short": lambda up, http: http.answer(
        gzip.compress(http.feed())[:-9], Content_Encoding="gzip"
    ),
    "unknown encoding": lambda up, http: http.answer(http.feed(), Content_Encoding="br"),
    "9 kB header": lambda up, http: http.answer(http.feed(), X_Long="x" * 9000),
    "200 headers": lambda up, http: http.answer(http.feed(), **{f"X_{n}": n for n in range(200)}),
    "HTML": lambda up, http: http.answer(b"<html><body>please wait</body></html>"),
    "nothing": lambda up, http: http.answer(b""),
}
UNANSWERED = {
    "502": lambda up, http: http.answer(b"<html>", status=502),
    "503 that names no time": lambda up, http: http.answer(status=503),
    "504": lambda up, http: http.answer(status=504),
    "reset": lambda up, http: http.reset,
    "empty reply": lambda up, http: b"",
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_answer_is_a_fault_of_its_request_and_not_tried_again(
    client, upstream, pace, http, fault
):
    upstream.script(BROKEN[fault](upstream, http))

    with pytest.raises(UpstreamFaulty) as caught:
        await ask(client)

    assert caught.value.code == "upstream_faulty"
    assert (len(upstream.asked), pace.failures) == (1, [])


@pytest.mark.parametrize("fault", UNANSWERED)
async def test_no_answer_at_all_is_an_outage_of_the_channel(client, upstream, pace, http, fault):
    upstream.script(UNANSWERED[fault](upstream, http))

    with pytest.raises(ChannelClosed) as caught:
        await ask(client)

    assert caught.value.reason is WaitReason.ARXIV_UNAVAILABLE
    assert [channel for channel, _ in pace.failures] == [Channel.API]
    assert (len(upstream.asked), pace.clearings) == (1, [])


async def test_a_500_of_one_request_is_a_fault_of_that_request(client, upstream, pace, http):
    upstream.script(http.answer(status=500), http.answer(http.feed()))

    with pytest.raises(ServerError):
        await ask(client)

    assert query_of(upstream.asked[1])["id_list"] == "0704.0001"
    assert (pace.turns, pace.failures) == (["api", "api"], [])
    assert pace.clearings == [Channel.API]


@pytest.mark.parametrize("plain", ["500", "503", "reset"])
async def test_a_500_is_an_outage_where_a_plain_request_fails_too(
    client, upstream, pace, http, plain
):
    step = http.reset if plain == "reset" else http.answer(status=int(plain))
    upstream.script(http.answer(status=500), step)

    with pytest.raises(ChannelClosed) as caught:
        await ask(client)

    assert caught.value.reason is WaitReason.ARXIV_UNAVAILABLE
    assert (len(upstream.asked), len(pace.failures)) == (2, 1)


async def test_a_500_while_arxiv_answers_others_needs_no_plain_request(
    client, upstream, pace, http
):
    pace.is_known_to_answer = True
    upstream.script(http.answer(status=500))

    with pytest.raises(ServerError):
        await ask(client)

    assert len(upstream.asked) == 1


@pytest.mark.parametrize("step", ["silence", "dripped head"])
async def test_no_head_within_the_total_deadline_is_no_answer(build_client, upstream, pace, step):
    dripped_head = upstream.after(b"HTTP/1.1 200 OK\r\nX-Drip: ", then=upstream.drip)
    upstream.script(upstream.stall if step == "silence" else dripped_head)
    client = await build_client(api_total=timedelta(milliseconds=200))

    async with asyncio.timeout(10):
        with pytest.raises(ChannelClosed):
            await ask(client)

    assert pace.failures == [(Channel.API, "arXiv did not answer in time")]


@pytest.mark.parametrize("step", ["stalled body", "dripped body"])
async def test_a_body_that_does_not_end_is_left_at_the_total_deadline(
    build_client, upstream, http, step
):
    start = http.answer(b"<feed", length=10_000)
    then = upstream.stall if step == "stalled body" else upstream.drip
    upstream.script(upstream.after(start, then=then))
    client = await build_client(api_total=timedelta(milliseconds=200))

    async with asyncio.timeout(10):
        with pytest.raises(UpstreamFaulty, match="did not answer in time"):
            await ask(client)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/api/query", "could not be connected to"),
        ("http://arxiv.invalid/api/query", "name could not be resolved"),
    ],
)
async def test_an_outage_says_why_there_is_no_answer(build_client, pace, url, reason):
    client = await build_client(api_url=url)

    with pytest.raises(ChannelClosed):
        await ask(client)

    ((_, said),) = pace.failures
    assert reason in said


async def test_the_rank_of_a_request_goes_with_it(client, upstream, pace, http):
    upstream.script(http.answer(http.feed()))

    await ask(client, rank=7)

    assert pace.ranks == [7]


async def test_a_fault_of_the_pace_is_not_taken_for_one_of_arxiv(client, upstream, pace):
    def no_turn(*_, **__):
        raise ConnectionRefusedError("the database is unavailable")

    pace.api_slot = no_turn

    with pytest.raises(ConnectionRefusedError):
        await ask(client)

    assert upstream.asked == []
