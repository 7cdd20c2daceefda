from datetime import UTC, datetime

import pytest

from service.devtools.stand_in.corpus import MAX_PAPERS, Corpus
from service.devtools.stand_in.prose import tokens_of
from service.devtools.stand_in.query import BadQuery, parse_query
from service.devtools.stand_in.search import Search
from service.domain.identifiers import ArxivId

CORPUS = Corpus(3_000, 7)
PAPERS = [CORPUS.paper(number) for number in range(CORPUS.papers)]
SEARCH = Search(CORPUS)


def ids(papers):
    return {paper.arxiv_id.paper for paper in papers}


def holds(phrase, text):
    words, wanted = tokens_of(text), tokens_of(phrase)
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words)))


def by_author(phrase, paper):
    return any(
        holds(phrase, name) or holds(phrase, " ".join(reversed(name.split(" ", 1))))
        for name in paper.authors
    )


def test_the_same_size_and_seed_give_the_same_papers():
    again, other = Corpus(3_000, 7), Corpus(3_000, 8)

    assert [again.paper(number) for number in range(0, 3_000, 97)] == PAPERS[::97]
    assert [other.paper(number).title for number in range(50)] != [p.title for p in PAPERS[:50]]


@pytest.mark.parametrize("size", [1, 9, 60, 1_000, 100_000, MAX_PAPERS])
def test_every_id_leads_back_to_its_paper(size):
    corpus = Corpus(size, 1)

    for number in {0, 1, size // 10 - 1, size // 10, size // 2, size - 2, size - 1}:
        if 0 <= number < size:
            arxiv_id = corpus.id_of(number)
            assert corpus.find(ArxivId.parse(str(arxiv_id))) == number


def test_ids_are_unique_and_both_schemes_occur():
    texts = [paper.arxiv_id.paper for paper in PAPERS]

    assert len(set(texts)) == len(texts)
    assert 0.05 < sum("/" in text for text in texts) / len(texts) < 0.15
    assert {len(text) for text in texts if "/" not in text} == {9, 10}


def test_papers_are_numbered_by_date_of_submission():
    moments = [paper.published_at for paper in PAPERS]

    assert moments == sorted(set(moments))
    assert all(paper.updated_at >= paper.published_at for paper in PAPERS)


def test_unknown_papers_and_versions_are_not_found():
    last = PAPERS[-1].arxiv_id

    assert CORPUS.find(ArxivId("2301.99999")) is None
    assert CORPUS.find(ArxivId("9912.00001")) is None
    assert CORPUS.find(ArxivId("hep-th/0704001")) is None
    assert CORPUS.find(ArxivId(last.paper, last.version + 1)) is None


def test_the_subject_class_of_an_old_id_does_not_matter():
    paper = next(p for p in PAPERS if p.arxiv_id.paper.startswith("math/"))
    archive, number = paper.arxiv_id.paper.split("/")

    assert CORPUS.find(ArxivId(f"{archive}.GT/{number}")) == PAPERS.index(paper)


def test_a_withdrawn_paper_keeps_its_earlier_versions_and_says_why():
    withdrawn = [paper for paper in PAPERS if paper.withdrawn]

    assert withdrawn
    for paper in withdrawn:
        name, version = paper.arxiv_id.paper, paper.arxiv_id.version
        assert version > 1
        assert "withdrawn" in paper.comments.lower()
        assert not CORPUS.has_pdf(ArxivId(name))
        assert not CORPUS.has_pdf(paper.arxiv_id)
        assert CORPUS.has_pdf(ArxivId(name, version - 1))


def test_the_corpus_has_the_variety_that_arxiv_has():
    assert {paper.arxiv_id.version for paper in PAPERS} == {1, 2, 3}
    assert {len(paper.authors) for paper in PAPERS} == set(range(1, 9))
    for name in ("doi", "journal_ref", "comments"):
        values = [getattr(paper, name) for paper in PAPERS]
        assert None in values
        assert len(set(values)) > 20
    assert len({paper.title for paper in PAPERS}) > 0.9 * len(PAPERS)


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("cat:cs.AI", lambda p: "cs.AI" in p.categories),
        ("cat:math.GT", lambda p: "math.GT" in p.categories),
        ("cat:math.*", lambda p: any(name.startswith("math.") for name in p.categories)),
        ('ti:"kahler"', lambda p: "Kähler" in p.title),
        ('ti:"graphs"', lambda p: holds("graphs", p.title)),
        ('ti:"a survey"', lambda p: holds("a survey", p.title)),
        ("ti:log_n", lambda p: holds("log n", p.title)),
        ('abs:"standard model"', lambda p: holds("standard model", p.abstract)),
        ('abs:"5 experiments"', lambda p: holds("5 experiments", p.abstract)),
        ('au:"Ada Lovelace"', lambda p: by_author("Ada Lovelace", p)),
        ('au:"Lovelace"', lambda p: by_author("Lovelace", p)),
        ('au:"cruz"', lambda p: by_author("cruz", p)),
        ("au:de_la_Cruz", lambda p: by_author("de la Cruz", p)),
        ('au:"Muller"', lambda p: by_author("Müller", p)),
        (
            "quantum",
            lambda p: (
                holds("quantum", p.title) or holds("quantum", p.abstract) or by_author("quantum", p)
            ),
        ),
        (
            "(cat:cs.AI OR cat:cs.LG) ANDNOT ti:deep AND abs:accuracy",
            lambda p: (
                bool({"cs.AI", "cs.LG"} & set(p.categories))
                and not holds("deep", p.title)
                and holds("accuracy", p.abstract)
            ),
        ),
        (
            "submittedDate:[201001010000 TO 201112312359] AND cat:hep-th",
            lambda p: p.published_at.year in (2010, 2011) and "hep-th" in p.categories,
        ),
    ],
)
def test_a_query_gives_what_reading_every_paper_gives(query, matches):
    expected = ids(paper for paper in PAPERS if matches(paper))

    found = SEARCH.expected(query)

    assert set(found) == expected
    assert len(found) == len(expected) > 0


