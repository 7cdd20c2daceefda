from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qs, unquote

import pytest

from service.devtools.stand_in import taxonomy
from tests.stand_in.conftest import OAI

HUGE_DAY = "2005-09-16"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"
ARXIV = "{http://arxiv.org/OAI/arXiv/}"
DC = "{http://purl.org/dc/elements/1.1/}"


def everything(replica):
    """(day, id) of all records, by reading every one of them."""
    records = (replica.records.record(number) for number in range(replica.corpus.papers))
    return sorted((one.modified_at.date(), one.paper.arxiv_id.paper) for one in records)


@pytest.mark.parametrize("verb", ["ListRecords", "ListIdentifiers"])
async def test_a_harvest_gives_every_record_once(calling, verb):
    async with calling(oai_records=37, oai_identifiers=41) as one:
        pages = await one.harvest(verb=verb, metadataPrefix="arXivRaw")

        listed = [entry for page in pages for entry in page.listed]
        assert len(pages) > 8
        assert sorted(listed) == everything(one.replica)


async def test_pages_are_shown_by_day_and_id(calling):
    async with calling(oai_records=25) as one:
        pages = await one.harvest(verb="ListRecords", metadataPrefix="arXiv")

    for page in pages:
        assert page.listed == sorted(page.listed)
    days = [day for page in pages for day, _ in page.listed]
    assert days == sorted(days)


async def test_one_day_takes_many_pages(calling):
    async with calling(oai_records=5) as one:
        pages = await one.harvest(
            verb="ListRecords", metadataPrefix="arXiv", from_=HUGE_DAY, until=HUGE_DAY
        )

    assert len(pages) > 4
    assert {day for page in pages for day, _ in page.listed} == {date(2005, 9, 16)}
    skips = [parse_qs(unquote(page.token))["skip"] for page in pages[:-1]]
    assert skips == [[str(5 * place)] for place in range(1, len(pages))]


async def test_a_page_that_spans_days_goes_on_from_its_last(calling):
    async with calling(oai_records=30) as one:
        pages = await one.harvest(verb="ListRecords", metadataPrefix="arXiv", from_="2015-01-01")

    shown = []
    for page, after in pairwise(pages):
        shown += page.listed
        token = parse_qs(unquote(page.token))
        begins = date.fromisoformat(token["from"][0])
        assert begins == min(day for day, _ in after.listed)
        assert int(token["skip"][0]) == sum(day == begins for day, _ in shown)


async def test_a_token_is_a_query_quoted_once_more(calling):
    async with calling(oai_records=3) as one:
        first = await one.oai(
            verb="ListRecords", metadataPrefix="arXivRaw", from_=HUGE_DAY, set="physics:hep-th"
        )
        async with one.session.get(
            # one that a client did not quote again means the same
            f"{one.replica.oai_url}?verb=ListRecords&resumptionToken={first.token}"
        ) as answer:
            unquoted = await answer.text()
        quoted = await one.oai(verb="ListRecords", resumptionToken=first.token)

    assert first.token == (
        "verb%3DListRecords%26metadataPrefix%3DarXivRaw%26from%3D2005-09-16"
        "%26set%3Dphysics%253Ahep-th%26skip%3D3"
    )
    assert quoted.listed
    assert all(name in unquoted for _, name in quoted.listed)


