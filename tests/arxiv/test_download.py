"""A PDF over real HTTP: whole and in small pieces, after its turn, from this host only."""

import pytest

from service.arxiv.pace import Channel
from service.domain.errors import RedirectRefused
from service.domain.identifiers import ArxivId
from tests.arxiv.asking import PAPER, PDF, TAG, fetch


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
    assert (pace.turns, pace.clearings) == (["pdf"], [Channel.PDF])


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
    body = http.chunked(PDF[:5000], PDF[5000:]) + b"0\r\n\r\n"
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
