import asyncio
import resource
import time
from datetime import UTC, datetime

import pytest

from service.arxiv.atom import parse
from service.domain.errors import UpstreamFaulty, UpstreamRejected
from service.domain.identifiers import ArxivId
from service.domain.papers import EntryError
from tests import hostile

HEAD = (
    b'<feed xmlns="http://www.w3.org/2005/Atom"'
    b' xmlns:o="http://a9.com/-/spec/opensearch/1.1/"><o:totalResults>1</o:totalResults>'
)


def test_an_entry_becomes_a_paper_field_by_field(http):
    more = (
        '<category term="stat.ML"/><category term="cs.AI"/>'
        "<author><name> Q.  Public </name><arxiv:affiliation>MPA,\n Garching</arxiv:affiliation>"
        "<arxiv:affiliation> </arxiv:affiliation><arxiv:affiliation>MIT</arxiv:affiliation>"
        "</author><author><name> </name><arxiv:affiliation>nobody's</arxiv:affiliation></author>"
        "<arxiv:doi>10.1/x</arxiv:doi><arxiv:journal_ref>J. 1\n (2)</arxiv:journal_ref>"
        "<arxiv:comment>3 pages</arxiv:comment>"
        '<link rel="license" href="http://creativecommons.org/licenses/by/4.0/"/>'
    )
    entry = http.entry("math.GT/0309136v2", title="\n A\t  title \x7f", more=more)

    (paper,) = parse(http.feed(entry)).papers

    assert paper.arxiv_id == ArxivId("math/0309136", 2)
    assert (paper.title, paper.abstract) == ("A title", "About it.")
    assert paper.authors == ("Ada Lovelace", "Q. Public")
    assert paper.affiliations == ((), ("MPA, Garching", "MIT"))
    assert paper.categories == ("cs.AI", "stat.ML")
    assert paper.primary_category == "cs.AI"
    assert paper.published_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert paper.updated_at.tzinfo is UTC
    assert (paper.doi, paper.journal_ref, paper.comments) == ("10.1/x", "J. 1 (2)", "3 pages")
    assert paper.license == "http://creativecommons.org/licenses/by/4.0/"
    assert not paper.withdrawn


def test_accents_are_converted_and_formulas_kept(http):
    more = (
        "<author><name>J.P. Czerwi\\'nski</name></author><author><name>:</name></author>"
        "<arxiv:comment>in Universit\\'e</arxiv:comment>"
        '<arxiv:journal_ref>Fort. d. Phys. f\\"ur x</arxiv:journal_ref>'
    )
    entry = http.entry(title="M\\\"ossbauer $\\'e$ 5%", more=more).replace(
        "About it", "\\'A propos"
    )

    (paper,) = parse(http.feed(entry)).papers

    assert paper.title == "Mössbauer $\\'e$ 5%"
    assert paper.authors == ("Ada Lovelace", "J. P. Czerwiński")
    assert (paper.abstract, paper.comments) == ("Á propos.", "in Université")
    assert paper.journal_ref == "Fort. d. Phys. für x"


def test_what_arxiv_leaves_out_is_none(http):
    (paper,) = parse(http.feed(http.entry())).papers

    assert (paper.doi, paper.journal_ref, paper.comments, paper.license) == (None,) * 4
    assert paper.affiliations == ((),)


def test_the_feed_tells_what_it_names_and_nothing_else(http):
    plain, rich = parse(
        http.feed(
            http.entry("2401.00001v1"),
            http.entry(
                "2401.00002v1",
                more="<author><name>B</name><arxiv:affiliation>MIT</arxiv:affiliation></author>"
                "<arxiv:comment>Withdrawn</arxiv:comment><link rel='license' href='http://x/'/>",
            ),
        )
    ).papers

    untold = {"affiliations", "license", "withdrawn", "versions", "submitter", "datestamp"}
    assert not plain.told & untold
    assert {"title", "version", "doi", "comments", "published_at"} <= plain.told
    assert rich.told - plain.told == {"affiliations", "license", "withdrawn"}


