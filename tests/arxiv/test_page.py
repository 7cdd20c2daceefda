"""Pages over real HTTP: what the client makes of each answer, and of none."""

import asyncio
import gzip
import itertools
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from service import __version__
from service.arxiv import atom
from service.arxiv.pace import Asker, Lane
from service.domain.arxiv_id import ArxivId
from service.domain.errors import (
    Outage,
    RateLimited,
    RedirectRefused,
    UpstreamRejected,
    UpstreamUnavailable,
)
from service.domain.job import Criteria

SEARCH = Criteria(category="cs.AI")


async def wanted():
    """The check of an asker who still wants its answer."""


async def ask(client, criteria=SEARCH, *, offset=0, size=10, check=wanted):
    return await client.page(criteria, offset=offset, size=size, asker=Asker("a job", check))


def query_of(asked):
    return {name: values[0] for name, values in parse_qs(urlsplit(asked.target).query).items()}


async def test_a_page_is_one_request_in_one_turn(client, upstream, pace, http):
    upstream.script(http.answer(http.feed(http.entry(), total=70)))

    page = await ask(client, offset=20)

    (asked,) = upstream.asked
    assert [str(paper.arxiv_id) for paper in page.papers] == ["2401.00001v1"]
    assert page.total == 70
    assert query_of(asked)["start"] == "20"
    assert query_of(asked)["search_query"] == "cat:cs.AI"
    assert (pace.turns, pace.silences, pace.clearings) == (["api"], [], [Lane.API])


async def test_we_say_who_we_are_and_keep_no_cookies(client, upstream, http):
    upstream.script(http.answer(http.feed(), Set_Cookie="a=b"))

    await ask(client)
    await ask(client)

    for asked in upstream.asked:
        agent = asked.headers["User-Agent"]
        assert agent == f"arxiv-ingestion/{__version__} (+mailto:ops@example.org)"
        assert "Cookie" not in asked.headers


async def test_without_a_contact_none_is_named(build_client, upstream, http):
    upstream.script(http.answer(http.feed()))
    client = await build_client(contact=None)

    await ask(client)

    assert upstream.asked[0].headers["User-Agent"] == f"arxiv-ingestion/{__version__}"


@pytest.mark.parametrize("total", [0, 500])
async def test_an_empty_page_is_returned_as_it_is(client, upstream, http, total):
    upstream.script(http.answer(http.feed(total=total)))

    page = await ask(client, offset=100)

    assert (page.entries, page.total, len(upstream.asked)) == (0, total, 1)


async def test_a_big_page_is_parsed_beside_the_event_loop(client, upstream, http):
    authors = "<author><name>Ada Lovelace</name></author>" * 100
    entries = [http.entry(f"2401.{n:05}v1", more=authors) for n in range(2000)]
    feed = http.feed(*entries)
    upstream.script(http.answer(feed))
    began = time.perf_counter()
    atom.parse(feed)
    parsing = time.perf_counter() - began  # what the loop would stand still for
    lag = asyncio.create_task(longest_lag())

    page = await ask(client, size=2000)

    lag.cancel()
    assert len(page.papers) == 2000
    assert await lag < parsing / 2


async def longest_lag():
    """The longest time the loop was not ours, until cancelled."""
    loop = asyncio.get_running_loop()
    longest, last = 0.0, loop.time()
    try:
        while True:
            await asyncio.sleep(0)
            longest, last = max(longest, loop.time() - last), loop.time()
    except asyncio.CancelledError:
        return max(longest, loop.time() - last)


async def test_ids_not_returned_are_missing(client, upstream, http):
    ids = tuple(map(ArxivId.parse, ("2401.00001", "2401.00002v1", "hep-th/9901001")))
    upstream.script(http.answer(http.feed(http.entry("2401.00002v1"))))

    page = await ask(client, Criteria(ids=ids))

    assert query_of(upstream.asked[0])["id_list"] == "2401.00001,2401.00002v1,hep-th/9901001"
    assert page.missing == (ids[0], ids[2])


async def test_only_ids_of_this_slice_can_be_missing(client, upstream, http):
    ids = tuple(ArxivId(f"2401.{n:05}") for n in range(10))
    upstream.script(http.answer(http.feed(http.entry("2401.00004v1"))))

    page = await ask(client, Criteria(ids=ids), offset=4, size=2)

    assert page.missing == (ids[5],)