def test_the_range_of_dates_includes_both_of_its_minutes():
    first, last = PAPERS[100].published_at, PAPERS[110].published_at

    found = SEARCH.expected(
        f"submittedDate:[{first:%Y%m%d%H%M} TO {last:%Y%m%d%H%M}]", sort_order="ascending"
    )

    assert found == [paper.arxiv_id.paper for paper in PAPERS[100:111]]


def test_results_come_in_the_order_asked_for():
    updated = {paper.arxiv_id.paper: paper.updated_at for paper in PAPERS}

    newest = SEARCH.expected("cat:cs.CL")
    changed = SEARCH.expected("cat:cs.CL", "lastUpdatedDate", "descending")
    relevant = SEARCH.expected("cat:cs.CL", "relevance", "descending")

    assert newest == SEARCH.expected("cat:cs.CL", "submittedDate", "ascending")[::-1]
    assert changed != newest
    assert [updated[i] for i in changed] == sorted((updated[i] for i in changed), reverse=True)
    assert relevant not in (newest, newest[::-1])
    assert sorted(relevant) == sorted(newest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        "cat:cs.AI AND",
        "AND cat:cs.AI",
        "cat:cs.AI)",
        'ti:"open',
        "xx:foo",
        "cat:*.AI",
        "ti:grap*",
        "ti:!!!",
        "submittedDate:[2023 TO 2024]",
        "submittedDate:[202313010000 TO 202401010000]",
        "(" * 60 + "a" + ")" * 60,
    ],
)
def test_a_query_that_cannot_be_read_is_refused(text):
    with pytest.raises(BadQuery):
        parse_query(text)


def test_a_query_is_spelled_out_as_arxiv_does():
    assert str(parse_query("testing")) == "all:testing"
    assert str(parse_query('a OR ti:"b c" AND cat:x.Y')) == 'all:a OR (ti:"b c" AND cat:x.Y)'


def test_a_hundred_thousand_papers_are_counted_without_building_them():
    corpus = Corpus(100_000, 7)
    search = Search(corpus)

    found = search.numbers("cat:cs.AI AND submittedDate:[202001010000 TO 202012312359]")

    sample = [corpus.paper(number) for number in found[::50]]
    assert len(found) > 500
    assert all("cs.AI" in p.categories and p.published_at.year == 2020 for p in sample)
    assert corpus.paper(0).published_at >= datetime(1992, 1, 1, tzinfo=UTC)
