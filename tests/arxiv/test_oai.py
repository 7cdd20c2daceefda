from datetime import UTC, date, datetime

import pytest

from service.arxiv import oai
from service.domain.errors import UpstreamFaulty, UpstreamRejected
from service.domain.identifiers import ArxivId
from service.domain.papers import TOLD_BY_OAI_ARXIV, TOLD_BY_OAI_RAW, EntryError, PaperVersion
from tests.arxiv import oai_feeds as feeds

TWO_VERSIONS = (
    "<version version='v2'><date>Wed, 6 Mar 2024 11:12:13 GMT</date><size>0kb</size>"
    "<source_type>I</source_type></version>"
    "<version version='v1'><date>Tue, 05 Mar 2024 10:00:00 GMT</date></version>"
)


def only(body):
    (paper,) = oai.records(body).papers
    return paper


def test_a_raw_record_becomes_a_paper_field_by_field():
    metadata = feeds.raw(
        "math/0309136",
        versions=TWO_VERSIONS,
        title="On\n  M\\\"ossbauer $\\'e$",
        authors="A. B.Czerwi\\'nski (1) and C D ((1) U. X)",
        comments="3 pages, Universit\\'e",
        proxy="EPTCS",
        report_no="R-1",
        acm_class="None",
        msc_class="11G20",
        journal_ref='Z. f\\"ur X 1',
        doi="10.1/x",
        license="http://creativecommons.org/licenses/by/4.0/",
    )

    paper = only(feeds.listed(feeds.record("math/0309136", metadata=metadata)))

    assert paper.arxiv_id == ArxivId("math/0309136", 2)
    assert (paper.title, paper.abstract) == ("On Mössbauer $\\'e$", "An abstract.")
    assert paper.authors == ("A. B. Czerwiński", "C D")
    assert paper.affiliations == (("U. X",), ())
    assert (paper.categories, paper.primary_category) == (("cs.AI", "cs.LG"), "cs.AI")
    assert paper.published_at == datetime(2024, 3, 5, 10, tzinfo=UTC)
    assert paper.updated_at == datetime(2024, 3, 6, 11, 12, 13, tzinfo=UTC)
    assert (paper.doi, paper.journal_ref) == ("10.1/x", "Z. für X 1")
    assert paper.comments == "3 pages, Université"
    assert paper.license == "http://creativecommons.org/licenses/by/4.0/"
    assert (paper.submitter, paper.datestamp) == ("Ada", date(2024, 3, 6))
    assert paper.versions == (
        PaperVersion(version=1, submitted_at=datetime(2024, 3, 5, 10, tzinfo=UTC)),
        PaperVersion(version=2, submitted_at=paper.updated_at, size_kb=0, source_type="I"),
    )
    assert paper.withdrawn
    assert paper.told == TOLD_BY_OAI_RAW


def test_a_parted_record_tells_neither_version_nor_history():
    authors = (
        "<author><keyname>Bloggs,</keyname><forenames>F.J.</forenames><suffix>Jr</suffix></author>"
        "<author><keyname>BELLE</keyname></author>"
    )
    body = feeds.listed(feeds.record(metadata=feeds.parted(authors=authors)))

    paper = only(body)

    assert paper.arxiv_id == ArxivId("2401.00001", 1)
    assert paper.authors == ("F. J. Bloggs Jr", "BELLE")
    assert paper.published_at == paper.updated_at == datetime(2024, 3, 5, tzinfo=UTC)
    assert (paper.versions, paper.abstract, paper.withdrawn) == ((), "", False)
    assert paper.told == TOLD_BY_OAI_ARXIV


def test_a_parted_record_tells_affiliations_and_a_withdrawal_only_if_it_has_them():
    authors = "<author><keyname>A</keyname><affiliation>MIT</affiliation></author>"
    metadata = feeds.parted(authors=authors, more="<comments>Paper withdrawn.</comments>")

    paper = only(feeds.listed(feeds.record(metadata=metadata)))

    assert paper.affiliations == (("MIT",),)
    assert paper.told - TOLD_BY_OAI_ARXIV == {"affiliations", "withdrawn"}


