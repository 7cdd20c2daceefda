"""HTML over real HTTP: in a slot that is held while the page is read, judged outside of it."""

import pytest

from service.arxiv.pace import Channel
from service.domain.errors import ChannelClosed, ForbiddenPdf, ServerError, Unavailable
from tests.arxiv.asking import PAPER, TAG

HTML = b"<!DOCTYPE html><html>" + b"<p>words</p>" * 10_000


async def fetch(client, **options):
    """The stream and its bytes."""
    async with client.open_html(PAPER, **options) as stream:
        return stream, b"".join([chunk async for chunk in stream.chunks()])


async def test_a_page_comes_whole_while_its_slot_is_held(client, upstream, pace, http):
    upstream.script(http.answer(HTML, Content_Type="text/html", ETag=TAG))

    async with client.open_html(PAPER, rank=7) as stream:
        is_held = not pace.turn_over.is_set()
        body = b"".join([chunk async for chunk in stream.chunks()])

    (asked,) = upstream.asked
    assert (body, stream.etag, stream.content_type) == (HTML, TAG, "text/html")
    assert (asked.target, pace.turns, pace.ranks) == ("/html/2401.00001v2", ["html"], [7])
    assert (is_held, pace.begun, pace.answers) == (True, 1, 1)
    assert pace.clearings == [Channel.HTML]


async def test_a_page_is_gone_on_with(client, upstream, http):
    part = http.answer(HTML[100:], 206, Content_Range=f"bytes 100-{len(HTML) - 1}/{len(HTML)}")
    upstream.script(part)

    stream, body = await fetch(client, offset=100, etag=TAG)

    assert (stream.offset, body, stream.total_bytes) == (100, HTML[100:], len(HTML))
    assert upstream.asked[0].headers["If-Range"] == TAG


@pytest.mark.parametrize("status", [404, 410])
async def test_a_paper_without_html_is_unavailable(client, upstream, pace, http, status):
    upstream.script(http.answer(b"<html>", status=status))

    with pytest.raises(Unavailable, match="arXiv has no HTML of this version"):
        await fetch(client)

    assert (len(upstream.asked), pace.turns) == (1, ["html"])


@pytest.mark.parametrize(
    ("status", "error"), [(403, ForbiddenPdf), (500, ServerError)], ids=["403", "500"]
)
async def test_another_page_tells_whose_fault_an_answer_is(
    client, upstream, pace, http, status, error
):
    upstream.script(http.answer(status=status), http.answer(status=404))

    with pytest.raises(error):
        await fetch(client)

    assert [asked.target for asked in upstream.asked][1:] == ["/html/0704.0001v1"]
    assert (pace.turns, pace.failures) == (["html", "html"], [])


async def test_an_outage_of_html_is_one_of_its_channel(client, upstream, pace, http):
    upstream.script(http.answer(status=502))

    with pytest.raises(ChannelClosed):
        await fetch(client)

    assert pace.failures == [(Channel.HTML, "arXiv answered with HTTP 502")]


async def test_each_hop_of_a_redirect_has_a_slot(client, upstream, pace, http):
    upstream.script(http.answer(status=302, Location="/html/2401.00001v3"), http.answer(HTML))

    _, body = await fetch(client)

    assert (body, pace.turns) == (HTML, ["html", "html"])
