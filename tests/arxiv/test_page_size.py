"""Large pages: read and unpacked up to a bound, and parsed beside the event loop."""

import gzip
import threading

import pytest

from service.arxiv import atom
from service.domain.errors import UpstreamFaulty
from tests.arxiv.asking import ask


@pytest.fixture
def parsed(monkeypatch):
    """What was parsed: how many bytes, and whether on the event loop."""
    found, parse = [], atom.parse

    def noted(body):
        found.append((len(body), threading.current_thread() is threading.main_thread()))
        return parse(body)

    monkeypatch.setattr(atom, "parse", noted)
    return found


async def test_a_big_page_is_parsed_beside_the_event_loop(client, upstream, http, parsed):
    authors = "<author><name>Ada Lovelace</name></author>" * 20
    entries = [http.entry(f"2401.{n:05}v1", more=authors) for n in range(2000)]
    feed = http.feed(*entries)
    upstream.script(http.answer(feed))

    page = await ask(client, size=2000)

    assert len(page.papers) == 2000
    assert parsed == [(len(feed), False)]


async def test_a_small_page_is_parsed_in_place(client, upstream, http, parsed):
    feed = http.feed(http.entry())
    upstream.script(http.answer(feed))

    await ask(client)

    assert parsed == [(len(feed), True)]


async def test_a_packed_answer_is_unpacked(client, upstream, http):
    packed = gzip.compress(http.feed(http.entry()))
    upstream.script(http.answer(packed, Content_Encoding="gzip"))

    page = await ask(client)

    assert len(page.papers) == 1
    assert upstream.asked[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_of_the_cap_is_read_and_one_byte_more_is_not(
    build_client, upstream, http, packed
):
    body = http.feed(http.entry())
    sent = gzip.compress(body) if packed else body
    headers = {"Content_Encoding": "gzip"} if packed else {}
    upstream.script(http.answer(sent, **headers))
    enough = await build_client(api_bytes=len(body))
    too_little = await build_client(api_bytes=len(body) - 1)

    page = await ask(enough)

    assert len(page.papers) == 1
    with pytest.raises(UpstreamFaulty, match="longer than"):
        await ask(too_little)


async def test_a_bomb_is_never_unpacked(build_client, upstream, http):
    bomb = gzip.compress(b"\0" * 200 * 1024 * 1024, compresslevel=9)
    upstream.script(http.answer(bomb, Content_Encoding="gzip"))
    client = await build_client()
    held = peak_memory_mib()

    with pytest.raises(UpstreamFaulty, match="longer than"):
        await ask(client)

    assert peak_memory_mib() - held < 50


def peak_memory_mib():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def test_an_endless_answer_is_left_at_the_cap(build_client, upstream, http):
    async def for_ever(writer):
        while not upstream.closing.is_set():
            writer.write(b"x" * 65536)
            await writer.drain()

    endless = upstream.after(http.answer(length=False), then=for_ever)
    upstream.script(endless)
    client = await build_client(api_bytes=100_000)

    with pytest.raises(UpstreamFaulty, match="longer than"):
        await ask(client)


async def test_a_megabyte_attribute_in_small_pieces_is_parsed_once(client, upstream, http, parsed):
    """As it drips it would be parsed in a time that grows with its square (case 40)."""
    head, tail = http.feed('<entry a="|"/>').split(b"|")
    upstream.script(upstream.in_pieces(head, kibibytes=4096, tail=tail))

    page = await ask(client)

    assert page.entries == 1
    assert parsed == [(len(head) + 4096 * 1024 + len(tail), False)]