async def test_an_old_id_asked_for_with_its_subject_class_is_found_without(client, upstream, http):
    upstream.script(http.answer(http.feed(http.entry("math/0309136v2"))))

    page = await ask(client, Criteria(ids=(ArxivId.parse("math.GT/0309136"),)))

    assert page.missing == ()


async def test_ghosts_of_a_list_of_ids_are_told_once_as_missing(client, upstream, http):
    ghost = '<entry><category term=""/></entry>'
    upstream.script(http.answer(http.feed(ghost, http.entry("2401.00002v1"))))
    ids = (ArxivId("2401.00001"), ArxivId("2401.00002"))

    page = await ask(client, Criteria(ids=ids))

    assert (page.missing, page.errors) == ((ids[0],), ())


async def test_an_unreadable_entry_of_a_list_of_ids_is_an_error_and_not_missing(
    client, upstream, http
):
    upstream.script(http.answer(http.feed(http.entry("2401.00001v1", title=""))))

    page = await ask(client, Criteria(ids=(ArxivId("2401.00001"),)))

    assert page.missing == ()
    assert [error.arxiv_id for error in page.errors] == ["2401.00001"]


async def test_ids_narrowed_by_terms_are_never_missing(client, upstream, http):
    upstream.script(http.answer(http.feed()))

    page = await ask(client, Criteria(ids=(ArxivId("2401.00001"),), title="x"))

    assert page.missing == ()


async def test_a_query_too_long_for_a_url_is_posted(client, upstream, http):
    upstream.script(http.answer(http.feed()))

    await ask(client, Criteria(query="漢" * 1000))

    (asked,) = upstream.asked
    form = parse_qs(asked.body.decode())
    assert (asked.method, asked.target) == ("POST", "/api/query")
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form["search_query"] == ["all:" + "漢" * 1000]


BROKEN = {
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
    assert pace.clearings == [Lane.API]


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
    assert pace.failures == [(Lane.API, "a job")]
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("fault", ["nothing", "HTML", "bad gzip"])
async def test_nonsense_does_not_count_as_away(client, upstream, pace, http, fault):
    upstream.script(BROKEN[fault](upstream, http), http.answer(http.feed(http.entry())))

    await ask(client)

    assert pace.failures == []


async def test_what_nobody_wants_any_more_is_not_asked_for(client, upstream, pace):
    async def check():
        assert pace.turns == ["api"]
        raise LookupError

    with pytest.raises(LookupError):
        await ask(client, check=check)

    assert upstream.asked == []
    assert pace.begun == 0


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

    async with asyncio.timeout(5), pace.api_turn():
        assert not waiting.done()

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "wish"),
    [
        ("7", timedelta(seconds=7)),
        ("1000000000", timedelta(minutes=10)),
        ("banana", None),
        ("-1", None),
    ],
)
async def test_throttling_silences_the_fleet_and_is_not_tried_again(
    client, upstream, pace, http, status, value, wish
):
    upstream.script(http.answer(status=status, Retry_After=value))

    with pytest.raises(RateLimited) as caught:
        await ask(client)

    assert caught.value.delay == (wish or pace.own_backoff)
    assert pace.silences == [(Lane.API, wish)]
    assert (len(upstream.asked), pace.clearings) == (1, [])


async def test_a_date_to_come_back_at_is_meant_by_the_clock_of_the_sender(
    client, upstream, pace, http
):
    sent = datetime(2020, 1, 1, tzinfo=UTC)  # years behind ours
    upstream.script(
        http.answer(
            status=429,
            Date=format_datetime(sent, usegmt=True),
            Retry_After=format_datetime(sent + timedelta(seconds=7), usegmt=True),
        )
    )

    with pytest.raises(RateLimited):
        await ask(client)

    assert pace.silences == [(Lane.API, timedelta(seconds=7))]


async def test_a_429_without_a_time_is_answered_by_our_own_backoff(client, upstream, pace, http):
    upstream.script(http.answer(status=429))

    with pytest.raises(RateLimited):
        await ask(client)

    assert pace.silences == [(Lane.API, None)]