def test_a_withdrawn_paper_is_marked(http):
    more = "<arxiv:comment>This paper has been withdrawn by the author</arxiv:comment>"

    (paper,) = parse(http.feed(http.entry(more=more))).papers

    assert paper.withdrawn


def test_a_moment_with_an_offset_is_told_in_utc(http):
    (paper,) = parse(http.feed(http.entry(published="2024-01-01T23:00:00-05:00"))).papers

    assert paper.published_at == datetime(2024, 1, 2, 4, tzinfo=UTC)
    assert paper.published_at.tzinfo is UTC


def test_markup_and_comments_inside_a_text_do_not_cut_it(http):
    (paper,) = parse(http.feed(http.entry(title="a <b>bold</b><!-- x --> claim &lt;3"))).papers

    assert paper.title == "a bold claim <3"


GHOST = '<entry><category term=""/></entry>'


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (GHOST, EntryError("the entry has no id")),
        ({"title": " "}, EntryError("the entry has no title", "2401.00001")),
        ({"arxiv_id": "../../etc/passwd"}, EntryError("the entry's id is no arXiv id")),
        ({"arxiv_id": "２４０１.00001v1"}, EntryError("the entry's id is no arXiv id")),
        ({"arxiv_id": "2401.00001"}, EntryError("the entry's id has no version", "2401.00001")),
        (
            {"published": "yesterday"},
            EntryError("the entry's `published` is no moment", "2401.00001"),
        ),
        (
            {"published": "2024-01-02T03:04:05"},
            EntryError("the entry's `published` is no moment", "2401.00001"),
        ),
        (
            {"published": "0001-01-01T00:00:00+10:00"},
            EntryError("the entry's `published` is no moment", "2401.00001"),
        ),
    ],
)
def test_a_bad_entry_is_an_error_of_that_entry_only(http, bad, error):
    broken = bad if isinstance(bad, str) else http.entry(**bad)

    page = parse(http.feed(http.entry("2401.00002v1"), broken, http.entry("2401.00003v1")))

    assert [str(paper.arxiv_id) for paper in page.papers] == ["2401.00002v1", "2401.00003v1"]
    assert page.errors == (error,)
    assert page.entries == 3


BAD_CHARACTERS = {
    "reference": "&#x1;",
    "decimal reference": "&#11;",
    "surrogate": "&#xD800;",
    "long reference": "&#x0000000000001;",
    "beyond Unicode": "&#x110000;",
    "vertical tab": "\x0b",
    "noncharacter": "\uffff",
    "nul": "\x00",
    "all": "&#x1;&#xD800;\x0b\uffff\x00",
}


@pytest.mark.parametrize("bad", BAD_CHARACTERS.values(), ids=BAD_CHARACTERS)
def test_case_103_characters_that_xml_forbids_are_dropped_and_every_entry_kept(http, bad):
    body = http.feed(
        http.entry("2401.00001v1"),
        http.entry("2401.00002v1", title=f"he{bad}at b&#xe4;th &amp;#x1; &#x1F600;"),
        http.entry("2401.00003v1"),
    )

    page = parse(body)

    assert [paper.arxiv_id.paper[-1] for paper in page.papers] == ["1", "2", "3"]
    assert page.papers[1].title == "heat bäth &#x1; \U0001f600"
    assert page.errors == ()


@pytest.mark.parametrize("bad", BAD_CHARACTERS.values(), ids=BAD_CHARACTERS)
def test_a_cut_feed_with_bad_characters_is_still_a_cut_feed(http, bad):
    body = http.feed(http.entry(title=f"a{bad}b"))

    for end in (len(body) - 1, len(body) - 7, body.index(b"</title>")):
        with pytest.raises(UpstreamFaulty):
            parse(body[:end])


@pytest.mark.parametrize(
    "head", ["<!DOC\x00TYPE feed>", "<!DO\x0bCTYPE feed [<!ENTITY a 'b'>]>", "<!DOCTYPE\x01 feed>"]
)
def test_a_document_type_is_not_let_in_by_the_cleaning(http, head):
    with pytest.raises(UpstreamFaulty, match="of a kind that we do not read"):
        parse(head.encode() + http.feed(http.entry(title="a&#x1;")))


