import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.checkpoint import IDS_PER_REQUEST, Checkpoint
from service.domain.identifiers import ArxivId
from service.domain.jobs import MAX_PAGE_SIZE, SEARCH_WINDOW, Criteria, IngestionRequest


def search(*, start=0, page_size=100, max_papers=250):
    criteria = Criteria(category="cs.AI", from_date=date(2024, 1, 1), start=start)
    return IngestionRequest(
        criteria=Criteria(category=criteria.category, start=start, page_size=page_size),
        max_papers=max_papers,
    )


def listed(count, *, page_size=100, max_papers=10_000):
    ids = tuple(ArxivId(f"2401.{number:05}") for number in range(count))
    return IngestionRequest(criteria=Criteria(ids=ids, page_size=page_size), max_papers=max_papers)


def walk(request, *, total, answers=None):
    """The (offset, size) of every page asked for, each answered in full unless `answers` says."""
    cursor, asked = Checkpoint.first(request), []
    while not cursor.done:
        size = cursor.page_size(request)
        asked.append((cursor.offset, size))
        left = max(0, total - cursor.offset)
        came = answers[len(asked) - 1] if answers else min(size, left)
        cursor = cursor.next_page(entries=came, total=total, request=request)
    return asked


def test_a_search_ends_with_the_papers_wished_for():
    assert walk(search(), total=1000) == [(0, 100), (100, 100), (200, 50)]


def test_a_search_ends_with_what_there_is():
    assert walk(search(), total=130) == [(0, 100), (100, 100)]


def test_a_search_begins_where_the_caller_says():
    assert walk(search(start=500, max_papers=150), total=1000) == [(500, 100), (600, 50)]


def test_a_search_never_leaves_the_window_of_arxiv():
    pages = walk(search(start=29_950, max_papers=10_000), total=1_000_000)

    assert pages == [(29_950, 50)]


def test_a_short_page_is_followed_by_the_result_behind_it():
    pages = walk(search(), total=1000, answers=[90, 100, 60])

    assert pages == [(0, 100), (90, 100), (190, 60)]


def test_an_empty_page_that_is_believed_ends_the_search():
    cursor = Checkpoint(offset=100, taken=100, empty_pages=2)

    after = cursor.next_page(entries=0, total=1000, request=search())

    assert after.done


def test_ids_are_asked_for_a_hundred_at_a_time_whatever_came_back():
    pages = walk(listed(250, page_size=2000), total=0)

    assert pages == [(0, 100), (100, 100), (200, 50)]


def test_ids_end_with_the_papers_wished_for():
    assert walk(listed(250, max_papers=120), total=0) == [(0, 100), (100, 20)]


def test_batches_and_doubts_belong_to_their_page():
    cursor = Checkpoint(offset=0).next_batch().next_batch().asked_again()

    after = cursor.next_page(entries=100, total=1000, request=search())

    assert (cursor.offset, cursor.batches_done, cursor.empty_pages) == (0, 2, 1)
    assert (after.offset, after.batches_done, after.empty_pages) == (100, 0, 0)
    assert after.taken == 100


CURSORS = st.builds(
    Checkpoint,
    offset=st.integers(0, SEARCH_WINDOW),
    batches_done=st.integers(0, 2000),
    taken=st.integers(0, 10_000),
    empty_pages=st.integers(0, 9),
    done=st.booleans(),
)


@given(CURSORS)
def test_a_checkpoint_survives_json(cursor):
    assert Checkpoint.load(json.loads(json.dumps(cursor.dump()))) == cursor


def test_a_checkpoint_of_an_unknown_form_is_refused():
    for checkpoint in ({"offset": 0, "page": 1}, {}, [], 7):
        with pytest.raises(ValueError, match="cannot be read"):
            Checkpoint.load(checkpoint)


@given(
    start=st.integers(0, SEARCH_WINDOW - 1),
    page_size=st.integers(1, MAX_PAGE_SIZE),
    max_papers=st.integers(1, 10_000),
    total=st.integers(0, 50_000),
)
def test_no_walk_asks_for_what_arxiv_refuses(start, page_size, max_papers, total):
    if max_papers // page_size > 200:
        page_size = max_papers // 200

    pages = walk(search(start=start, page_size=page_size, max_papers=max_papers), total=total)

    assert all(1 <= size <= MAX_PAGE_SIZE for _, size in pages)
    assert all(offset + size <= SEARCH_WINDOW for offset, size in pages)
    assert sum(size for _, size in pages) <= max_papers


@given(count=st.integers(1, 500), page_size=st.integers(1, 2000), max_papers=st.integers(1, 600))
def test_each_id_wished_for_is_asked_for_once(count, page_size, max_papers):
    pages = walk(listed(count, page_size=page_size, max_papers=max_papers), total=0)

    asked = [number for offset, size in pages for number in range(offset, offset + size)]
    assert asked == list(range(min(count, max_papers)))
    assert all(size <= IDS_PER_REQUEST for _, size in pages)