@pytest.mark.parametrize("body", [b"Rate exceeded.", b"\nRate exceeded.\n", b"RATE EXCEEDED"])
async def test_rate_exceeded_with_status_200_is_throttling(client, upstream, pace, http, body):
    upstream.script(http.answer(body, Content_Type="text/plain"))

    with pytest.raises(RateLimited):
        await ask(client)

    assert (pace.silences, len(upstream.asked)) == ([(Lane.API, None)], 1)


ERROR_FEED = (
    "<entry><id>https://arxiv.org/api/errors#x</id><title>Error</title>"
    "<summary>start must be non-negative</summary></entry>"
)


@pytest.mark.parametrize("status", [200, 400])
async def test_the_error_feed_is_a_refusal_with_any_status(client, upstream, pace, http, status):
    upstream.script(http.answer(http.feed(ERROR_FEED), status=status))

    with pytest.raises(UpstreamRejected, match="start must be non-negative"):
        await ask(client)

    assert len(upstream.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 414, 451])
async def test_any_other_4xx_is_a_refusal_at_once(client, upstream, http, status):
    upstream.script(http.answer(b"<html>no</html>", status=status))

    with pytest.raises(UpstreamRejected, match=str(status)):
        await ask(client)

    assert len(upstream.asked) == 1


async def test_a_redirect_within_the_host_takes_a_turn_of_its_own(client, upstream, pace, http):
    upstream.script(
        http.answer(status=301, Location="/api/v2/query?x=y"), http.answer(http.feed(http.entry()))
    )

    page = await ask(client)

    assert len(page.papers) == 1
    assert upstream.asked[1].target == "/api/v2/query?x=y"
    assert pace.turns == ["api", "api"]


async def test_a_redirect_elsewhere_is_refused_and_nobody_is_asked(
    client, upstream, other_host, http
):
    upstream.script(http.answer(status=302, Location=f"{other_host.origin}/api/query"))

    with pytest.raises(RedirectRefused) as caught:
        await ask(client)

    assert caught.value.code == "redirect_refused"
    assert (len(upstream.asked), other_host.asked) == (1, [])


async def test_a_redirect_loop_ends_after_five_hops(client, upstream, http):
    upstream.script(http.answer(status=307, Location="/api/query"))

    with pytest.raises(RedirectRefused):
        await ask(client)

    assert len(upstream.asked) == 6


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
    too_little = await build_client(api_bytes=len(body) - 1, attempts=1)

    page = await ask(enough)

    assert len(page.papers) == 1
    with pytest.raises(UpstreamUnavailable, match="longer than"):
        await ask(too_little)


async def test_a_bomb_is_never_unpacked(build_client, upstream, http):
    bomb = gzip.compress(b"\0" * 200 * 1024 * 1024, compresslevel=9)
    upstream.script(http.answer(bomb, Content_Encoding="gzip"))
    client = await build_client(attempts=1)
    held = peak_memory_mib()

    with pytest.raises(UpstreamUnavailable, match="longer than"):
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
    client = await build_client(api_bytes=100_000, attempts=1)

    with pytest.raises(UpstreamUnavailable, match="longer than"):
        await ask(client)


async def test_a_megabyte_attribute_in_small_pieces_costs_no_time(client, upstream, http):
    async def in_pieces(writer):
        for _ in range(4096):
            writer.write(b"x" * 1024)
            await writer.drain()
        writer.write(tail)
        await writer.drain()

    head, tail = http.feed('<entry a="|"/>').split(b"|")
    length = len(head) + len(tail) + 4096 * 1024
    upstream.script(upstream.after(http.answer(head, length=length), then=in_pieces))
    lag = asyncio.create_task(longest_lag())

    page = await ask(client)

    lag.cancel()
    assert page.entries == 1
    assert await lag < 2  # parsed as it drips, it would be ten seconds: quadratic (case 40)


async def test_a_page_that_may_not_be_asked_for_takes_no_turn(client, upstream, pace):
    with pytest.raises(ValueError, match="window"):
        await ask(client, offset=30_000)

    assert (upstream.asked, pace.turns) == ([], [])


async def test_a_fault_of_the_pace_is_not_taken_for_one_of_arxiv(client, upstream, pace):
    def no_turn():
        raise ConnectionRefusedError("the database is away")

    pace.api_turn = no_turn

    with pytest.raises(ConnectionRefusedError):
        await ask(client)

    assert upstream.asked == []
