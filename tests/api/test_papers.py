"""Papers that were ingested: filters, pages, one by its id."""

from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
import yarl

from service.api.schemas.papers import PaperSchema
from service.db.papers import PaperStore
from service.domain.identifiers import ArxivId
from service.domain.papers import PdfState
from tests.conftest import make_paper

URL = "/api/v1/papers"
NEW_YEAR = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture
def hold(database):
    """Store papers as a harvest does."""

    async def hold(*papers):
        async with database.transaction() as conn:
            await PaperStore(conn).upsert(papers, overwrite=True)

    return hold


async def found(api, **query) -> list[str]:
    response = await api.get(URL, params=query)
    assert response.status == 200, await response.text()
    return [paper["arxiv_id"] for paper in await response.json()]


async def test_a_paper_is_shown_with_all_its_columns(api, hold):
    await hold(make_paper("2301.00001v2", doi="10.1/x", withdrawn=True))

    response = await api.get(f"{URL}/2301.00001")

    assert response.status == 200
    assert await response.json() == {
        "arxiv_id": "2301.00001",
        "version": 2,
        "title": "A title",
        "abstract": "An abstract.",
        "authors": ["Ada Lovelace", "Alan Turing"],
        "categories": ["cs.AI", "cs.LG"],
        "primary_category": "cs.AI",
        "published_at": "2023-01-01T00:00:00Z",
        "updated_at": "2023-01-02T00:00:00Z",
        "doi": "10.1/x",
        "journal_ref": None,
        "comments": None,
        "license": None,
        "withdrawn": True,
        "pdf_state": "none",
        "pdf_path": None,
        "pdf_sha256": None,
        "pdf_bytes": None,
        "page_count": None,
        "text_state": None,
    }


async def test_a_paper_and_a_listed_one_are_as_the_schema_says(api, hold):
    await hold(make_paper())

    alone = await (await api.get(f"{URL}/2301.00001")).json()
    (listed,) = await (await api.get(URL)).json()

    assert alone == listed
    assert list(alone) == list(PaperSchema().fields)
    assert PaperSchema().validate(alone) == {}


@pytest.mark.parametrize("held", ["hep-th/9901001", "math.GT/0309136", "2301.00001", "0704.0001"])
@pytest.mark.parametrize("quoted", [False, True])
async def test_ids_of_both_styles_name_their_paper(api, hold, held, quoted):
    await hold(make_paper(f"{held}v1"))
    path = held.replace("/", "%2F") if quoted else held

    for text in (path, f"{path}v1"):
        response = await api.get(f"{URL}/{text}")
        shown = held.replace("math.GT/", "math/")  # the subject class is no part of the id
        assert (response.status, (await response.json())["arxiv_id"]) == (200, shown)


async def test_a_version_that_is_not_known_is_not_found(api, hold):
    await hold(make_paper("2301.00001v2"))

    for part in ("", "/pdf", "/text"):
        response = await api.get(f"{URL}/2301.00001v3{part}")
        problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["detail"]) == (
            404,
            "This version of the paper is not known",
        )


HOSTILE = [
    "2301.99999",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "2301.00001%00",
    "2301.00001%0A",
    "%EF%BC%92%EF%BC%93%EF%BC%90%EF%BC%91.00001",
    "%ff%fe",
    "%ED%A0%80",
    "2301.00001.pdf",
    "hep-th/../../x",
    "hep-th/9901001/../../x",
    "hep-th%2F9901001%2F..%2F..%2Fx",
    "x" * 4096,
    "%27%3B%20DROP%20TABLE%20papers%3B--",
    "2301.00001v99999",
]


@pytest.mark.parametrize("part", ["", "/pdf", "/text"])
async def test_what_is_no_id_of_a_paper_held_is_not_found(api, hold, part):
    await hold(make_paper())
    answers = {}
    for text in HOSTILE:
        address = yarl.URL(f"{api.make_url('/')}api/v1/papers/{text}{part}", encoded=True)
        response = await api.session.get(address)
        problem = await response.json(content_type="application/problem+json")
        answers[text] = response.status, problem["status"]

    assert answers == dict.fromkeys(HOSTILE, (404, 404))


async def test_papers_come_last_submitted_first(api, hold):
    await hold(
        *(
            make_paper(f"2301.0000{n}v1", published_at=NEW_YEAR + timedelta(days=day))
            for n, day in enumerate([3, 1, 2, 2])
        )
    )

    assert await found(api) == ["2301.00000", "2301.00003", "2301.00002", "2301.00001"]