def test_one_paper_has_the_same_authors_in_both_formats():
    raw = feeds.raw(authors="Fred J.P. Bloggs, Jr, the BELLE Collaboration and Rafa{\\l} X")
    authors = (
        "<author><keyname>Bloggs,</keyname><forenames>Fred J. P.</forenames><suffix>Jr</suffix>"
        "</author><author><keyname>Collaboration</keyname><forenames>the BELLE</forenames></author>"
        "<author><keyname>X</keyname><forenames>Rafał</forenames></author>"
    )
    parted = feeds.parted(authors=authors)

    papers = oai.records(
        feeds.listed(feeds.record(metadata=raw), feeds.record(metadata=parted))
    ).papers

    assert papers[0].authors == papers[1].authors


@pytest.mark.parametrize(
    ("field", "value"), [("license", None), ("doi", " "), ("comments", "None"), ("doi", "None")]
)
def test_what_is_missing_empty_or_none_in_words_is_none(field, value):
    paper = only(feeds.listed(feeds.record(metadata=feeds.raw(**{field: value}))))

    assert getattr(paper, field) is None


def test_one_page_has_papers_deleted_headers_bad_records_and_a_token():
    body = feeds.listed(
        feeds.record("2401.00001", day="2024-03-07"),
        f"<record>{feeds.header('2401.00002', '2024-03-08', status='deleted')}</record>",
        feeds.record("2401.00003", metadata=""),
        feeds.record("2401.00004", day="2024-03-06"),
        token="verb%3DListRecords",
    )

    page = oai.records(body)

    assert [paper.arxiv_id.paper for paper in page.papers] == ["2401.00001", "2401.00004"]
    assert [(one.paper, one.is_deleted) for one in page.deleted] == [("2401.00002", True)]
    assert page.errors == (EntryError("the record has no metadata", "2401.00003"),)
    assert (page.token, page.last_day) == ("verb%3DListRecords", date(2024, 3, 8))
    assert page.entries == 4


BAD_RECORDS = {
    "<record/>": EntryError("the record has no header"),
    feeds.record("nonsense"): EntryError("the record's identifier is no arXiv id"),
    feeds.record(day="soon"): EntryError("the record's `datestamp` is no day", "2401.00001"),
    feeds.record(metadata="<metadata><dc xmlns='http://x/'>x</dc></metadata>"): EntryError(
        "the record is in a format that was not asked for", "2401.00001"
    ),
    feeds.record(metadata=feeds.raw(title=" ")): EntryError(
        "the record has no title", "2401.00001"
    ),
    feeds.record(metadata=feeds.raw(categories="None")): EntryError(
        "the record has no category", "2401.00001"
    ),
    feeds.record(metadata=feeds.raw(versions="")): EntryError(
        "the record has no version", "2401.00001"
    ),
    feeds.record(metadata=feeds.raw(versions=feeds.VERSION.replace("v1", "v0"))): EntryError(
        "one of the record's versions has no number", "2401.00001"
    ),
    feeds.record(metadata=feeds.raw(versions="<version version='v1'/>")): EntryError(
        "one of the record's versions has no date", "2401.00001"
    ),
    feeds.record(metadata=feeds.raw(versions=feeds.VERSION.replace("Mar", "Mrz"))): EntryError(
        "the `date` of one of the record's versions is no moment", "2401.00001"
    ),
    feeds.record(metadata=feeds.raw(versions=feeds.VERSION.replace("GMT", "EST"))): EntryError(
        "the `date` of one of the record's versions is no moment", "2401.00001"
    ),
    feeds.record(metadata=feeds.parted().replace("2024-03-05", "now")): EntryError(
        "the record's `created` or `updated` is no day", "2401.00001"
    ),
}


@pytest.mark.parametrize(("bad", "expected"), BAD_RECORDS.items())
def test_a_bad_record_is_an_error_of_that_record_only(bad, expected):
    page = oai.records(feeds.listed(feeds.record("2401.00008"), bad, feeds.record("2401.00009")))

    assert [paper.arxiv_id.paper[-1] for paper in page.papers] == ["8", "9"]
    assert page.errors == (expected,)


