"""Each trap is tried on and off: what differs is what it is for."""

from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession, ClientTimeout
from lxml import etree

from service.devtools.stand_in.query import BadQuery, Grammar, parse_query
from service.devtools.stand_in.traps import GROUP, TRAPS, BadTrap, Setting, Traps

SEARCH = {"search_query": "cat:cs.LG", "max_results": "5"}
LIST = {"verb": "ListRecords", "metadataPrefix": "arXiv"}


@pytest.mark.parametrize(
    ("grammar", "query", "read"),
    [
        ({}, "ti:a b", "ti:a AND all:b"),
        ({"or_by_default": True}, "ti:a b", "ti:a OR all:b"),
        ({"or_by_default": True}, 'ti:"a b" abs:c AND d', 'ti:"a b" OR (abs:c AND all:d)'),
        ({}, "a AND b OR c", "(all:a AND all:b) OR all:c"),
        ({"right_association": True}, "a AND b OR c", "all:a AND (all:b OR all:c)"),
        ({"right_association": True}, "a ANDNOT b OR c", "all:a ANDNOT (all:b OR all:c)"),
        ({"right_association": True}, "(a AND b) OR c", "(all:a AND all:b) OR all:c"),
        (
            {"right_association": True, "or_by_default": True},
            "a b AND c",
            "all:a OR (all:b AND all:c)",
        ),
        ({}, "ti:foo_bar AND au:smith_j", "ti:foo_bar AND au:smith_j"),
        ({"underscore": True}, "ti:foo_bar AND au:smith_j", "ti:foo_bar AND au:foo_bar"),
        ({"underscore": True}, 'ti:foo_bar AND au:"smith j"', 'ti:foo_bar AND au:"smith j"'),
        (
            {"last_updated": True},
            "lastUpdatedDate:[202001010000 TO 202001312359]",
            "submittedDate:[202001010000 TO 202001312359]",
        ),
    ],
)
def test_a_query_is_read_as_its_grammar_says(grammar, query, read):
    assert str(parse_query(query, Grammar(**grammar))) == read


def test_without_its_trap_an_update_cannot_be_searched_by_date():
    with pytest.raises(BadQuery):
        parse_query("lastUpdatedDate:[202001010000 TO 202001312359]")


@pytest.mark.parametrize(
    ("trap", "query"),
    [
        ("or-by-default", "ti:graphs ti:deep"),
        ("right-association", "cat:hep-th AND ti:graphs OR cat:cs.LG"),
        ("underscore", "ti:a_survey AND abs:standard_model"),
    ],
)
async def test_what_a_query_matches_changes_with_the_trap(caller, trap, query):
    before = await caller.feed(search_query=query, max_results=400)
    caller.replica.trap(trap)
    trapped = await caller.feed(search_query=query, max_results=400)
    caller.replica.trap(trap, False)
    after = await caller.feed(search_query=query, max_results=400)

    assert sorted(before.papers) == sorted(after.papers)
    assert sorted(trapped.papers) != sorted(before.papers)


async def test_the_last_minute_counts_its_first_second_only(caller):
    corpus = caller.replica.corpus
    number = next(n for n in range(100, 400) if corpus.calendar.moment(n) % 60 > 1)
    minute = f"{corpus.paper(number).published_at:%Y%m%d%H%M}"
    query = f"submittedDate:[199001010000 TO {minute}]"

    whole = await caller.feed(search_query=query, max_results=400)
    caller.replica.trap("last-minute")
    trapped = await caller.feed(search_query=query, max_results=400)

    name = corpus.calendar.id_of(number)
    assert set(whole.papers) - set(trapped.papers) == {name}


async def test_junk_around_an_id_is_dropped_silently(caller):
    known = caller.replica.corpus.calendar.id_of(300)
    asked = f"{known},x{known}y,{known}.pdf"

    status, _ = await caller.api(id_list=asked)
    caller.replica.trap("id-junk")
    feed = await caller.feed(id_list=asked)
    hopeless, _ = await caller.api(id_list=f"{known},abc")

    assert (status, hopeless) == (400, 400)
    assert feed.papers == [known]
    assert feed.total == 1


async def test_an_id_list_gives_ten_unless_asked_for_more(caller):
    asked = ",".join(caller.replica.corpus.calendar.id_of(n) for n in range(30))

    few, all_of_them = (
        await caller.feed(id_list=asked),
        await caller.feed(id_list=asked, max_results=30),
    )

    assert (len(few.papers), few.total) == (10, 30)
    assert len(all_of_them.papers) == 30


@pytest.mark.parametrize(
    ("trap", "number", "status"), [("ceiling-500", 100, 500), ("ceiling-400", 100, 400)]
)
async def test_a_ceiling_can_be_set(caller, trap, number, status):
    caller.replica.trap(trap, number)

    below, _ = await caller.api(search_query="a", start=90, max_results=10)
    beyond, _ = await caller.api(search_query="a", start=91, max_results=10)

    assert (below, beyond) == (200, status)