@pytest.mark.parametrize(
    "page",
    [
        "<html><body><h1>Retry after 10 seconds</h1></body></html>",
        "\n<!DOCTYPE html>\n<html lang='en'></html>",
        "\ufeff<!-- x --> <HTML></HTML>",
    ],
)
def test_a_web_page_in_place_of_a_feed_is_called_one(page):
    with pytest.raises(UpstreamFaulty, match="web page"):
        parse(page.encode())


def test_an_entry_without_any_category_is_an_error(http):
    entry = http.entry().replace('term="cs.AI"', 'term=""')

    page = parse(http.feed(entry))

    assert page.errors == (EntryError("the entry has no category", "2401.00001"),)


def test_the_total_is_what_arxiv_says_not_what_came(http):
    assert parse(http.feed(total=7)).total == 7
    assert parse(http.feed(total=7)).entries == 0


def error_entry(error_id, title):
    reason = "<summary>start\n too big</summary>"
    return f"<entry><id>{error_id}</id><title>{title}</title>{reason}</entry>"


@pytest.mark.parametrize(
    "entry",
    [
        error_entry("https://arxiv.org/api/errors#start_too_big", "Error"),
        error_entry("http://arxiv.org/api/errors#start_too_big", "Oops"),
        error_entry("http://elsewhere/", "Error"),
    ],
)
def test_the_error_feed_is_a_refusal_with_its_reason(http, entry):
    with pytest.raises(UpstreamRejected, match=r"start too big$"):
        parse(http.feed(entry))


def test_an_endless_reason_is_cut(http):
    entry = error_entry("http://arxiv.org/api/errors", "Error").replace("start", "x" * 10_000)

    with pytest.raises(UpstreamRejected) as caught:
        parse(http.feed(entry))

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Rate exceeded.",
        b"<html><body>503</body></html>",
        b'<feed xmlns="http://example.org/"/>',
        b'<feed xmlns="http://www.w3.org/2005/Atom"/>',
        HEAD.replace(b">1<", b">-1<") + b"</feed>",
        HEAD.replace(b">1<", b">" + b"9" * 5000 + b"<") + b"</feed>",
        HEAD,
        HEAD + b"<entry></feed>",
        HEAD + b"\xff</feed>",
        HEAD + b"&nbsp;</feed>",
        (HEAD + b"</feed>").decode().encode("utf-16"),
        (HEAD + b"</feed>").decode().encode("utf-16-le"),
        (HEAD + b"</feed>").decode().encode("utf-16-be"),
    ],
)
def test_what_is_no_atom_feed_is_a_fault_of_the_answer(body):
    with pytest.raises(UpstreamFaulty):
        parse(body)


def test_more_entries_than_a_page_has_are_refused(http):
    with pytest.raises(UpstreamFaulty):
        parse(http.feed(*[http.entry()] * 2001))


@pytest.mark.parametrize("body", hostile.feeds().values(), ids=hostile.feeds())
def test_a_hostile_feed_is_refused_at_once(body):
    began, held = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(UpstreamFaulty):
        parse(body)

    assert time.process_time() - began < 10  # of the processor; else minutes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 50 * 1024  # KiB


def test_a_huge_attribute_is_no_trouble():
    body = HEAD + b'<entry a="%s"/></feed>' % (b"x" * 4 * 1024 * 1024)
    began = time.process_time()

    page = parse(body)

    assert time.process_time() - began < 10  # of the processor; else minutes
    assert page.errors == (EntryError("the entry has no id"),)


async def test_an_external_dtd_is_refused_and_not_fetched(other_host):
    with pytest.raises(UpstreamFaulty):
        await asyncio.to_thread(parse, hostile.external_dtd(f"{other_host.origin}/x.dtd"))

    assert other_host.asked == []


def test_a_file_named_by_an_entity_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")

    with pytest.raises(UpstreamFaulty) as caught:
        parse(hostile.external_entity(f"file://{secret}"))

    assert "the secret" not in repr(caught.value)