@pytest.mark.parametrize("token", [None, "", " "])
def test_an_empty_or_missing_token_means_the_last_page(token):
    assert oai.records(feeds.listed(feeds.record(), token=token)).token is None


def test_no_match_is_an_empty_page():
    assert oai.records(feeds.error("noRecordsMatch")) == oai.RecordPage()
    assert oai.identifiers(feeds.error("noRecordsMatch")) == oai.HeaderPage()


@pytest.mark.parametrize("read", [oai.records, oai.identifiers])
def test_a_refused_token_is_an_error_of_its_own(read):
    with pytest.raises(oai.TokenRefused):
        read(feeds.error("badResumptionToken"))


@pytest.mark.parametrize("code", ["badArgument", "badVerb", "cannotDisseminateFormat"])
@pytest.mark.parametrize("read", [oai.records, oai.identifiers, oai.record])
def test_any_other_error_is_a_refusal_with_its_reason(read, code):
    with pytest.raises(UpstreamRejected, match=f"{code}: no such set") as caught:
        read(feeds.error(code, "no such\n set" + "!" * 1000))

    assert caught.value.code == "upstream_rejected"
    assert len(str(caught.value)) < 300


def test_a_single_record_is_a_paper_a_deleted_header_an_error_or_nothing():
    paper = oai.record(feeds.listed(feeds.record(), verb="GetRecord"))
    gone = oai.record(
        feeds.listed(f"<record>{feeds.header(status='deleted')}</record>", verb="GetRecord")
    )
    bad = oai.record(feeds.listed(feeds.record(metadata=""), verb="GetRecord"))

    assert paper.arxiv_id == ArxivId("2401.00001", 1)
    assert gone.is_deleted
    assert isinstance(bad, EntryError)
    assert oai.record(feeds.error("idDoesNotExist")) is None


def test_identifiers_are_headers_with_their_sets():
    body = feeds.listed(
        feeds.header("math/0309136", "2024-03-06", "<setSpec>math:math:GT</setSpec>"),
        feeds.header("x"),
        token="t",
        verb="ListIdentifiers",
    )

    page = oai.identifiers(body)

    day = date(2024, 3, 6)
    sets = ("cs:cs:AI", "math:math:GT")
    assert page.headers == (oai.Header(paper="math/0309136", datestamp=day, sets=sets),)
    assert len(page.errors) == 1
    assert page.token == "t"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body><h1>Retry after 10 seconds</h1></body></html>",
        b"<OAI-PMH/>",
        feeds.answer(""),
        feeds.listed(feeds.record())[:-3],
        feeds.listed(feeds.record()).replace(b"?>", b"?><!DOCTYPE OAI-PMH>"),
    ],
)
@pytest.mark.parametrize("read", [oai.records, oai.identifiers, oai.record])
def test_what_is_no_answer_of_that_verb_is_a_fault(body, read):
    with pytest.raises(UpstreamFaulty):
        read(body)


def test_an_answer_that_is_too_large_is_a_fault(monkeypatch):
    body = feeds.listed(feeds.record())
    monkeypatch.setattr(oai, "MAX_BYTES", len(body) - 1)

    with pytest.raises(UpstreamFaulty, match="larger"):
        oai.records(body)


def test_more_headers_than_any_page_has_are_refused():
    body = feeds.listed(*["<header/>"] * 50_001, verb="ListIdentifiers")

    with pytest.raises(UpstreamFaulty, match="more entries"):
        oai.identifiers(body)


@pytest.mark.parametrize("bad", ["&#x1;", "&#xD800;", "\x0b", "\uffff", "\x00"])
def test_case_103_characters_that_xml_forbids_cost_no_record(bad):
    body = feeds.listed(
        feeds.record("2401.00001"),
        feeds.record("2401.00002", metadata=feeds.raw(abstract=f"he{bad}at")),
        feeds.record("2401.00003"),
    )

    page = oai.records(body)

    assert [paper.arxiv_id.paper[-1] for paper in page.papers] == ["1", "2", "3"]
    assert page.papers[1].abstract == "heat"
    with pytest.raises(UpstreamFaulty):
        oai.records(body[:-20])
