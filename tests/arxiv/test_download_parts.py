"""Downloads that go on where they broke: the right part of the same file, or all of it."""

import pytest

from service.arxiv.pace import Channel
from service.domain.errors import UpstreamFaulty
from tests.arxiv.asking import PDF, TAG, fetch


def part(http, body, content_range, **headers):
    return http.answer(body, status=206, Content_Range=content_range, **headers)


async def test_a_download_resumes_where_it_broke(client, upstream, http):
    rest = part(http, PDF[1000:], f"bytes 1000-{len(PDF) - 1}/{len(PDF)}", ETag=TAG)
    upstream.script(rest)

    stream, body = await fetch(client, offset=1000, etag=TAG)

    asked = upstream.asked[0].headers
    assert (asked["Range"], asked["If-Range"]) == ("bytes=1000-", TAG)
    assert (stream.offset, stream.total_bytes, stream.etag) == (1000, len(PDF), TAG)
    assert body == PDF[1000:]


async def test_what_had_come_whole_before_is_not_asked_for_again(client, upstream, pace, http):
    """Its bytes were all there, and then the database, or the worker, became unavailable."""
    end = {"Content_Range": f"bytes */{len(PDF)}", "Content_Type": "text/html"}
    upstream.script(http.answer(b"no such range", status=416, **end))

    stream, body = await fetch(client, offset=len(PDF), etag=TAG)

    assert (stream.offset, stream.total_bytes, stream.etag) == (len(PDF), len(PDF), TAG)
    assert (body, stream.is_complete) == (b"", True)
    assert pace.clearings == [Channel.PDF]


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

    assert pace.failures == []