async def test_pages_show_every_paper_once(api, hold):
    days = [NEW_YEAR + timedelta(days=n // 3, microseconds=n % 2) for n in range(25)]
    await hold(*(make_paper(f"2301.{n:05}v1", published_at=day) for n, day in enumerate(days)))

    pages, url = [], f"{URL}?limit=10&category=cs.AI"
    while url:
        response = await api.get(url)
        pages.append([paper["arxiv_id"] for paper in await response.json()])
        url = response.links["next"]["url"].relative() if "next" in response.links else None

    shown = list(chain(*pages))
    assert [len(page) for page in pages] == [10, 10, 5]
    assert shown == await found(api, limit=200)
    assert len(set(shown)) == 25


@pytest.fixture
async def library(hold, sql):
    """Four papers that differ in everything that can be asked for."""
    await hold(
        make_paper(
            "2301.00001v1",
            title="Deep neural networks for vision",
            authors=("Ada Lovelace", "Alan Turing"),
            categories=("cs.AI", "cs.CV"),
            published_at=datetime(2023, 1, 1, 23, 59, 59, 999999, tzinfo=UTC),
        ),
        make_paper(
            "2301.00002v1",
            abstract="A network of transformers. Neural, too.",
            authors=("Kurt Gödel", "Turing Lovelace"),
            categories=("math.LO",),
            published_at=datetime(2023, 1, 2, tzinfo=UTC),
        ),
        make_paper(
            "2301.00003v1",
            abstract="<script>alert(1)</script>",
            categories=("hep-th",),
            withdrawn=True,
            published_at=datetime(2023, 1, 3, tzinfo=UTC),
        ),
        make_paper(
            "hep-th/9901001v1",
            title="Strings",
            categories=("hep-th",),
            published_at=datetime(1999, 1, 4, tzinfo=UTC),
        ),
    )
    await sql("UPDATE papers SET pdf_state = 'unavailable' WHERE arxiv_id = '2301.00002'")
    await sql("UPDATE papers SET pdf_state = 'failed' WHERE arxiv_id = '2301.00003'")
    await sql("UPDATE papers SET text_state = 'empty' WHERE arxiv_id = '2301.00001'")
    await sql("UPDATE papers SET text_state = 'encrypted' WHERE arxiv_id = '2301.00003'")


FILTERS = [
    ({"category": "cs.CV"}, ["2301.00001"]),
    ({"category": "hep-th"}, ["2301.00003", "hep-th/9901001"]),
    ({"category": "cs"}, ["2301.00001"]),
    ({"author": "turing"}, ["2301.00003", "2301.00002", "2301.00001", "hep-th/9901001"]),
    ({"author": "Turing Lovelace"}, ["2301.00002"]),
    ({"author": "lovelace alan"}, []),
    ({"author": "KURT GöDEL"}, ["2301.00002"]),
    ({"author": "!!!"}, []),
    ({"q": "neural network"}, ["2301.00002", "2301.00001"]),
    ({"q": '"neural network"'}, ["2301.00001"]),
    ({"q": "network -vision"}, ["2301.00002"]),
    ({"q": "strings or transformer"}, ["2301.00002", "hep-th/9901001"]),
    ({"q": "'; DROP TABLE papers; -- & | ! ( :* <->"}, []),
    ({"q": "the"}, []),
    ({"from_date": "20230102"}, ["2301.00003", "2301.00002"]),
    ({"to_date": "20230101"}, ["2301.00001", "hep-th/9901001"]),
    ({"from_date": "20230101", "to_date": "20230101"}, ["2301.00001"]),
    ({"from_date": "00010101", "to_date": "99991231", "category": "cs.AI"}, ["2301.00001"]),
    ({"withdrawn": "true"}, ["2301.00003"]),
    ({"withdrawn": "false", "category": "hep-th"}, ["hep-th/9901001"]),
    ({"pdf_state": "failed"}, ["2301.00003"]),
    ({"text_state": "empty"}, ["2301.00001"]),
    ({"text_state": "empty,encrypted"}, ["2301.00003", "2301.00001"]),
    ({"pdf_state": "failed,unavailable"}, ["2301.00003", "2301.00002"]),
]


async def test_filters_leave_what_matches(api, library):
    left = [(query, await found(api, **query)) for query, _ in FILTERS]

    assert left == FILTERS


BAD = [
    ("category=cs.ai", "category"),
    ("category=cs.XY", "category"),
    ("category=", "category"),
    ("category=cs.AI&category=cs.LG", "category"),
    ("author=%00", "author"),
    ("author=" + "a" * 201, "author"),
    ("q=%0a", "q"),
    ("q=" + "a" * 1001, "q"),
    ("from_date=2023-1-01", "from_date"),
    ("from_date=20230230", "from_date"),
    ("to_date=%EF%BC%92%EF%BC%90%EF%BC%92%EF%BC%930101", "to_date"),
    ("from_date=20230102&to_date=20230101", "from_date"),
    ("pdf_state=FAILED", "pdf_state"),
    ("text_state=whole", "text_state"),
    ("withdrawn=1", "withdrawn"),
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("limit=1e2", "limit"),
    ("limit=9223372036854775808", "limit"),
    ("cursor=x", "cursor"),
    ("cursor=", "cursor"),
    ("title=x", "title"),
]


async def test_what_cannot_be_asked_for_is_named(api):
    answers = []
    for query, _ in BAD:
        response = await api.get(f"{URL}?{query}")
        problem = await response.json(content_type="application/problem+json")
        assert response.status == 422, query
        answers += [(query, name) for name in problem["errors"]]

    assert answers == BAD


async def test_words_follow_the_paper_when_it_is_written_anew(api, hold):
    await hold(make_paper("2301.00001v1", title="Gluons", authors=("Ada Lovelace",)))
    await hold(make_paper("2301.00001v2", title="Quarks", authors=("Emmy Noether",)))

    assert await found(api, q="quark", author="noether") == ["2301.00001"]
    assert await found(api, q="gluon") == await found(api, author="lovelace") == []


async def test_no_text_is_too_long_for_the_search(api, hold):
    words = " ".join(f"w{n}" for n in range(400_000))

    await hold(make_paper(title=words, abstract=words, authors=(words,)))

    assert await found(api, q="w7") == await found(api, author="w7 w8") == ["2301.00001"]


async def test_reading_papers_needs_a_token(serve):
    anybody = await serve(sub=None)

    for path in ("", "/2301.00001", "/2301.00001/pdf", "/hep-th/9901001/text"):
        response = await anybody.get(URL + path)
        assert response.status == 401


async def test_a_file_that_is_forgotten_shows_as_none(api, hold, database):
    await hold(make_paper())
    async with database.transaction() as conn:
        await PaperStore(conn).save_no_file(ArxivId("2301.00001", 1), PdfState.UNAVAILABLE)

    paper = await (await api.get(f"{URL}/2301.00001")).json()

    assert paper["pdf_state"] == "unavailable"
