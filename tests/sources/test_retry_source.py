"""The source of a retry: unfinished papers first, then the list from where it ended."""

from dataclasses import replace

import pytest

from service.domain.checkpoint import Checkpoint
from service.domain.jobs import Criteria, IngestionRequest
from service.domain.papers import Page
from service.sources.registry import Sources
from service.sources.retry import retry_checkpoint
from service.sources.search import SearchSource
from tests.sources.conftest import Arxiv, Held, page_of, walk

REQUEST = IngestionRequest(
    criteria=Criteria(category="cs.AI", page_size=10), max_papers=40, batch_size=2
)
OPEN = ["2301.00001", "2301.00003", "2301.00007"]


def at(offset, **more):
    state = {"offset": offset, "total": 100, "changed": False, "unread": 0}
    return Checkpoint(source="search", state=state, **more)


async def retried(ended, *, total=100, fetched=20, unfinished=OPEN, has_list=True, pages=()):
    """Steps of the retry of a job that ended at this document, and the arXiv it asked."""
    arxiv = Arxiv(total, list(pages))
    sources = Sources([SearchSource(arxiv)])
    first = retry_checkpoint(ended, fetched=fetched, unfinished=len(unfinished), has_list=has_list)
    steps = await walk(sources.of(first), REQUEST, first, Held(open=unfinished))
    return steps, arxiv


async def test_unfinished_papers_are_taken_over_in_batches_without_asking_arxiv():
    steps, arxiv = await retried(at(40, done=True).dump(), has_list=False)

    assert [step.batch.held for step in steps] == [OPEN[:2], OPEN[2:]]
    assert not any(step.following.needs_arxiv for step in steps)
    assert arxiv.asked == []


async def test_then_the_list_goes_on_where_it_ended():
    steps, arxiv = await retried(at(20, task=7, repeats=5).dump())

    assert arxiv.slices == [(20, 10), (30, 10)]
    assert steps[-1].total == 40 - 17  # the job before has finished 17
    assert steps[-1].expected.papers == 40  # with those of the job before


async def test_a_job_that_never_asked_is_begun_at_the_start():
    _, arxiv = await retried(None, fetched=0, unfinished=())

    assert arxiv.slices[0] == (0, 10)


async def test_a_retry_of_a_retry_goes_on_with_the_same_list():
    steps, _ = await retried(at(20).dump())
    middle = replace(steps[2].following, batches_done=1)

    first = retry_checkpoint(middle.dump(), fetched=13, unfinished=2, has_list=True)

    assert first.state["had"] == 17 + 11
    assert first.state["then"]["state"]["offset"] == 30
    assert first.state["then"]["batches_done"] == 1


async def test_batches_of_the_page_that_the_job_before_had_stored_are_not_stored_again():
    steps, _ = await retried(at(20, batches_done=3).dump())

    assert steps[1].following.batches_done == 3
    assert steps[2].following.batches_done == 0


async def test_a_list_that_begins_anew_is_not_lessened_by_what_came_before():
    first = retry_checkpoint(at(0, is_anew=True).dump(), fetched=38, unfinished=3, has_list=True)

    assert first.state["had"] == 0


async def test_an_empty_page_of_the_list_is_asked_again_there_too():
    steps, arxiv = await retried(at(20).dump(), unfinished=(), pages=[Page((), 100)])

    assert [step.repeated for step in steps] == [False, True, False, False]
    assert arxiv.slices == [(20, 10), (20, 10), (30, 10)]


async def test_where_too_little_came_a_retry_of_the_retry_begins_anew():
    steps, _ = await retried(at(30).dump(), unfinished=(), pages=[page_of(30, 10, total=100)])

    again = steps[-1].expected.again

    assert (again.source, again.is_anew, again.state["had"]) == ("retry", True, 0)


@pytest.mark.parametrize("document", [{"page": 1}, {"source": "search"}, [], 7])
def test_a_checkpoint_of_no_form_is_refused(document):
    with pytest.raises(ValueError, match="cannot be read"):
        retry_checkpoint(document, fetched=0, unfinished=0, has_list=True)
