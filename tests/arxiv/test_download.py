"""PDFs over real HTTP: the right part, whole, in time; or an error that says what happened."""

import asyncio
from datetime import timedelta

import pytest

from service.arxiv.download import Forbidden
from service.arxiv.pace import Lane
from service.domain.arxiv_id import ArxivId
from service.domain.errors import (
    RateLimited,
    RedirectRefused,
    Unavailable,
    UpstreamFaulty,
    UpstreamRejected,
)

PAPER = ArxivId("2401.00001", 2)
PDF = b"%PDF-1.7 " + bytes(range(256)) * 1000
TAG = '"abc-1"'


async def fetch(client, **options):
    """The stream and its bytes."""
    async with client.open_pdf(PAPER, **options) as stream:
        return stream, b"".join([chunk async for chunk in stream.chunks()])


def part(http, body, content_range, **headers):
    return http.answer(body, status=206, Content_Range=content_range, **headers)


def chunked(*chunks):
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


async def test_a_pdf_comes_whole_after_its_turn(client, upstream, pace, http):
    upstream.script(http.answer(PDF, Content_Type="application/pdf", ETag=TAG))

    stream, body = await fetch(client)

    (asked,) = upstream.asked
    assert body == PDF
    assert (stream.offset, stream.total_bytes, stream.etag) == (0, len(PDF), TAG)
    assert stream.content_type == "application/pdf"
    assert asked.target == "/pdf/2401.00001v2"
    assert asked.headers["Accept-Encoding"] == "identity"
    assert "Range" not in asked.headers
    assert (pace.turns, pace.clearings) == (["pdf"], [Lane.PDF])


async def test_an_old_id_keeps_its_slash(client, upstream, http):
    upstream.script(http.answer(PDF))

    async with client.open_pdf(ArxivId("hep-th/9901001", 1)):
        pass

    assert upstream.asked[0].target == "/pdf/hep-th/9901001v1"


async def test_a_pdf_is_one_of_a_version(client, upstream):
    with pytest.raises(ValueError, match="version"):
        client.open_pdf(ArxivId("2401.00001"))

    assert upstream.asked == []


async def test_a_chunked_pdf_has_no_known_length(client, upstream, http):
    body = chunked(PDF[:5000], PDF[5000:]) + b"0\r\n\r\n"
    upstream.script(http.answer(body, length=False, Transfer_Encoding="chunked"))

    stream, received = await fetch(client)

    assert received == PDF
    assert (stream.total_bytes, stream.etag) == (None, None)


async def test_pieces_are_small(client, upstream, http):
    upstream.script(http.answer(PDF))

    async with client.open_pdf(PAPER) as stream:
        sizes = [len(chunk) async for chunk in stream.chunks()]

    assert sum(sizes) == len(PDF)
    assert max(sizes) <= 64 * 1024


async def test_a_download_resumes_where_it_broke(client, upstream, http):
    rest = part(http, PDF[1000:], f"bytes 1000-{len(PDF) - 1}/{len(PDF)}", ETag=TAG)
    upstream.script(rest)

    stream, body = await fetch(client, offset=1000, etag=TAG)

    asked = upstream.asked[0].headers
    assert (asked["Range"], asked["If-Range"]) == ("bytes=1000-", TAG)
    assert (stream.offset, stream.total_bytes, stream.etag) == (1000, len(PDF), TAG)
    assert body == PDF[1000:]


async def test_what_had_come_whole_before_is_not_asked_for_again(client, upstream, pace, http):
    """Its bytes were all there, and then the database, or the worker, went away."""
    end = {"Content_Range": f"bytes */{len(PDF)}", "Content_Type": "text/html"}
    upstream.script(http.answer(b"no such range", status=416, **end))

    stream, body = await fetch(client, offset=len(PDF), etag=TAG)

    assert (stream.offset, stream.total_bytes, stream.etag) == (len(PDF), len(PDF), TAG)
    assert (body, stream.is_complete) == (b"", True)
    assert pace.clearings == [Lane.PDF]


@pytest.mark.parametrize(
    ("content_range", "etag"),
    [("bytes */999", TAG), ("bytes */0", TAG), ("", TAG), ("bytes */1000", '"other"')],
)
async def test_a_file_that_ends_elsewhere_is_a_fault(client, upstream, http, content_range, etag):
    answer = {"Content_Range": content_range, "ETag": etag}
    upstream.script(http.answer(b"no such range", status=416, **answer))

    with pytest.raises(UpstreamFaulty):
        await fetch(client, offset=1000, etag=TAG)


