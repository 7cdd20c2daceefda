"""Checkpoints: they survive JSON, and those stored before there were sources are still read."""

import json

import pytest

from service.domain.checkpoint import Checkpoint
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, IngestionRequest
from service.sources.id_list import IdListSource
from service.sources.registry import Sources
from service.sources.search import SearchSource
from tests.sources.conftest import Held, context, walk

SEARCH = IngestionRequest(criteria=Criteria(category="cs.AI", page_size=10), max_papers=40)
LIST = IngestionRequest(
    criteria=Criteria(ids=tuple(ArxivId(f"2401.{n:05}") for n in range(30)), page_size=10)
)
FLAT = {
    "offset": 20,
    "batches_done": 1,
    "taken": 20,
    "empty_pages": 2,
    "done": False,
    "is_taking_over": False,
    "taken_over": "",
    "total_shift": 0,
}


@pytest.fixture
def sources(arxiv):
    return Sources([SearchSource(arxiv), IdListSource(arxiv)])


def test_a_checkpoint_survives_json(sources):
    for request in (SEARCH, LIST):
        first = sources.first(request)

        assert Checkpoint.load(json.loads(json.dumps(first.dump()))) == first


@pytest.mark.parametrize("document", [{"source": "x"}, {"source": "x", "state": 1}, {}, [], 7])
def test_a_checkpoint_of_no_form_is_refused(sources, document):
    with pytest.raises(ValueError, match="cannot be read"):
        sources.checkpoint(document, SEARCH)


def test_a_checkpoint_of_an_unknown_source_is_refused(sources):
    with pytest.raises(ValueError, match="unknown source"):
        sources.of(Checkpoint(source="telepathy", state={}))


async def test_a_state_of_another_version_is_refused(sources):
    later = Checkpoint(source="search", format=9, state={"offset": 0})

    with pytest.raises(ValueError, match="another version"):
        await walk(sources.of(later), SEARCH, later)


@pytest.mark.parametrize("source", ["search", "id_list", "retry"])
@pytest.mark.parametrize("state", [{}, {"offset": 0, "more": 1}])
async def test_a_state_of_no_form_is_refused(sources, source, state):
    checkpoint = Checkpoint(source=source, state=state)

    with pytest.raises(ValueError, match="cannot be read"):
        await sources.of(checkpoint).fetch(context(LIST), checkpoint)


async def test_a_search_of_the_old_form_goes_on_where_it_stood(sources, arxiv):
    arxiv.total = 100

    checkpoint = sources.checkpoint(FLAT, SEARCH)
    steps = await walk(sources.of(checkpoint), SEARCH, checkpoint)

    assert (checkpoint.batches_done, checkpoint.repeats) == (1, 2)
    assert arxiv.slices == [(20, 10), (30, 10)]
    assert steps[-1].expected is None  # what it could not read before was not counted


async def test_a_list_of_ids_of_the_old_form_goes_on_where_it_stood(sources, arxiv):
    checkpoint = sources.checkpoint(FLAT, LIST)
    await sources.of(checkpoint).fetch(context(LIST), checkpoint)

    assert arxiv.asked[0]["id_list"].startswith("2401.00020,")


async def test_a_retry_of_the_old_form_goes_on_with_its_papers_and_then_its_list(sources, arxiv):
    arxiv.total = 100
    document = {**FLAT, "is_taking_over": True, "taken_over": "2301.00002", "total_shift": -17}

    checkpoint = sources.checkpoint(document, SEARCH)
    held = Held(open=["2301.00001", "2301.00003"])
    steps = await walk(sources.of(checkpoint), SEARCH, checkpoint, held)

    assert steps[0].batch.held == ["2301.00003"]
    assert steps[0].following.batches_done == 1
    assert arxiv.slices == [(20, 10), (30, 10)]
    assert steps[-1].total == 40 - 17


async def test_a_retry_of_the_old_form_that_is_in_its_list_goes_on_there(sources, arxiv):
    arxiv.total = 100
    document = {**FLAT, "total_shift": -17}

    checkpoint = sources.checkpoint(document, SEARCH)
    steps = await walk(sources.of(checkpoint), SEARCH, checkpoint)

    assert checkpoint.batches_done == 1
    assert arxiv.slices == [(20, 10), (30, 10)]
    assert steps[-1].total == 40 - 17