async def test_tokens_say_when_they_expire_and_nothing_else(calling):
    async with calling(oai_records=3) as one:
        one.replica.clock.set(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
        page = await one.oai(verb="ListRecords", metadataPrefix="arXiv")

    assert dict(page.token_element.attrib) == {"expirationDate": "2026-12-01T00:00:00Z"}


async def test_only_a_last_page_by_token_has_an_empty_token(calling):
    async with calling(oai_records=300) as one:
        first, last = await one.harvest(verb="ListRecords", metadataPrefix="arXiv")
        alone = await one.oai(
            verb="ListRecords", metadataPrefix="arXiv", from_="2026-01-01", until="2026-06-30"
        )

    assert first.token
    assert last.token_element is not None
    assert last.token is None
    assert not last.token_element.attrib
    assert alone.listed
    assert alone.token_element is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "badVerb"),
        ({"verb": "Steal"}, "badVerb"),
        ({"verb": "Identify", "set": "cs"}, "badArgument"),
        ({"verb": "ListSets", "resumptionToken": "x"}, "badArgument"),
        ({"verb": "ListMetadataFormats", "set": "cs"}, "badArgument"),
        (
            {"verb": "ListMetadataFormats", "identifier": "oai:arXiv.org:9999.9999"},
            "idDoesNotExist",
        ),
        ({"verb": "GetRecord", "metadataPrefix": "arXiv"}, "badArgument"),
        (
            {"verb": "GetRecord", "metadataPrefix": "arXiv", "identifier": "2301.00001"},
            "idDoesNotExist",
        ),
        ({"verb": "ListRecords"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "marc"}, "cannotDisseminateFormat"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "page": "2"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2020"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2020-02-30"}, "badArgument"),
        (
            {"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2020-01-01T00:00:00Z"},
            "badArgument",
        ),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2005-09-15"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "until": "2026-12-02"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "from": "2026-12-01"}, "badArgument"),
        (
            {
                "verb": "ListRecords",
                "metadataPrefix": "arXiv",
                "from": "2020-02-01",
                "until": "2020-01-01",
            },
            "badArgument",
        ),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "cs:cs:XX"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "cs:math"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "a:b:c:d"}, "badArgument"),
        # closed in 2000, and its papers are in nlin.SI
        (
            {"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "physics:solv-int"},
            "badArgument",
        ),
        # a Sunday
        (
            {
                "verb": "ListRecords",
                "metadataPrefix": "arXiv",
                "from": "2020-03-01",
                "until": "2020-03-01",
            },
            "noRecordsMatch",
        ),
        ({"verb": "ListRecords", "resumptionToken": "nonsense"}, "badResumptionToken"),
        (
            {"verb": "ListRecords", "resumptionToken": "x", "metadataPrefix": "arXiv"},
            "badArgument",
        ),
        (
            {
                "verb": "ListRecords",
                "resumptionToken": "verb%3DListIdentifiers%26metadataPrefix%3DarXiv%26skip%3D5",
            },
            "badResumptionToken",
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_protocol_error_is_an_answer_with_status_200(caller, method, arguments, code):
    caller.replica.clock.set(datetime(2026, 11, 30, 12, tzinfo=UTC))

    answer = await caller.oai(method, **arguments)

    assert answer.error == code
    request = answer.root.find(f"{OAI}request")
    assert request.text == caller.replica.oai_url
    assert dict(request.attrib) == ({} if code in ("badVerb", "badArgument") else arguments)


async def test_tomorrow_is_not_too_late_yet(caller):
    caller.replica.clock.set(datetime(2026, 11, 30, 12, tzinfo=UTC))

    answer = await caller.oai(
        verb="ListIdentifiers", metadataPrefix="arXiv", from_="2026-06-01", until="2026-12-01"
    )

    assert answer.error is None


async def test_an_argument_that_comes_twice_is_refused(caller):
    url = f"{caller.replica.oai_url}?verb=ListSets&verb=ListSets"

    async with caller.session.get(url) as answer:
        body = await answer.text()

    assert '<error code="badArgument">' in body


async def test_post_and_get_give_the_same(caller):
    asked = {"verb": "ListIdentifiers", "metadataPrefix": "arXiv", "set": "math"}

    got, posted = await caller.oai("GET", **asked), await caller.oai("POST", **asked)

    assert got.listed == posted.listed
    assert got.listed


@pytest.mark.parametrize(
    "spec", ["cs", "cs:cs", "cs:cs:AI", "physics", "physics:hep-th", "physics:nlin", "math:math:IT"]
)
async def test_a_set_holds_the_papers_of_its_categories(caller, spec):
    corpus = caller.replica.corpus
    expected = {
        corpus.calendar.id_of(number)
        for number in range(corpus.papers)
        if any(
            f"{taxonomy.set_of(name)}:".startswith(f"{spec}:")
            for name in taxonomy.expanded(corpus.categories(number))
        )
    }

    answer = await caller.oai(verb="ListIdentifiers", metadataPrefix="arXiv", set=spec)

    assert {name for _, name in answer.listed} == expected
    assert expected


async def test_records_show_aliases_as_sets_and_identifiers_do_not(caller):
    asked = {"metadataPrefix": "arXiv", "set": "cs:cs:IT"}
    records = await caller.oai(verb="ListRecords", **asked)
    identifiers = await caller.oai(verb="ListIdentifiers", **asked)

    def sets(answer):
        return [{one.text for one in head.iter(f"{OAI}setSpec")} for head in answer.headers]

    assert records.listed == identifiers.listed
    for full, short in zip(sets(records), sets(identifiers), strict=True):
        assert full == short | {"math:math:IT"}
        assert "math:math:IT" not in short


async def test_list_sets_lists_groups_archives_and_active_categories(caller):
    answer = await caller.oai(verb="ListSets")

    specs = [one.findtext(f"{OAI}setSpec") for one in answer.root.iter(f"{OAI}set")]
    assert len(specs) == 8 + 20 + 155
    assert {"cs", "cs:cs", "cs:cs:AI", "physics:hep-th", "q-bio:q-bio:NC"} <= set(specs)
    assert "physics:solv-int" not in specs


async def test_accents_are_macros_in_raw_and_letters_elsewhere(caller):
    corpus = caller.replica.corpus
    number = next(n for n in range(corpus.papers) if "Müller" in " ".join(corpus.authors(n)))
    asked = {"verb": "GetRecord", "identifier": f"oai:arXiv.org:{corpus.calendar.id_of(number)}"}

    raw = await caller.oai(metadataPrefix="arXivRaw", **asked)
    plain = await caller.oai(metadataPrefix="arXiv", **asked)
    dublin = await caller.oai(metadataPrefix="oai_dc", **asked)

    assert 'M\\"uller' in raw.root.findtext(f".//{RAW}authors")
    assert "Müller" in [one.text for one in plain.root.iter(f"{ARXIV}keyname")]
    assert any("Müller, " in one.text for one in dublin.root.iter(f"{DC}creator"))


async def test_acm_classes_are_spoilt_as_at_arxiv(caller):
    page = await caller.oai(verb="ListRecords", metadataPrefix="arXivRaw")

    pairs = {
        (record.findtext(f"{RAW}acm-class"), record.findtext(f"{RAW}msc-class"))
        for record in page.root.iter(f"{RAW}arXivRaw")
    }
    told = {acm for acm, _ in pairs if acm is not None}
    assert "None" in told
    assert all(acm == str(msc) for acm, msc in pairs if acm is not None)
    assert len(told) > 3


async def test_withdrawals_mostly_have_their_letter(calling):
    async with calling(papers=3_000, oai_records=3_000) as one:
        page = await one.oai(verb="ListRecords", metadataPrefix="arXivRaw")
        corpus = one.replica.corpus
        withdrawn = {
            corpus.calendar.id_of(n) for n in range(corpus.papers) if corpus.is_withdrawn(n)
        }

    letters, comments = [], []
    for record in page.root.iter(f"{RAW}arXivRaw"):
        last = record.findall(f"{RAW}version")[-1].findtext(f"{RAW}source_type")
        if record.findtext(f"{RAW}id") in withdrawn:
            letters.append(last)
            comments.append(record.findtext(f"{RAW}comments").lower())
        else:
            assert last != "I"
    assert {"I", None} == set(letters)
    assert letters.count("I") > 4 * letters.count(None)
    assert all("withdrawn" in text for text in comments)


async def test_a_version_says_when_it_came_and_what_it_was(caller):
    page = await caller.oai(verb="ListRecords", metadataPrefix="arXivRaw")

    kinds = set()
    for record in page.root.iter(f"{RAW}arXivRaw"):
        versions = record.findall(f"{RAW}version")
        assert [v.get("version") for v in versions] == [f"v{n + 1}" for n in range(len(versions))]
        moments = [
            datetime.strptime(v.findtext(f"{RAW}date"), "%a, %d %b %Y %H:%M:%S GMT")
            for v in versions
        ]
        assert moments == sorted(moments)
        assert all(v.findtext(f"{RAW}size").removesuffix("kb").isdecimal() for v in versions)
        kinds |= {v.findtext(f"{RAW}source_type") for v in versions}
    assert {None, "D", "A", "H", "P", "X", "S"} <= kinds


async def test_the_date_of_format_arxiv_is_that_of_the_current_version_unless_trapped(calling):
    async with calling() as one:
        corpus = one.replica.corpus
        number = next(n for n in range(corpus.papers) if corpus.versions(n) == 3)
        asked = {
            "verb": "GetRecord",
            "metadataPrefix": "arXiv",
            "identifier": f"oai:arXiv.org:{corpus.calendar.id_of(number)}",
        }
        today = await one.oai(**asked)
        one.replica.trap("oai-created-v1")
        before = await one.oai(**asked)

    versions = one.replica.records.record(number).versions
    first, last = (f"{v.submitted_at:%Y-%m-%d}" for v in (versions[0], versions[-1]))
    assert today.root.findtext(f".//{ARXIV}created") == last
    assert before.root.findtext(f".//{ARXIV}created") == first
    assert before.root.findtext(f".//{ARXIV}updated") == last


async def test_licences_of_all_kinds_and_none(calling):
    async with calling(papers=2_000) as one:
        pages = await one.harvest(verb="ListRecords", metadataPrefix="arXiv")

    told = {
        record.findtext(f"{ARXIV}license")
        for page in pages
        for record in page.root.iter(f"{ARXIV}arXiv")
    }
    assert None in told
    assert "http://arxiv.org/licenses/nonexclusive-distrib/1.0/" in told
    assert "http://creativecommons.org/publicdomain/zero/1.0/" in told
    assert len(told) == 11


async def test_a_record_amended_in_mid_harvest_moves_to_today_and_shifts_its_day(calling):
    async with calling(oai_records=5) as one:
        one.replica.clock.set(datetime(2026, 11, 30, 12, tzinfo=UTC))
        day = {"verb": "ListRecords", "metadataPrefix": "arXiv", "from_": HUGE_DAY}
        before = await one.harvest(**day, until=HUGE_DAY)
        first = await one.oai(**day, until=HUGE_DAY)
        moved = first.listed[0][1]
        one.replica.amend([moved])
        second = await one.oai(verb="ListRecords", resumptionToken=first.token)
        today = await one.oai(**{**day, "from_": "2026-11-30"})

    # the record behind the first page has moved into it, so that the second lacks it
    lost = set(before[1].listed) - set(second.listed)
    assert len(lost) == 1
    assert not lost & set(first.listed)
    assert today.listed == [(date(2026, 11, 30), moved)]


async def test_a_new_version_is_the_first_of_those_updated_last(caller):
    asked = {"search_query": "cat:cs.LG", "sortBy": "lastUpdatedDate", "max_results": 100}
    before = await caller.feed(**asked)

    caller.replica.amend([before.papers[-1]], "version")
    after = await caller.feed(**asked)

    assert after.papers == [before.papers[-1], *before.papers[:-1]]


async def test_a_record_moves_in_the_lists_of_its_sets_too(caller):
    asked = {"verb": "ListIdentifiers", "metadataPrefix": "arXiv", "set": "math"}
    before = await caller.oai(**asked)
    moved = before.listed[3][1]

    caller.replica.amend([moved, moved])
    after = await caller.oai(**asked)

    assert after.listed[-1] == (caller.replica.clock.today(), moved)
    assert [name for _, name in after.listed].count(moved) == 1
    assert len(after.listed) == len(before.listed)


@pytest.mark.parametrize("kind", ["version", "withdraw", "license", "metadata"])
async def test_what_is_amended_shows_in_the_record(caller, kind):
    corpus = caller.replica.corpus
    number = next(n for n in range(corpus.papers) if not corpus.is_withdrawn(n))
    name = corpus.calendar.id_of(number)
    before = caller.replica.records.record(number)

    async with caller.control("POST", "amend", json={"ids": [name], "kind": kind}) as answer:
        assert await answer.json() == {"amended": 1}

    after = caller.replica.records.record(number)
    pdf, _ = await caller.pdf(name)
    assert after.modified_at.date() == datetime.now(UTC).date()
    assert len(after.versions) == len(before.versions) + (kind in ("version", "withdraw"))
    assert after.paper.withdrawn == (kind == "withdraw")
    assert pdf.status == (404 if kind == "withdraw" else 200)
    assert (after.paper.comments != before.paper.comments) == (kind in ("metadata", "withdraw"))
    assert kind != "license" or after.license is None


async def test_a_hidden_paper_is_nowhere_until_it_is_announced(caller):
    corpus = caller.replica.corpus
    number = next(n for n in range(200, 400) if "cs.LG" in corpus.categories(n))
    name = corpus.calendar.id_of(number)
    identifiers = {"verb": "ListIdentifiers", "metadataPrefix": "arXiv", "set": "cs"}
    record = {"verb": "GetRecord", "metadataPrefix": "arXiv"}

    async def found():
        listed = [paper for _, paper in (await caller.oai(**identifiers)).listed]
        searched = await caller.feed(search_query="cat:cs.LG", max_results=400)
        asked = await caller.feed(id_list=name)
        got = await caller.oai(**record, identifier=f"oai:arXiv.org:{name}")
        pdf, _ = await caller.pdf(f"{name}v1")
        there = [name in listed, name in searched.papers, name in asked.papers]
        return {*there, got.error is None, pdf.status == 200}

    before = await found()
    caller.replica.amend([name], "hide")
    hidden = await found()
    caller.replica.amend([name], "announce")
    after = await found()
    today = await caller.oai(**identifiers, from_=f"{caller.replica.clock.today()}")

    assert (before, hidden, after) == ({True}, {False}, {True})
    assert [paper for _, paper in today.listed] == [name]


async def test_papers_hidden_before_the_first_list_are_not_in_it(caller):
    name = caller.replica.corpus.calendar.id_of(7)
    caller.replica.amend([name], "hide")

    page = await caller.oai(verb="ListIdentifiers", metadataPrefix="arXiv")

    assert len(page.listed) == 399
    assert name not in [paper for _, paper in page.listed]


async def test_amending_what_does_not_exist_changes_nothing(caller):
    name = caller.replica.corpus.calendar.id_of(5)

    async with caller.control("POST", "amend", json={"ids": [name, "9999.9999"]}) as answer:
        told = await answer.json()

    assert answer.status == 400
    assert "9999.9999" in told["error"]
    assert 5 not in caller.replica.corpus.amendments


async def test_weekends_have_no_datestamps(caller):
    page = await caller.oai(verb="ListIdentifiers", metadataPrefix="arXiv", from_="2005-09-17")

    assert {day.weekday() for day, _ in page.listed} == set(range(5))


async def test_a_hundred_thousand_identifiers_in_five_answers(calling):
    async with calling(papers=100_000) as one:
        pages = await one.harvest(verb="ListIdentifiers", metadataPrefix="oai_dc")

    assert [len(page.headers) for page in pages] == [20_000] * 5
    assert len({name for page in pages for _, name in page.listed}) == 100_000
    assert timedelta(days=7_000) < pages[-1].listed[-1][0] - pages[0].listed[0][0]
