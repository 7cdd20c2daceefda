"""Clients that others wrote for arXiv and for OAI-PMH, against the stand-in."""

import asyncio
import calendar
from datetime import UTC, date, datetime

import arxiv
import pytest
from oaipmh_scythe import BadResumptionToken, HTTPConfig, NoRecordsMatch, Scythe
from sickle import Sickle
from sickle.oaiexceptions import IdDoesNotExist


@pytest.fixture
def arxiv_py(caller):
    """A client of the package `arxiv` that asks the stand-in, at full speed."""
    client = arxiv.Client(page_size=40, delay_seconds=0, num_retries=3)
    client.query_url_format = f"{caller.replica.api_url}?{{}}"
    return client


def corpus_ids(replica):
    return sorted(replica.corpus.calendar.id_of(n) for n in range(replica.corpus.papers))


async def test_arxiv_py_reads_every_paper_of_a_search(caller, arxiv_py):
    query = "cat:cs.LG OR cat:hep-th"
    search = arxiv.Search(query, max_results=None, sort_by=arxiv.SortCriterion.SubmittedDate)

    found = await asyncio.to_thread(lambda: list(arxiv_py.results(search)))

    assert [one.get_short_id().rpartition("v")[0] for one in found] == (
        caller.replica.search.expected(query)
    )
    assert len(found) > 80
    for one in found:
        number = caller.replica.corpus.calendar.find(one.get_short_id().rpartition("v")[0])
        paper = caller.replica.corpus.paper(number)
        assert one.title == paper.title
        assert [author.name for author in one.authors] == list(paper.authors)
        assert one.published == paper.published_at
        assert one.primary_category == paper.primary_category
        assert (one.doi, one.comment) == (paper.doi, paper.comments)


async def test_arxiv_py_finds_ids_and_downloads_from_the_stand_in(caller, arxiv_py):
    corpus = caller.replica.corpus
    numbers = [n for n in range(390, 400) if not corpus.is_withdrawn(n)]
    search = arxiv.Search(id_list=[corpus.calendar.id_of(n) for n in numbers])

    urls = await asyncio.to_thread(lambda: [one.pdf_url for one in arxiv_py.results(search)])
    async with caller.session.get(urls[0]) as answer:
        body = await answer.read()

    assert len(urls) == len(numbers)
    assert all(url.startswith(f"{caller.replica.url}/pdf/") for url in urls)
    assert body.startswith(b"%PDF-")


async def test_arxiv_py_asks_again_when_a_page_is_empty(caller, arxiv_py):
    caller.replica.script([{"kind": "empty", "match": "start=40", "times": 2}])
    search = arxiv.Search("cat:cs.LG OR cat:hep-th", max_results=None)

    found = await asyncio.to_thread(lambda: list(arxiv_py.results(search)))

    assert len(found) == len(caller.replica.search.expected("cat:cs.LG OR cat:hep-th"))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("prefix", ["arXiv", "arXivRaw", "oai_dc", "arXivOld"])
async def test_scythe_harvests_every_record(calling, method, prefix):
    def harvest(url):
        with Scythe(url, http_config=HTTPConfig(http_method=method)) as client:
            return [
                record.header.identifier for record in client.list_records(metadata_prefix=prefix)
            ]

    async with calling(oai_records=60) as one:
        found = await asyncio.to_thread(harvest, one.replica.oai_url)

        assert sorted(name.removeprefix("oai:arXiv.org:") for name in found) == corpus_ids(
            one.replica
        )


async def test_scythe_reads_what_the_server_tells_of_itself(caller):
    def ask(url):
        with Scythe(url) as client:
            identity = client.identify()
            return (
                identity.repositoryName,
                identity.granularity,
                [one.metadataPrefix for one in client.list_metadata_formats()],
                [one.setSpec for one in client.list_sets()],
            )

    name, granularity, prefixes, sets = await asyncio.to_thread(ask, caller.replica.oai_url)

    assert (name, granularity) == ("arXiv", "YYYY-MM-DD")
    assert prefixes == ["oai_dc", "arXiv", "arXivOld", "arXivRaw"]
    assert len(sets) == 183


async def test_scythe_is_told_of_a_token_that_has_expired(calling):
    def harvest(url, expire):
        with Scythe(url) as client:
            records = client.list_records(metadata_prefix="arXiv")
            for _ in range(60):
                next(records)
            expire()
            with pytest.raises(BadResumptionToken):
                list(records)

    async with calling(oai_records=60) as one:
        await asyncio.to_thread(harvest, one.replica.oai_url, one.replica.oai.tokens.expire)


async def test_sickle_harvests_every_identifier_and_a_record(calling):
    def harvest(url):
        client = Sickle(url)
        names = [one.identifier for one in client.ListIdentifiers(metadataPrefix="arXivRaw")]
        record = client.GetRecord(identifier=names[0], metadataPrefix="oai_dc")
        with pytest.raises(IdDoesNotExist):
            client.GetRecord(identifier="oai:arXiv.org:9912.12345", metadataPrefix="arXiv")
        return names, record.metadata

    async with calling(oai_identifiers=90) as one:
        names, metadata = await asyncio.to_thread(harvest, one.replica.oai_url)

        assert sorted(name.removeprefix("oai:arXiv.org:") for name in names) == corpus_ids(
            one.replica
        )
    first = names[0].removeprefix("oai:arXiv.org:")
    assert [url.rpartition("/abs/")[2] for url in metadata["identifier"][:2]] == [first] * 2
    assert metadata["title"]


async def test_sickle_waits_as_a_503_says(caller):
    caller.replica.script([{"kind": "503", "lane": "oai", "retry_after": "1"}])

    def harvest(url):
        client = Sickle(url, max_retries=1)
        return [one.header.identifier for one in client.ListRecords(metadataPrefix="arXiv")]

    names = await asyncio.to_thread(harvest, caller.replica.oai_url)

    records = caller.replica.log.since(lane="oai")
    assert len(names) == 400
    assert [record.status for record in records] == [503, 200]
    assert records[1].started - records[0].ended >= 0.9


async def test_windows_of_a_month_as_metha_asks_for_them(calling):
    """From and until of every month since the first; months without records are an error."""

    def harvest(url):
        found, empty = [], 0
        with Scythe(url) as client:
            for first, last in months(date(2005, 9, 16), date(2026, 6, 30)):
                window = {"from_": f"{first}", "until": f"{last}", "metadata_prefix": "arXiv"}
                try:
                    found += [one.header.identifier for one in client.list_records(**window)]
                except NoRecordsMatch:
                    empty += 1
        return found, empty

    async with calling(papers=150, oai_records=7) as one:
        one.replica.clock.set(datetime(2026, 7, 1, tzinfo=UTC))
        found, empty = await asyncio.to_thread(harvest, one.replica.oai_url)

        names = [name.removeprefix("oai:arXiv.org:") for name in found]
        assert sorted(names) == corpus_ids(one.replica)
    assert empty > 10


def months(first, last):
    """The first and last day of every month from `first` to `last`."""
    while first <= last:
        _, days = calendar.monthrange(first.year, first.month)
        end = first.replace(day=days)
        yield first, end
        first = date.fromordinal(end.toordinal() + 1)
