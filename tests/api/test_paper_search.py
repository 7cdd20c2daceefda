"""Search: words in titles, abstracts and texts, folded and stemmed; by date or by relevance."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Text, cast, func, literal

from service.db import search_store
from service.db.papers import PaperStore
from service.db.search_backfill import SearchBackfillStore, SearchIndexStore
from service.domain.papers import ExtractedText, StoredPdf, TextState
from service.domain.snippets import HIT_END, HIT_START, MAX_LENGTH
from service.jobs.maintenance.search_backfill import backfill_search
from service.jobs.maintenance.search_index import merge_new_words
from tests.conftest import make_paper

URL = "/api/v1/papers"
START = datetime(2023, 1, 1, tzinfo=UTC)
FILLER = "Nothing of note is said on this line of the paper. "


@pytest.fixture
def hold(database):
    """Store a paper for each text (None: without one), one a day, by number from 1."""

    async def hold(*texts: str | None, **metadata) -> None:
        async with database.transaction() as conn:
            store = PaperStore(conn)
            for number, text in enumerate(texts, 1):
                moment = START + timedelta(number)
                paper = make_paper(f"2301.{number:05}v1", published_at=moment, **metadata)
                await store.upsert([paper], overwrite=True)
                if text is not None:
                    await _save_text(store, paper.arxiv_id, text)

    return hold


async def _save_text(store: PaperStore, arxiv_id, text: str) -> None:
    pdf = StoredPdf(path=f"{arxiv_id}.pdf", sha256=f"{hash(text) % 2**64:064x}", size_bytes=1)
    await store.save_file(arxiv_id, pdf)
    extracted = ExtractedText(
        text=text, page_count=1, truncated=False, text_state=TextState.FULL, extractor="test"
    )
    assert await store.save_text(arxiv_id, extracted)


async def search(api, q: str, **query) -> list[dict]:
    response = await api.get(URL, params={"q": q, "in": "all", **query})
    assert response.status == 200, await response.text()
    return await response.json()


async def numbers(api, q: str, **query) -> list[int]:
    return [int(paper["arxiv_id"][-5:]) for paper in await search(api, q, **query)]


def marked(snippet: str) -> list[str]:
    """The hits of a snippet."""
    return [piece.split(HIT_END)[0] for piece in snippet.split(HIT_START)[1:]]


FOLDED = [
    ("Poincaré's inequality", ["poincare", "Poincar\\'e", "POINCARÉ inequalities", '"poincare s"']),
    ("the work of Erdős and Łódź", ["erdos lodz", "Erd\\H{o}s", "\\L{}\\'od\\'z"]),
    (
        "a Bose–Einstein condensate",
        ["bose-einstein", '"Bose--Einstein condensates"', "Bose–Einstein"],
    ),
    ("self-attention in encoder/decoder", ['"self attention"', "decoder", '"encoder-decoder"']),
    (
        "αs at 10^{-3} and H2O",
        ["\\alpha_s", "$\\alpha_s$", "10^{-3}", "$10^{-3}$", "H_2O", "h$_2$o"],
    ),
    ("the straße of æther", ["strasse aether"]),
    ("𝒩 = 4 super Yang–Mills", ["$\\mathcal{N}=4$ super-Yang-Mills"]),
]


async def test_case_127_accents_tex_hyphens_and_greek_letters_are_folded(api, hold):
    await hold(*(text for text, _ in FOLDED))

    for number, (_, queries) in enumerate(FOLDED, 1):
        for query in queries:
            assert await numbers(api, query) == [number], query


async def test_titles_and_abstracts_are_folded_alike(api, hold):
    await hold(
        None, title="On Poincar\\'e and $\\mathcal{N}=4$", abstract='Sch\\"odinger\'s na\\"{\\i}ve'
    )

    for query in ("poincaré", "N=4", "schrodinger or schodinger", "naive"):
        assert await numbers(api, query) == [1], query
        assert await numbers(api, query, **{"in": "metadata"}) == [1], query


async def test_texts_are_searched_only_where_asked_for(api, hold):
    await hold("a neutrino telescope")

    assert await numbers(api, "neutrinos telescopes") == [1]
    assert await numbers(api, "neutrino", **{"in": "metadata"}) == []


async def test_a_phrase_is_found_however_long_the_text_is(api, hold):
    words = " ".join(f"w{n} of" for n in range(30_000))
    await hold(f"{words} strong coupling expansion {words}", f"{words} coupling so strong {words}")

    assert await numbers(api, '"strong coupling expansion"') == [1]
    assert await numbers(api, '"strong coupling" w7 w29999') == [1]
    assert await numbers(api, "strong coupling", sort="relevance") == [2, 1]


async def test_an_unwanted_word_is_looked_for_in_the_text_too(api, hold):
    await hold("with gluons", "without", title="Quarks")

    for sort in ("relevance", "-published_at"):
        assert await numbers(api, "quark -gluon", sort=sort) == [2]


async def test_words_in_the_title_count_most(api, hold, database):
    await hold("axion axion axion", "the axion", None)
    async with database.transaction() as conn:
        best = make_paper("2301.00004v1", title="Axions", published_at=START)
        await PaperStore(conn).upsert([best], overwrite=True)

    found = await search(api, "axion", sort="relevance")

    assert [int(one["arxiv_id"][-5:]) for one in found] == [4, 1, 2]
    assert found[0]["rank"] > found[1]["rank"] > found[2]["rank"] > 0


@pytest.mark.parametrize("sort", ["relevance", "-published_at"])
@pytest.mark.parametrize("scope", ["all", "metadata"])
async def test_pages_have_every_paper_once(api, hold, sort, scope):
    await hold(*("quark " * (n % 3 + 1) for n in range(11)), title="Quarks")

    seen, query = [], {"q": "quark", "in": scope, "sort": sort, "limit": "4"}
    url = str(api.make_url(URL).with_query(query).relative())
    while url:
        response = await api.get(url)
        seen += [(one["rank"], one["arxiv_id"]) for one in await response.json()]
        url = str(response.links["next"]["url"].relative()) if "next" in response.links else None
    export = await api.get(
        URL,
        params={k: v for k, v in query.items() if k != "limit"},
        headers={"Accept": "application/x-ndjson"},
    )

    assert len(seen) == len(set(seen)) == 11
    assert seen == sorted(
        seen, key=lambda one: one if sort == "relevance" else one[1], reverse=True
    )
    assert len((await export.text()).splitlines()) == 11


async def test_matches_that_are_too_many_are_read_in_the_order_of_dates(api, hold, monkeypatch):
    for name, value in (("COLLECTED", 4), ("WALKED_AT_ONCE", 3), ("WALKED", 6)):
        monkeypatch.setattr(search_store, name, value)
    await hold(*("quark" if n < 5 or n == 18 else "gluon" for n in range(20)))

    response = await api.get(URL, params={"q": "quark", "in": "all"})
    first = [one["arxiv_id"] for one in await response.json()]
    rest, pages = [], 1
    while "next" in response.links:
        response = await api.get(str(response.links["next"]["url"].relative()))
        rest += [one["arxiv_id"] for one in await response.json()]
        pages += 1

    assert first == ["2301.00019"]
    assert rest == [f"2301.{n:05}" for n in (5, 4, 3, 2, 1)]
    assert pages == 4


async def test_a_snippet_shows_the_hits_where_most_of_them_are(api, hold):
    text = (
        FILLER * 40 + "one magnet\n" + FILLER * 40 + "The Schrödinger\nmagnets repel each other. "
    )
    await hold(text + FILLER * 40)

    (paper,) = await search(api, "schrodinger magnet repelling")

    assert marked(paper["snippet"]) == ["Schrödinger", "magnets", "repel"]
    assert len(paper["snippet"]) <= MAX_LENGTH
    assert "\n" not in paper["snippet"]
    assert paper["snippet"].startswith("…")
    assert paper["snippet"].endswith("…")


async def test_a_snippet_is_of_the_abstract_if_that_has_all_words(api, hold):
    await hold("some magnet, and monopoles", abstract="No magnet is a monopole.")

    (paper,) = await search(api, "magnet monopole")

    plain = paper["snippet"].replace(HIT_START, "").replace(HIT_END, "")
    assert plain == "No magnet is a monopole."
    assert marked(paper["snippet"]) == ["magnet", "monopole"]


async def test_a_text_that_is_gone_is_not_found(api, hold, sql):
    await hold("a neutrino telescope")
    await sql("UPDATE paper_texts SET content = 'an axion telescope'")

    assert await numbers(api, "neutrino") == []
    assert await numbers(api, "axion") == [1]

    await sql("DELETE FROM paper_texts")
    assert await numbers(api, "axion") == []


async def test_filters_hold_for_searches(api, hold):
    await hold("quark", "quark", "quark")

    for sort in ("relevance", "-published_at"):
        assert await numbers(api, "quark", ids="2301.00002", sort=sort) == [2]
        assert await numbers(api, "quark", category="math.AG", sort=sort) == []


async def test_a_text_of_too_many_words_is_stored_all_the_same(api, hold):
    digits = str.maketrans("0123456789", "абвгдежзик")
    words = " ".join(f"{n * 7919 % 10**10:010}".translate(digits) for n in range(1, 60_000))
    await hold(f"quark {words}")  # over the 1 MiB that PostgreSQL has for the words of a row

    assert await numbers(api, "quark") == [1]


async def test_the_backfill_goes_on_where_it_was(api, hold, sql, database):
    await hold(*["quark"] * 4)
    await sql("DELETE FROM paper_search")
    await sql(
        "UPDATE search_backfill SET finished_at = NULL, after_id = '2301.00002', rows_done = 2"
    )

    rows = await backfill_search(database)

    assert rows == {"papers": 2, "paper_texts": 2}
    assert await numbers(api, "quark") == [4, 3]
    assert {row[0] for row in await sql("SELECT rows_done FROM search_backfill")} == {4}
    assert await backfill_search(database) == {}


async def test_what_waits_for_the_index_is_merged_by_one_process_and_found_all_along(
    api, hold, database
):
    await hold("quark")
    assert await numbers(api, "quark") == [1]

    async with database.transaction() as conn:
        merged = await SearchIndexStore(conn).merge()
        async with database.transaction() as other:
            assert await SearchIndexStore(other).merge() == 0

    assert merged > 0
    assert await merge_new_words(database) == 0
    assert await numbers(api, "quark") == [1]


async def test_one_process_at_a_time_fills_a_table(hold, sql, database):
    await hold("quark")
    await sql("UPDATE search_backfill SET finished_at = NULL, after_id = ''")
    await sql("UPDATE search_backfill SET finished_at = now() WHERE of_table = 'papers'")

    async with database.transaction() as conn:
        assert (await SearchBackfillStore(conn).step()).rows == 1
        async with database.transaction() as other:
            assert await SearchBackfillStore(other).step() is None


ODD = [
    ('"unbalanced quark', 200),
    ("quark &|!():*<->'\\", 200),
    ("http://a.b/c?d=1&e=quark x", 200),
    ("quark - gluon", 200),
    ("the of and", 200),
    ("???", 200),
    ("-", 200),
    ('""', 200),
    ("-quark", 422),
    ("quark\0", 422),
    (" ", 422),
    ("quark " * 200, 422),
    ("quark " * 166, 200),
    ("é" * 1000, 200),
]


@pytest.mark.parametrize("sort", ["relevance", "-published_at"])
async def test_odd_searches_are_answered_or_named(api, hold, sort):
    await hold("quark gluon")

    for query, status in ODD:
        response = await api.get(URL, params={"q": query, "in": "all", "sort": sort})
        assert response.status == status, query[:80]
        if status == 422:
            assert list((await response.json())["errors"]) == ["q"], query[:80]
    assert await numbers(api, "the of and", sort=sort) == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("in=all", "in"),
        ("sort=relevance", "sort"),
        ("q=x&in=text", "in"),
        ("q=x&in=all&in=all", "in"),
        ("q=x&sort=rank", "sort"),
    ],
)
async def test_wrong_ways_to_search_are_named(api, query, name):
    response = await api.get(f"{URL}?{query}")

    assert response.status == 422
    assert list((await response.json())["errors"]) == [name]


async def test_a_cursor_is_of_one_order(api, hold):
    await hold("quark", "quark")
    page = await api.get(URL, params={"q": "quark", "in": "all", "limit": "1"})

    url = page.links["next"]["url"].relative().update_query(sort="relevance")
    response = await api.get(str(url))

    assert response.status == 422
    assert list((await response.json())["errors"]) == ["cursor"]


async def test_a_search_that_takes_too_long_says_so(api, hold, monkeypatch):
    await hold("quark")
    monkeypatch.setattr(search_store, "STATEMENT_SECONDS", 0.001)
    monkeypatch.setattr(search_store, "literal", _slow_literal)

    response = await api.get(URL, params={"q": "quark", "in": "all"})

    problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["code"]) == (503, "overloaded")
    assert response.headers["Retry-After"] == "5"


def _slow_literal(value, *args, **kwargs):
    """A word that takes a second to be read."""
    return func.coalesce(cast(func.pg_sleep(1), Text), literal(value, *args, **kwargs))
