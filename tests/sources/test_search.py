"""A search, step by step: which pages are asked for, what is doubted, and what is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import UpstreamIncomplete
from service.domain.jobs import MAX_PAGE_SIZE, SEARCH_WINDOW, Criteria, IngestionRequest
from service.domain.papers import EntryError, Page
from service.sources.search import SearchSource
from tests.conftest import make_paper
from tests.sources.conftest import Arxiv, context, page_of, walk


def search(*, start=0, page_size=100, max_papers=250):
    criteria = Criteria(category="cs.AI", start=start, page_size=page_size)
    return IngestionRequest(criteria=criteria, max_papers=max_papers)


def sources(arxiv):
    return SearchSource(arxiv)


async def asked(request, *, total=0, pages=()):
    arxiv = Arxiv(total, list(pages))
    await walk(sources(arxiv), request)
    return arxiv.slices


async def test_a_search_ends_with_the_papers_wished_for():
    assert await asked(search(), total=1000) == [(0, 100), (100, 100), (200, 50)]


async def test_a_search_ends_with_what_there_is():
    assert await asked(search(), total=130) == [(0, 100), (100, 100)]


async def test_a_search_begins_where_the_caller_says():
    assert await asked(search(start=500, max_papers=150), total=1000) == [(500, 100), (600, 50)]


async def test_a_search_never_leaves_the_window_of_arxiv():
    start = SEARCH_WINDOW - 50

    pages = await asked(search(start=start, max_papers=10_000), total=1_000_000)

    assert pages == [(start, 50)]


async def test_a_short_page_is_followed_by_the_result_behind_it():
    pages = [page_of(0, 90, total=250)]

    assert await asked(search(), total=250, pages=pages) == [(0, 100), (90, 100), (190, 60)]


async def test_case_102_an_empty_page_in_the_middle_is_asked_again_after_growing_waits(arxiv):
    arxiv.total, empty = 250, Page((), 250)
    arxiv.pages = [page_of(0, 100, total=250), *[empty] * 5]

    steps = await walk(sources(arxiv), search())

    assert [step.delay.total_seconds() for step in steps] == [0, 3, 6, 12, 24, 48, 0, 0]
    assert [step.repeated for step in steps].count(True) == 5
    assert sum(len(step.batch.records) for step in steps) == 250


async def test_case_102_a_page_that_stays_empty_fails_and_tells_how_many_are_missing(arxiv):
    arxiv.pages = [page_of(0, 100, total=230), *[Page((), 230)] * 6]

    with pytest.raises(UpstreamIncomplete, match="130") as caught:
        await walk(sources(arxiv), search())

    assert caught.value.missing == 130
    assert len(arxiv.asked) == 7


@pytest.mark.parametrize("said", [0, 60, 230])
async def test_case_102_an_empty_page_is_not_asked_how_much_there_is(arxiv, said):
    """`totalResults` of the last page with entries counts, whatever empty ones say."""
    arxiv.pages = [page_of(0, 100, total=230), *[Page((), said)] * 6]

    with pytest.raises(UpstreamIncomplete, match="130"):
        await walk(sources(arxiv), search())


async def test_case_102_an_empty_first_page_that_promises_more_is_not_believed(arxiv):
    arxiv.pages = [Page((), 30), *[Page((), 0)] * 5]

    with pytest.raises(UpstreamIncomplete, match="30"):
        await walk(sources(arxiv), search())


async def test_case_36_a_first_page_without_anything_is_asked_once_more(arxiv):
    steps = await walk(sources(arxiv), search())

    assert [step.delay.total_seconds() for step in steps] == [3, 0]
    assert steps[-1].total == 0
    assert arxiv.slices == [(0, 100), (0, 100)]


async def test_case_111_what_arxiv_sends_beyond_what_was_asked_for_is_left(arxiv):
    arxiv.pages = [page_of(0, 27, total=300)]

    steps = await walk(sources(arxiv), search(max_papers=20))

    assert [len(step.batch.records) for step in steps] == [20]
    assert steps[0].batch.errors == ()


async def test_a_search_tells_how_many_papers_there_must_be_at_its_end(arxiv):
    bad = Page((make_paper("2301.00001v1"),), 3, (EntryError("no title"),))
    arxiv.pages = [bad, page_of(2, 1, total=3)]

    *others, last = await walk(sources(arxiv), search())

    assert all(step.expected is None for step in others)
    assert (last.expected.papers, last.expected.is_certain) == (2, True)


@pytest.mark.parametrize(
    ("start", "matches", "total"), [(0, 4, 4), (0, 400, 10), (3, 4, 1), (9_990, 10**6, 10)]
)
async def test_the_total_is_what_the_job_will_bring(arxiv, start, matches, total):
    arxiv.total = matches

    *_, last = await walk(sources(arxiv), search(start=start, max_papers=10))

    assert last.total == total


async def test_a_total_that_changes_makes_it_uncertain(arxiv):
    arxiv.pages = [page_of(0, 100, total=150), page_of(100, 49, total=149)]

    *_, last = await walk(sources(arxiv), search())

    assert (last.expected.papers, last.expected.is_certain) == (149, False)


async def test_where_too_little_came_a_retry_asks_from_the_start(arxiv):
    arxiv.total = 130
    *_, last = await walk(sources(arxiv), search(start=20))

    assert last.expected.again.is_anew
    step = await sources(arxiv).fetch(context(search(start=20)), last.expected.again)

    assert arxiv.slices[-1] == (20, 100)
    assert len(step.batch.records) == 100


@given(
    start=st.integers(0, SEARCH_WINDOW - 1),
    page_size=st.integers(1, MAX_PAGE_SIZE),
    max_papers=st.integers(1, 10_000),
    total=st.integers(0, 50_000),
)
async def test_no_walk_asks_for_what_arxiv_refuses(start, page_size, max_papers, total):
    page_size = max(page_size, max_papers // 50)
    request = search(start=start, page_size=page_size, max_papers=max_papers)
    arxiv = Arxiv(total)
    sizes = iter(range(1000))

    async def counted(params, _):
        next(sizes)
        arxiv.asked.append(params)
        offset, size = arxiv.slices[-1]
        count = max(0, min(size, total - offset))
        return Page((), total, (EntryError("unreadable"),) * count)

    arxiv.page = counted
    await walk(sources(arxiv), request)

    assert all(1 <= size <= MAX_PAGE_SIZE for _, size in arxiv.slices)
    assert all(offset + size <= SEARCH_WINDOW for offset, size in arxiv.slices)
