"""The service's own readers on what the stand-in writes: both know the same paper.

Neither side shares code with the other, so that what one of them gets wrong about
a format shows here.
"""

import pytest

from service.arxiv import oai, oai_query, snapshot
from service.devtools.stand_in.log import RequestLog
from service.devtools.stand_in.server import Replica, ReplicaOptions
from service.devtools.stand_in.snapshot import lines

PAPERS = 2_500


@pytest.fixture(scope="module")
def replica():
    with RequestLog() as log:
        yield Replica(ReplicaOptions(papers=PAPERS), log)


def read_page(replica, prefix):
    asked = {"verb": "ListRecords", "metadataPrefix": prefix}
    page = oai.records(replica.oai.answer(asked, "http://stand-in.test")[0])
    assert not page.errors
    return {one.arxiv_id.paper: one for one in page.papers}


def wrong(read, truth, names):
    """The fields that a reader gives otherwise than the corpus holds them, with both values."""
    return {
        name: (getattr(read, name), getattr(truth, name))
        for name in names
        if getattr(read, name) != getattr(truth, name)
    }


def differences(replica, papers, names, affiliations):
    found = {}
    for paper, read in papers.items():
        record = replica.records.record(replica.corpus.calendar.find(paper))
        told = wrong(read, record.paper, names)
        places = tuple(author.affiliations for author in record.authors)
        if affiliations and read.affiliations != places:
            told["affiliations"] = (read.affiliations, places)
        if read.license != record.license:
            told["license"] = (read.license, record.license)
        if read.datestamp != record.modified_at.date():
            told["datestamp"] = (read.datestamp, record.modified_at.date())
        if told:
            found[paper] = told
    return found


TEXTS = ["title", "abstract", "authors", "categories", "primary_category"]
TEXTS += ["doi", "journal_ref", "comments"]


def test_raw_records_are_read_as_the_corpus_holds_them(replica):
    papers = read_page(replica, "arXivRaw")

    names = [*TEXTS, "arxiv_id", "published_at", "updated_at", "withdrawn"]
    assert len(papers) == PAPERS
    assert differences(replica, papers, names, affiliations=True) == {}
    for paper, read in papers.items():
        record = replica.records.record(replica.corpus.calendar.find(paper))
        assert [
            (one.version, one.submitted_at, one.size_kb, one.source_type) for one in read.versions
        ] == [
            (one.number, one.submitted_at, one.size_kb, one.source_type) for one in record.versions
        ]


def test_records_of_format_arxiv_are_read_as_the_corpus_holds_them(replica):
    papers = read_page(replica, "arXiv")

    assert len(papers) == PAPERS
    assert differences(replica, papers, [*TEXTS, "withdrawn"], affiliations=False) == {}


def test_lines_of_the_metadata_file_are_read_as_the_corpus_holds_them(replica):
    read = [snapshot.record_in(line, number) for number, line in enumerate(lines(replica.records))]
    papers = [snapshot.paper_of(record) for record in read]

    names = [*TEXTS, "arxiv_id", "published_at", "updated_at", "withdrawn"]
    by_id = {one.arxiv_id.paper: one for one in papers}
    assert len(by_id) == PAPERS
    assert differences(replica, by_id, names, affiliations=True) == {}


def test_tokens_are_read_as_the_list_goes_on(replica):
    replica.oai.records_limit = 400
    asked = {"verb": "ListRecords", "metadataPrefix": "arXiv", "set": "physics"}
    page = oai.records(replica.oai.answer(asked, "http://stand-in.test")[0])
    replica.oai.records_limit = PAPERS

    query = oai_query.decoded(page.token)

    assert query is not None
    assert query.set_spec == "physics"
    assert query.from_date >= max(paper.datestamp for paper in page.papers)
    assert query.skip == sum(paper.datestamp == query.from_date for paper in page.papers)
    assert query.token() == page.token
