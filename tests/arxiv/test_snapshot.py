import hashlib
from datetime import UTC, date, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arxiv import oai
from service.arxiv.snapshot import MAX_LINE_BYTES, READING, BadLine, paper_of, record_in
from service.domain.identifiers import ArxivId
from service.domain.papers import TOLD_BY_SNAPSHOT, Paper, PaperVersion
from tests.arxiv import oai_feeds as feeds

DOCUMENT = {
    "id": "0704.0001",
    "submitter": "Pavel Nadolsky",
    "authors": "C. Bal\\'azs (1), P. M.Nadolsky ((1) U. X)",
    "title": "On M\\\"ossbauer\n  diphotons $\\'e$",
    "comments": "37 pages, 5% & more",
    "journal-ref": "Phys.Rev.D76:013009,2007",
    "doi": "10.1103/PhysRevD.76.013009",
    "report-no": "ANL-HEP-PR-07-12",
    "categories": "hep-ph hep-ex",
    "license": None,
    "abstract": "  A fully\n differential calculation.\n",
    "versions": [
        {"version": "v10", "created": "Tue, 24 Jul 2007 20:10:27 GMT"},
        {"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"},
    ],
    "update_date": "2008-11-26",
    "authors_parsed": [["Balázs", "C.", ""]],
}


def line(**changes):
    return orjson.dumps(DOCUMENT | changes)


def paper_in(text, number):
    record = record_in(text, number)
    return record if isinstance(record, BadLine) else paper_of(record)


def test_a_line_becomes_a_paper_field_by_field():
    paper = paper_in(line(), 1)

    assert paper.arxiv_id == ArxivId("0704.0001", 10)
    assert paper.title == "On Mössbauer diphotons $\\'e$"
    assert paper.abstract == "A fully differential calculation."
    assert paper.authors == ("C. Balázs", "P. M. Nadolsky")
    assert paper.affiliations == (("U. X",), ())
    assert (paper.categories, paper.primary_category) == (("hep-ph", "hep-ex"), "hep-ph")
    assert paper.published_at == datetime(2007, 4, 2, 19, 18, 42, tzinfo=UTC)
    assert paper.updated_at == datetime(2007, 7, 24, 20, 10, 27, tzinfo=UTC)
    assert paper.versions == (
        PaperVersion(version=1, submitted_at=paper.published_at),
        PaperVersion(version=10, submitted_at=paper.updated_at),
    )
    assert (paper.doi, paper.journal_ref) == (
        "10.1103/PhysRevD.76.013009",
        "Phys.Rev.D76:013009,2007",
    )
    assert (paper.comments, paper.license) == ("37 pages, 5% & more", None)
    assert (paper.submitter, paper.datestamp) == ("Pavel Nadolsky", date(2008, 11, 26))
    assert not paper.withdrawn
    assert paper.told == TOLD_BY_SNAPSHOT


def test_a_withdrawal_is_told_when_the_comment_tells_it():
    paper = paper_in(line(comments="This paper has been withdrawn"), 1)

    assert paper.withdrawn
    assert paper.told - TOLD_BY_SNAPSHOT == {"withdrawn"}


def test_snapshot_and_oai_tell_the_same_of_one_paper():
    versions = "<version version='v1'><date>Mon, 2 Apr 2007 19:18:42 GMT</date></version>"
    names = {"title", "authors", "comments", "journal-ref", "doi", "categories", "abstract"}
    fields = {name.replace("-", "_"): DOCUMENT[name].replace("&", "&amp;") for name in names}
    metadata = feeds.raw("0704.0001", versions=versions, **fields)
    (harvested,) = oai.records(feeds.listed(feeds.record("0704.0001", metadata=metadata))).papers

    imported = paper_in(line(versions=DOCUMENT["versions"][1:]), 1)

    for name in TOLD_BY_SNAPSHOT - {"submitter", "datestamp", "version"}:
        assert getattr(imported, name) == getattr(harvested, name), name
    assert imported.arxiv_id == harvested.arxiv_id


# Of what the lines below are read as, by the number that is part of their digests.
READ_AS = {b"1": "bbed252ef37fb390a090ffd9c0a96325c00ae014b8e47c4a31390587a40c032d"}
FIELDS = ("arxiv_id", *sorted(TOLD_BY_SNAPSHOT - {"version"}), "withdrawn")


def test_lines_are_read_as_ever_or_their_digests_have_another_number():
    """Else what is held of a line that was read in the old way would be left as it is."""
    texts = [
        line(),
        line(comments="This paper has been withdrawn", license="http://x.org/by/4.0/"),
        line(
            title="A $x_{1}$ \\'Etude  of\n  {\\L}\\'od\\'z",
            authors="A. B\\\"ar, C. D\\'e and E (X)",
        ),
        line(versions=DOCUMENT["versions"][1:], doi=None, **{"journal-ref": "Nucl.\\ Phys."}),
    ]
    papers = [paper_in(text, 1) for text in texts]
    said = [[(name, getattr(one, name)) for name in FIELDS] for one in papers]

    assert hashlib.sha256(repr(said).encode()).hexdigest() == READ_AS.get(READING)


def test_a_subject_class_is_dropped():
    assert paper_in(line(id="math.GT/0309136"), 1).arxiv_id.paper == "math/0309136"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "the line is no JSON"),
        (b"\xff\xfe", "the line is no JSON"),
        (b"[]", "the line is no JSON object"),
        (b"null", "the line is no JSON object"),
        (b" " * (MAX_LINE_BYTES + 1), "the line is too long"),
        (line(id="nonsense"), "its `id` is no arXiv id"),
        (line(id=None), "its `id` is no arXiv id"),
        (line(id=704.0001), "its `id` is no text"),
        (line(title=" "), "it has no title"),
        (line(title=["x"]), "its `title` is no text"),
        (line(categories=""), "it has no category"),
        (line(versions=[]), "it has no `versions`"),
        (line(versions=None), "it has no `versions`"),
        (line(versions="v1"), "it has no `versions`"),
        (line(versions=["v1"]), "one of its `versions` is none"),
        (line(versions=[{"version": "v1"}]), "one of its `versions` is none"),
        (line(versions=[{"version": 1, "created": "x"}]), "one of its `versions` is none"),
        (line(versions=[{"version": "v0", "created": "x"}]), "one of its `versions` is none"),
        (
            line(versions=[{"version": "v1", "created": "Mon, 31 Feb 2007 19:18:42 GMT"}]),
            "one of its `versions` is none",
        ),
        (line(update_date="2008"), "its `update_date` is no day"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_reason(bad, reason):
    assert paper_in(bad, 7) in (
        BadLine(7, reason),
        BadLine(7, reason, "0704.0001"),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.binary(max_size=60)
    | st.builds(lambda name, value: line(**{name: value}), st.sampled_from(sorted(DOCUMENT)), JSON)
)
def test_any_line_is_a_paper_or_a_bad_line(text):
    assert isinstance(paper_in(text, 1), Paper | BadLine)