def test_the_ceilings_are_those_that_are_told_of():
    traps = Traps([Setting("ceiling-500"), Setting("ceiling-400")])

    assert (traps.number("ceiling-500"), traps.number("ceiling-400")) == (10_000, 30_000)


async def test_without_an_accept_header_406(caller):
    caller.replica.trap("accept-406")
    timeout = ClientTimeout(total=20)
    async with ClientSession(skip_auto_headers=["Accept"], timeout=timeout) as silent:
        statuses = [
            (await silent.get(url, params=asked)).status
            for url, asked in ((caller.replica.api_url, SEARCH), (caller.replica.oai_url, LIST))
        ]
        pdf = await silent.get(f"{caller.replica.pdf_url}/{caller.replica.corpus.id_of(300)}")

    polite, _ = await caller.api(**SEARCH)
    assert statuses == [406, 406]
    assert (polite, pdf.status) == (200, 200)


async def test_tokens_encoded_once_are_read_like_others(calling):
    async with calling(oai_records=30) as one:
        one.replica.trap("oai-token-once")
        pages = await one.harvest(**LIST)

    assert pages[0].token.startswith("verb=ListRecords&metadataPrefix=arXiv&")
    assert sum(len(page.listed) for page in pages) == 400


@pytest.mark.parametrize("is_checked", [True, False])
async def test_the_expiry_of_tokens_is_checked_or_not(calling, is_checked):
    async with calling(oai_records=30) as one:
        one.replica.clock.set(datetime(2026, 11, 30, 23, 59, 30, tzinfo=UTC))
        one.replica.trap("oai-token-expiry", is_checked)
        first = await one.oai(**LIST)
        in_time = await one.oai(verb="ListRecords", resumptionToken=first.token)
        one.replica.clock.advance(60)
        too_late = await one.oai(verb="ListRecords", resumptionToken=first.token)
        again = await one.oai(**LIST)

    assert in_time.listed
    assert too_late.error == ("badResumptionToken" if is_checked else None)
    assert again.error is None


async def test_tokens_can_be_made_to_expire_at_once(calling):
    async with calling(oai_records=30) as one:
        first = await one.oai(**LIST)
        async with one.control("POST", "oai/expire") as answer:
            told = await answer.json()
        lost = await one.oai(verb="ListRecords", resumptionToken=first.token)
        pages = await one.harvest(**LIST)

    assert told == {"expired": 1}
    assert lost.error == "badResumptionToken"
    assert sum(len(page.listed) for page in pages) == 400


async def test_an_empty_today_stays_empty_until_midnight(caller):
    caller.replica.trap("oai-cache")
    caller.replica.clock.set(datetime(2026, 11, 30, 12, tzinfo=UTC))
    today = {**LIST, "from_": "2026-11-30", "until": "2026-11-30"}
    name = caller.replica.corpus.calendar.id_of(7)

    before = await caller.oai(**today)
    caller.replica.amend([name])
    caller.replica.clock.set(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    cached = await caller.oai(**today)
    caller.replica.clock.set(datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC))
    after = await caller.oai(**today)

    assert before.error == cached.error == "noRecordsMatch"
    assert [listed for _, listed in after.listed] == [name]


@pytest.mark.parametrize(("until", "hours"), [("2026-11-30", 1), ("2026-11-29", 96)])
async def test_lists_stay_for_an_hour_or_for_four_days(caller, until, hours):
    caller.replica.trap("oai-cache")
    caller.replica.clock.set(datetime(2026, 11, 30, 12, tzinfo=UTC))
    asked = {**LIST, "from_": "2026-06-01", "until": until}
    first = await caller.oai(**asked)
    caller.replica.amend([first.listed[0][1]])

    caller.replica.clock.advance(hours * 3_600 - 60)
    cached = await caller.oai(**asked)
    caller.replica.clock.advance(120)
    fresh = await caller.oai(**asked)

    assert cached.listed == first.listed
    assert fresh.listed != first.listed


async def test_an_announcement_empties_the_cache(caller):
    caller.replica.trap("oai-cache")
    caller.replica.clock.set(datetime(2026, 11, 30, 12, tzinfo=UTC))
    today = {**LIST, "from_": "2026-11-30"}
    await caller.oai(**today)
    caller.replica.amend([caller.replica.corpus.calendar.id_of(7)])

    async with caller.control("DELETE", "oai/cache") as answer:
        assert answer.status == 204

    assert (await caller.oai(**today)).error is None


async def test_regenerated_pdfs_have_other_bytes_and_the_same_text(caller):
    name = caller.replica.corpus.id_of(300)

    first, before = await caller.pdf(name)
    caller.replica.trap("pdf-regenerated")
    second, after = await caller.pdf(name)

    assert before != after
    assert first.headers["ETag"] != second.headers["ETag"]
    assert len(before) == len(after)