async def test_a_server_may_send_the_whole_file_instead(client, upstream, http):
    upstream.script(http.answer(PDF, ETag='"new"'))

    stream, body = await fetch(client, offset=1000, etag=TAG)

    assert (stream.offset, stream.etag, body) == (0, '"new"', PDF)


@pytest.mark.parametrize("etag", [None, 'W/"weak"', "bare", '"two\r\nlines"'])
async def test_without_a_strong_etag_the_whole_file_is_asked_for(client, upstream, http, etag):
    upstream.script(http.answer(PDF))

    stream, body = await fetch(client, offset=1000, etag=etag)

    assert not {"Range", "If-Range"} & set(upstream.asked[0].headers)
    assert (stream.offset, body) == (0, PDF)


@pytest.mark.parametrize(
    ("content_range", "etag"),
    [
        ("bytes 0-99/1000", TAG),
        ("bytes 999-1099/2000", TAG),
        ("bytes */2000", TAG),
        ("bytes 1000-1099", TAG),
        ("lines 1000-1099/2000", TAG),
        ("", TAG),
        ("bytes 1000-1099/1100", '"other"'),
    ],
)
async def test_another_part_or_another_file_is_a_fault(client, upstream, http, content_range, etag):
    upstream.script(part(http, b"x" * 100, content_range, ETag=etag))

    with pytest.raises(UpstreamFaulty):
        await fetch(client, offset=1000, etag=TAG)


async def test_a_part_that_nobody_asked_for_is_a_fault(client, upstream, http):
    upstream.script(part(http, PDF, f"bytes 0-{len(PDF) - 1}/{len(PDF)}"))

    with pytest.raises(UpstreamFaulty):
        await fetch(client)


async def test_a_part_that_ends_before_the_file_does_is_a_fault(client, upstream, http, pace):
    upstream.script(part(http, b"x" * 100, "bytes 1000-1099/5000"))

    with pytest.raises(UpstreamFaulty, match="length"):
        await fetch(client, offset=1000, etag=TAG)

    assert pace.clearings == []


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

    assert pace.silences == [(Lane.PDF, wish)]
    assert caught.value.delay == (wish or pace.own_backoff)


async def test_a_block_silences_the_lane_and_can_pass(client, upstream, pace, http):
    upstream.script(http.answer(status=403))

    with pytest.raises(Forbidden) as caught:
        await fetch(client)

    assert pace.silences == [(Lane.PDF, None)]
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
        chunked(PDF), length=False, Transfer_Encoding="chunked"
    ),
    "bad chunk size": lambda up, http: http.answer(
        chunked(PDF) + b"zz\r\n", length=False, Transfer_Encoding="chunked"
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


@pytest.mark.parametrize("error", [OSError("disk full"), TimeoutError(), KeyError("x")])
async def test_an_error_of_the_reader_stays_its_own(client, upstream, pace, http, error):
    upstream.script(http.answer(PDF))

    with pytest.raises(type(error)) as caught:
        async with client.open_pdf(PAPER):
            raise error

    assert caught.value is error
    assert pace.clearings == []


async def test_the_pdf_suffix_quirk_is_followed_in_a_turn_of_its_own(client, upstream, pace, http):
    upstream.script(
        http.answer(status=301, Location="/pdf/2401.00001v2.pdf"), http.answer(PDF, ETag=TAG)
    )

    stream, body = await fetch(client, offset=1000, etag=TAG)

    assert upstream.asked[1].target == "/pdf/2401.00001v2.pdf"
    assert upstream.asked[1].headers["Range"] == "bytes=1000-"
    assert (stream.offset, body, pace.turns) == (0, PDF, ["pdf", "pdf"])


async def test_a_redirect_elsewhere_is_refused(client, upstream, other_host, http):
    upstream.script(http.answer(status=302, Location=f"{other_host.origin}/x.pdf"))

    with pytest.raises(RedirectRefused):
        await fetch(client)

    assert other_host.asked == []


async def test_a_redirect_loop_ends_after_five_hops(client, upstream, http):
    upstream.script(http.answer(status=301, Location="/pdf/2401.00001v2"))

    with pytest.raises(RedirectRefused):
        await fetch(client)

    assert len(upstream.asked) == 6


async def test_framing_that_breaks_midway_is_noticed_before_the_total_deadline(
    build_client, upstream, http
):
    body = chunked(PDF) + b"zz\r\n"
    upstream.script(http.answer(body, length=False, Transfer_Encoding="chunked"))
    client = await build_client(
        pdf_total=timedelta(seconds=60), sock_read=timedelta(milliseconds=100)
    )

    async with asyncio.timeout(5):
        with pytest.raises(UpstreamFaulty):
            await fetch(client)
