"""A list of ids, step by step: which are asked for together, and what is said of each."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arxiv.query import IDS_PER_REQUEST
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, IngestionRequest
from service.domain.papers import EntryError, Page
from service.sources.id_list import IdListSource
from tests.conftest import make_paper
from tests.sources.conftest import Arxiv, Held, walk


def listed(*ids, page_size=100, max_papers=10_000, **terms):
    ids = tuple(map(ArxivId.parse, ids))
    return IngestionRequest(
        criteria=Criteria(ids=ids, page_size=page_size, **terms), max_papers=max_papers
    )


def many(count, **more):
    return listed(*(f"2401.{number:05}" for number in range(count)), **more)


def page(*ids, total=None, errors=()):
    papers = tuple(map(make_paper, ids))
    return Page(papers, len(papers) if total is None else total, tuple(errors))


class AllOf(Arxiv):
    """Has every paper, in version 1 unless another is asked for."""

    async def page(self, params, _):
        self.asked.append(params)
        ids = [ArxivId.parse(one) for one in params["id_list"].split(",")]
        return page(*(f"{one.paper}v{one.version or 1}" for one in ids))


async def ended(request, *pages, held=None):
    """The one step that ends the list, after those before it."""
    return (await walk(IdListSource(Arxiv(pages=list(pages))), request, held=held))[-1]


def told(step):
    return [(error.code, error.arxiv_id) for error in step.batch.errors]


async def test_ids_are_asked_for_a_hundred_at_a_time():
    arxiv = AllOf()

    steps = await walk(IdListSource(arxiv), many(250, page_size=2000))

    assert [one["max_results"] for one in arxiv.asked] == ["100", "100", "50"]
    assert {step.total for step in steps} == {250}


async def test_ids_not_returned_are_unknown_papers():
    step = await ended(listed("2401.00001", "hep-th/9901001", "2401.00002v1"), page("2401.00002v1"))

    assert told(step) == [("unknown_paper", "2401.00001"), ("unknown_paper", "hep-th/9901001")]


@pytest.mark.parametrize(
    ("asked", "came", "held", "errors"),
    [
        (["X", "Xv9"], ["Xv2"], {}, [("unknown_version", "Xv9")]),
        (["X", "Xv1", "Xv9"], ["Xv2", "Xv1"], {}, [("unknown_version", "Xv9")]),
        (["Xv9"], [], {}, [("unknown_paper", "Xv9")]),
        (["Xv9"], [], {"X": 2}, [("unknown_version", "Xv9")]),
        (["Xv9"], ["Xv2"], {}, [("unknown_version", "Xv9")]),
        (["Xv2"], [], {"X": 2}, []),
        (["Xv1"], ["Xv1"], {"X": 2}, []),
    ],
)
async def test_case_117_an_id_is_in_its_version_or_is_an_error_naming_it(asked, came, held, errors):
    def named(text):
        return text.replace("X", "2401.00001")

    empty = [page(total=0)] * (not came)
    held = Held({named(paper): version for paper, version in held.items()})

    step = await ended(listed(*map(named, asked)), *empty, page(*map(named, came)), held=held)

    assert told(step) == [(code, named(arxiv_id)) for code, arxiv_id in errors]


async def test_a_version_that_is_held_and_not_returned_is_begun_as_it_is_held():
    step = await ended(listed("2401.00001v2"), page(total=0), page(), held=Held({"2401.00001": 2}))

    assert step.batch.held == ["2401.00001v2"]


async def test_an_old_id_asked_for_with_its_subject_class_is_found_without():
    step = await ended(listed("math.GT/0309136"), page("math/0309136v2"))

    assert told(step) == []


async def test_ghosts_are_reported_once_as_unknown_papers():
    ghost = EntryError("the entry has no id")
    answer = page("2401.00002v1", total=1, errors=[ghost])

    step = await ended(listed("2401.00001", "2401.00002"), answer)

    assert told(step) == [("unknown_paper", "2401.00001")]


async def test_an_unreadable_entry_is_an_error_and_not_unknown():
    unreadable = EntryError("the entry has no title", "2401.00001")

    step = await ended(listed("2401.00001"), page(errors=[unreadable], total=1))

    assert told(step) == [(None, "2401.00001")]


async def test_ids_narrowed_by_terms_are_never_unknown():
    step = await ended(listed("2401.00001", title="x"), page(), page())

    assert told(step) == []


async def test_ids_that_arxiv_says_it_has_and_does_not_bring_are_asked_for_again():
    arxiv = Arxiv(pages=[page("2401.00000v1", total=3), page("2401.00001v1", "2401.00002v1")])

    steps = await walk(IdListSource(arxiv), many(3))

    assert [one["id_list"] for one in arxiv.asked][1] == "2401.00001,2401.00002"
    assert [told(step) for step in steps] == [[], []]


async def test_an_empty_answer_to_later_ids_is_asked_again_before_they_are_unknown():
    pages = [page("2401.00000v1"), page(), page("2401.00001v1")]
    arxiv = Arxiv(pages=pages)

    steps = await walk(IdListSource(arxiv), many(2, page_size=1))

    assert [step.delay.total_seconds() for step in steps] == [0, 3, 0]
    assert [told(step) for step in steps] == [[]] * 3


async def test_an_empty_answer_that_promises_more_is_asked_again_five_times():
    arxiv = Arxiv(pages=[page(total=1)] * 6)

    steps = await walk(IdListSource(arxiv), many(1))

    assert [step.delay.total_seconds() for step in steps] == [3, 6, 12, 24, 48, 0]
    assert told(steps[-1]) == [("unknown_paper", "2401.00000")]


async def test_case_111_papers_that_nobody_asked_for_are_left():
    step = await ended(listed("2401.00001"), page("2401.00001v1", "2401.00077v1"))

    assert [str(paper.arxiv_id) for paper in step.batch.records] == ["2401.00001v1"]


@given(count=st.integers(1, 500), page_size=st.integers(1, 2000), max_papers=st.integers(1, 600))
async def test_each_id_wished_for_is_asked_for_once(count, page_size, max_papers):
    page_size = max(page_size, 10)
    arxiv = AllOf()

    await walk(IdListSource(arxiv), many(count, page_size=page_size, max_papers=max_papers))

    asked = [one["id_list"].split(",") for one in arxiv.asked]
    assert list(chain(*asked)) == [f"2401.{n:05}" for n in range(min(count, max_papers))]
    assert all(len(ids) <= IDS_PER_REQUEST for ids in asked)