async def hit(caller, ask, wanted, *, tries=100):
    """Ask until `wanted` is answered; the numbers of the requests so answered."""
    return [number for number in range(tries) if wanted(await ask())]


@pytest.mark.parametrize(
    ("trap", "wanted"),
    [
        ("stalled-429", lambda answer: answer[0] == 429),
        ("rate-exceeded", lambda answer: answer == (200, b"Rate exceeded.")),
        ("empty-page", lambda answer: b"<totalResults>0" not in answer[1] and entries(answer) == 0),
        ("surplus", lambda answer: entries(answer) == 8),
        ("illegal-xml", lambda answer: b"&#x1;" in answer[1] and b"\x0b" in answer[1]),
    ],
)
async def test_some_searches_are_hit(caller, trap, wanted):
    caller.replica.trap(trap, {"stalled-429": 0, "surplus": 3}.get(trap, True))

    struck = await hit(caller, lambda: caller.api(**SEARCH), wanted)

    assert 3 <= len(struck) <= 25


def entries(answer):
    return answer[1].count(b"<entry>")


@pytest.mark.parametrize(
    ("trap", "wanted"),
    [
        (
            "oai-stalled-503",
            lambda answer: (answer.status, answer.headers.get("Retry-After")) == (503, "0"),
        ),
        ("oai-html", lambda answer: answer.content_type == "text/html"),
    ],
)
async def test_some_oai_requests_are_hit(caller, trap, wanted):
    caller.replica.trap(trap, 0 if trap == "oai-stalled-503" else True)

    async def ask():
        async with caller.session.get(
            caller.replica.oai_url, params={"verb": "Identify"}
        ) as answer:
            await answer.read()
            return answer

    assert 3 <= len(await hit(caller, ask, wanted)) <= 25


async def test_a_stall_lasts_before_its_refusal(caller):
    caller.replica.script([{"kind": "503", "lane": "oai", "retry_after": "0", "delay": 0.3}])

    async with caller.session.get(caller.replica.oai_url, params={"verb": "Identify"}) as answer:
        await answer.read()

    record = caller.replica.log.since(lane="oai")[0]
    assert (answer.status, answer.headers["Retry-After"]) == (503, "0")
    assert record.ended - record.started >= 0.3


async def test_characters_that_xml_forbids_go_into_the_first_title(caller):
    caller.replica.script(
        [
            {"kind": "illegal_xml", "lane": "oai"},
            {"kind": "illegal_xml", "lane": "api", "body": "&#xFFFF;"},
        ]
    )
    async with caller.session.get(caller.replica.oai_url, params=LIST) as answer:
        oai = await answer.read()
    _, atom = await caller.api(**SEARCH)

    for body, junk in ((oai, b"<title>&#x1;&#xD800;\x0b\xef\xbf\xbf\x00"), (atom, b"&#xFFFF;")):
        assert body.count(junk) == 1
        with pytest.raises(etree.XMLSyntaxError):
            etree.fromstring(body)


async def test_half_a_pdf_with_and_without_its_length(caller):
    name = caller.replica.corpus.id_of(300)
    _, whole = await caller.pdf(name)
    caller.replica.script([{"kind": "half"}, {"kind": "half_announced"}])

    answer, half = await caller.pdf(name)
    with pytest.raises(Exception, match="Response payload is not completed"):
        await caller.pdf(name)

    assert answer.status == 200
    assert whole.startswith(half)
    assert len(half) == len(whole) // 2


async def test_an_error_of_the_protocol_can_be_scripted(caller):
    caller.replica.script([{"kind": "oai_error", "code": "noRecordsMatch"}])

    first, second = await caller.oai(**LIST), await caller.oai(**LIST)

    assert (first.error, second.error) == ("noRecordsMatch", None)


async def test_traps_are_switched_over_the_control_api(caller):
    async with caller.control("PATCH", "traps", json={"surplus": 3, GROUP: True}) as answer:
        on = await answer.json()
    async with caller.control("PATCH", "traps", json={"surplus": False, GROUP: False}) as answer:
        off = await answer.json()
    async with caller.control("PATCH", "traps", json={"or-by-default": True, "x": 1}) as answer:
        wrong = await answer.json()
    async with caller.control("GET", "traps") as after:
        left = await after.json()

    assert on["surplus"] == 3
    assert [name for name, trap in TRAPS.items() if trap.always] == [
        name for name, value in on.items() if value is True
    ]
    assert not any(off.values())
    assert answer.status == 400
    assert "unknown trap x" in wrong["error"]
    assert left == off


@pytest.mark.parametrize("text", ["nonsense", "accept-406=3", "surplus=x", "surplus=-1", "arxiv=1"])
def test_a_trap_that_does_not_exist_is_refused(text):
    with pytest.raises(BadTrap):
        Setting.read(text)
