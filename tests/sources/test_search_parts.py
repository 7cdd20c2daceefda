"""Searches beyond arXiv's window: each paper once, in the order asked for."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from service.arxiv.search_windows import WindowTooFull
from service.domain.errors import UpstreamIncomplete
from service.domain.jobs import Criteria, IngestionRequest
from service.domain.papers import Page
from service.sources.search_parts import SearchPartsSource
from tests.conftest import make_paper
from tests.sources.conftest import walk

NOW = datetime(2024, 3, 20, tzinfo=UTC)
RANGE = re.compile(r"submittedDate:\[(\d+) TO (\d+)\]")


@dataclass
class Arxiv:
    """A list by moment of submission, of which a search shows the first `window`."""

    moments: list[datetime]
    window: int = 20
    asked: list[tuple[int, int]] = field(default_factory=list)
    empty: set[int] = field(default_factory=set)

    async def page(self, params, asker):
        found = RANGE.search(params["search_query"])
        first, last = (
            datetime.strptime(t, "%Y%m%d%H%M").replace(tzinfo=UTC) for t in found.groups()
        )
        inside = [n for n, at in enumerate(self.moments) if first <= at <= last]
        if params["sortOrder"] == "descending":
            inside.reverse()
        start, size = int(params["start"]), int(params["max_results"])
        assert start + size <= self.window
        self.asked.append((start, size))
        shown = inside[start : start + size]
        if len(self.asked) in self.empty:
            shown = []
        papers = tuple(
            make_paper(f"2403.{n:05}v1", published_at=self.moments[n], updated_at=self.moments[n])
            for n in shown
        )
        return Page(papers, len(inside))


def moments(count, step=timedelta(hours=5), per=1):
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    return [begin + step * (n // per) for n in range(count)]


def request(max_papers, **criteria):
    values = {"category": "cs.AI", "page_size": 7, **criteria}
    return IngestionRequest(criteria=Criteria(**values), max_papers=max_papers)


async def found(arxiv, wanted):
    source = SearchPartsSource(arxiv, window=arxiv.window, now=lambda: NOW)
    assert source.serves(wanted)
    steps = await walk(source, wanted)
    return [int(p.arxiv_id.paper[5:]) for step in steps for p in step.batch.records]


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("per", [1, 3, 9])
@pytest.mark.parametrize("start", [0, 5, 33])
async def test_each_paper_comes_once_in_the_order_asked_for(order, per, start):
    arxiv = Arxiv(moments(120, per=per))

    numbers = await found(arxiv, request(1000, sort_order=order, start=start))

    expected = list(range(120)) if order == "ascending" else list(range(119, -1, -1))
    if per == 1:
        assert numbers == expected[start:]
    assert len(numbers) == len(set(numbers)) == 120 - start


async def test_no_more_come_than_asked_for():
    assert await found(Arxiv(moments(120)), request(50)) == list(range(119, 69, -1))


async def test_one_part_is_enough_where_arxiv_has_no_more():
    arxiv = Arxiv(moments(15))

    assert len(await found(arxiv, request(1000))) == 15
    assert arxiv.asked[0] == (0, 1)


async def test_a_minute_that_does_not_fit_fails():
    arxiv = Arxiv(moments(50, step=timedelta(0)))

    with pytest.raises(WindowTooFull) as raised:
        await found(arxiv, request(1000))
    assert raised.value.code == "upstream_incomplete"


async def test_an_empty_page_in_a_part_is_asked_again():
    arxiv = Arxiv(moments(60), empty={9})

    assert len(await found(arxiv, request(1000))) == 60


async def test_a_part_that_stays_empty_fails():
    arxiv = Arxiv(moments(60), empty=set(range(9, 100)))

    with pytest.raises(UpstreamIncomplete):
        await found(arxiv, request(1000))


async def test_a_search_within_the_window_is_none_of_its_business():
    assert not SearchPartsSource(Arxiv([]), window=20).serves(request(20))
