"""Pages that come broken or not at all: tried again, in turns of their own, up to a limit."""

import asyncio
import gzip
import itertools
from datetime import timedelta

import pytest

from service.arxiv.pace import Channel
from service.domain.errors import Outage, UpstreamUnavailable
from tests.arxiv.asking import ask

BROKEN = {
    "408": lambda up, http: http.answer(status=408),
    "500": lambda up, http: http.answer(status=500),
    "502": lambda up, http: http.answer(b"<html>", status=502),
    "503 that names no time": lambda up, http: http.answer(status=503),
    "504": lambda up, http: http.answer(status=504),
    "204": lambda up, http: http.answer(status=204, length=False),
    "reset": lambda up, http: http.reset,
    "reset in the body": lambda up, http: up.after(
        http.answer(b"<fee", length=99), then=http.reset
    ),
    "empty reply": lambda up, http: b"",
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


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_answer_is_asked_for_again_in_a_turn_of_its_own(
    client, upstream, pace, http, fault
):
    upstream.script(BROKEN[fault](upstream, http), http.answer(http.feed(http.entry())))

    page = await ask(client)

    assert len(page.papers) == 1
    assert len(upstream.asked) == 2
    assert pace.turns == ["api", "api"]
    assert pace.clearings == [Channel.API]


@pytest.mark.parametrize("fault", BROKEN)
async def test_arxiv_that_stays_broken_is_unavailable_after_the_budget(
    client, upstream, pace, http, fault
):
    upstream.script(BROKEN[fault](upstream, http))

    with pytest.raises(UpstreamUnavailable) as caught:
        await ask(client)

    assert caught.value.attempts == 5
    assert caught.value.code == "upstream_unavailable"
    assert len(upstream.asked) == len(pace.turns) == 5
    assert pace.clearings == []


async def test_arxiv_that_is_away_for_everybody_costs_no_further_try(client, upstream, pace, http):
    upstream.script(http.answer(status=502))
    pace.outage = timedelta(seconds=7)

    with pytest.raises(Outage) as caught:
        await ask(client)

    assert caught.value.delay == timedelta(seconds=7)
    assert pace.failures == [(Channel.API, "a job")]
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("fault", ["nothing", "HTML", "bad gzip"])
async def test_nonsense_does_not_count_as_away(client, upstream, pace, http, fault):
    upstream.script(BROKEN[fault](upstream, http), http.answer(http.feed(http.entry())))

    await ask(client)

    assert pace.failures == []


async def test_silence_stalls_and_drips_end_at_the_total_deadline(build_client, upstream, http):
    stalled_body = upstream.after(http.answer(b"<feed", length=10_000), then=upstream.stall)
    dripped_body = upstream.after(http.answer(b"<feed", length=10_000), then=upstream.drip)
    dripped_head = upstream.after(b"HTTP/1.1 200 OK\r\nX-Drip: ", then=upstream.drip)
    upstream.script(upstream.stall, stalled_body, dripped_body, dripped_head)
    client = await build_client(api_total=timedelta(milliseconds=200), attempts=4)

    async with asyncio.timeout(4):
        with pytest.raises(UpstreamUnavailable, match="did not answer in time"):
            await ask(client)

    assert len(upstream.asked) == 4


async def test_a_server_that_is_not_there_is_unavailable(build_client, pace):
    client = await build_client(api_url="http://127.0.0.1:1/api/query", attempts=2)

    with pytest.raises(UpstreamUnavailable, match="could not be connected to"):
        await ask(client)

    assert len(pace.turns) == 2


async def test_a_name_that_does_not_resolve_is_unavailable(build_client):
    client = await build_client(api_url="http://arxiv.invalid/api/query", attempts=2)

    with pytest.raises(UpstreamUnavailable, match="name could not be resolved"):
        await ask(client)


async def test_the_gaps_between_tries_grow(build_client, upstream, http):
    upstream.script(http.answer(status=500))
    client = await build_client(retry_first=timedelta(milliseconds=40), attempts=4)

    with pytest.raises(UpstreamUnavailable):
        await ask(client)

    moments = [asked.at for asked in upstream.asked]
    gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert all(gap >= least for gap, least in zip(gaps, (0.04, 0.08, 0.16), strict=True))


async def test_no_turn_is_held_while_waiting_for_the_next_try(build_client, upstream, pace, http):
    upstream.script(http.answer(status=500))
    client = await build_client(retry_first=timedelta(seconds=30))
    waiting = asyncio.create_task(ask(client))
    await asyncio.wait_for(pace.turn_over.wait(), 5)

    async with asyncio.timeout(5), pace.api_slot():
        assert not waiting.done()

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_fault_of_the_pace_is_not_taken_for_one_of_arxiv(client, upstream, pace):
    def no_turn():
        raise ConnectionRefusedError("the database is away")

    pace.api_slot = no_turn

    with pytest.raises(ConnectionRefusedError):
        await ask(client)

    assert upstream.asked == []
