"""OAI-PMH asked page by page: days, tokens, and records that shift while their day is paged."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from service.arxiv.oai import Header, HeaderPage, RecordPage, TokenRefused
from service.arxiv.oai_query import ListQuery, Verb, decoded
from service.domain.checkpoint import Checkpoint
from service.domain.errors import UpstreamFaulty
from service.domain.jobs import IngestionRequest, OaiCriteria
from service.domain.papers import TOLD_BY_OAI_RAW, EntryError
from service.sources import oai
from service.sources.base import read_state
from service.sources.oai import OaiSource
from service.sources.oai_state import FORMAT, OAI, State
from tests.conftest import make_paper
from tests.sources.conftest import context, following, walk

TODAY = date(2024, 3, 20)


@dataclass
class Oai:
    """arXiv's list in memory, paged and shown as arXiv does; `moved` before request number n."""

    days: dict[str, date]
    size: int = 10
    headers_size: int = 1000
    refused: set[int] = field(default_factory=set)  # requests by token, counted from 1
    moved: dict[int, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    tokens: int = 0

    def _page(self, params, size):
        for name in self.moved.pop(len(self.asked), ()):
            self.days[name] = TODAY
        query = self._query(params)
        inside = sorted(
            (day, name)
            for name, day in self.days.items()
            if (query.from_date or date.min) <= day <= (query.until_date or date.max)
        )
        left = inside[query.skip :]
        shown, token = left[:size], None
        if len(left) > size:
            last = shown[-1][0]
            of_last = sum(day == last for day, _ in shown)
            again = query.skip if query.from_date == last else 0
            token = ListQuery(
                verb=query.verb,
                metadata_prefix=query.metadata_prefix,
                from_date=last,
                until_date=query.until_date,
                skip=of_last + again,
            ).token()
        return shown, token

    def _query(self, params):
        self.asked.append(params.get("resumptionToken", params.get("from", "")))
        if "resumptionToken" in params:
            self.tokens += 1
            if self.tokens in self.refused:
                raise TokenRefused("refused")
            return decoded(params["resumptionToken"])
        first, last = params.get("from"), params.get("until")
        return ListQuery(
            verb=Verb(params["verb"]),
            from_date=first and date.fromisoformat(first),
            until_date=last and date.fromisoformat(last),
        )

    async def records(self, params, requester):
        assert params["verb"] == "ListRecords"
        shown, token = self._page(params, self.size)
        papers = tuple(self._paper(name, day) for day, name in shown if name not in self.unread)
        errors = tuple(EntryError("bad", name) for _, name in shown if name in self.unread)
        last = max((day for day, _ in shown), default=None)
        return RecordPage(papers=papers, errors=errors, token=token, last_day=last)

    async def identifiers(self, params, requester):
        assert params["verb"] == "ListIdentifiers"
        shown, token = self._page(params, self.headers_size)
        headers = tuple(Header(paper=name, datestamp=day) for day, name in shown)
        return HeaderPage(headers=headers, token=token)

    async def record(self, paper, prefix, requester):
        self.asked.append(paper)
        if paper in self.unread:
            return EntryError("bad", paper)
        return self._paper(paper, self.days[paper]) if paper in self.days else None

    def _paper(self, name, day):
        return make_paper(f"{name}v1", datestamp=day, told=TOLD_BY_OAI_RAW)


def listed(*counts, first=date(2024, 3, 1)):
    """So many papers on each day from `first` on."""
    days = {}
    for number, count in enumerate(counts):
        for _ in range(count):
            days[f"2403.{len(days):05}"] = first + timedelta(days=number)
    return days


def request(**criteria):
    bound = criteria.pop("max_papers", None)
    return IngestionRequest(source="oai", oai=OaiCriteria(**criteria), max_papers=bound)


def source(arxiv):
    return OaiSource(arxiv, now=lambda: datetime(2024, 3, 20, 12, tzinfo=UTC))


def counted(steps):
    """The papers that count: those that were not met before in the job."""
    found = []
    for step in steps:
        ids = [one.arxiv_id.paper for one in step.batch.records]
        found += [one for one in ids if one not in step.batch.again]
    return found


async def harvested(arxiv, **criteria):
    steps = await walk(source(arxiv), request(**criteria))
    return steps, counted(steps)


@pytest.mark.parametrize("size", [1, 3, 7, 10, 100])
async def test_every_record_comes_once(size):
    arxiv = Oai(listed(4, 0, 15, 1, 7), size=size)

    _, papers = await harvested(arxiv)

    assert sorted(papers) == sorted(arxiv.days)
    assert len(papers) == len(set(papers))


async def test_the_window_is_asked_for():
    arxiv = Oai(listed(4, 4, 4, 4))

    _, papers = await harvested(arxiv, from_date=date(2024, 3, 2), to_date=date(2024, 3, 3))

    assert len(papers) == 8
    assert arxiv.asked == ["2024-03-02"]


@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("counts", [(4, 0, 15, 1, 7), (40,), (3, 3, 3, 3, 3, 3, 3)])
async def test_a_refused_token_costs_at_most_the_day_it_was_in(number, counts):
    arxiv = Oai(listed(*counts), size=5, refused={number})

    steps, papers = await harvested(arxiv)

    assert sorted(papers) == sorted(arxiv.days)
    assert len(papers) == len(set(papers))
    assert max(counts) >= sum(len(one.batch.records) for one in steps) - len(arxiv.days)


async def test_tokens_that_are_always_refused_where_days_are_large_end_the_try():
    arxiv = Oai(listed(40), size=5, refused=set(range(1, 100)))

    with pytest.raises(UpstreamFaulty):
        await harvested(arxiv)

    assert len(arxiv.asked) < 20


async def test_tokens_that_are_always_refused_do_no_harm_where_days_are_small():
    arxiv = Oai(listed(*[3] * 20), size=5, refused=set(range(1, 1000)))

    _, papers = await harvested(arxiv)

    assert sorted(papers) == sorted(arxiv.days)


async def test_a_day_on_several_pages_is_compared_when_it_is_passed():
    arxiv = Oai(listed(3, 12, 3), size=10)

    steps, _ = await harvested(arxiv)

    assert len(steps) == 3
    assert [one[:10] for one in arxiv.asked][2] == "2024-03-02"


async def test_a_day_on_one_page_is_not_compared():
    arxiv = Oai(listed(10, 10), size=10)

    steps, _ = await harvested(arxiv)

    assert len(steps) == 2


@pytest.mark.parametrize("gone", [1, 3, 8])
async def test_records_shifted_out_of_the_pages_to_come_are_found_again(gone):
    """What changes in mid-day moves to today, and those behind it move up into pages shown."""
    arxiv = Oai(listed(30, 5), size=10, moved={1: [f"2403.{n:05}" for n in range(gone)]})

    steps, papers = await harvested(arxiv)

    assert set(papers) == set(arxiv.days)
    assert len(papers) <= len(arxiv.days) + gone  # those moved, by their new day
    assert sum(len(one.batch.records) for one in steps) < 60


async def test_many_shifted_records_are_found_by_listing_their_day_again(monkeypatch):
    monkeypatch.setattr(oai, "ASKED_ONE_BY_ONE", 2)
    moved = [f"2403.{n:05}" for n in range(8)]
    arxiv = Oai(listed(30, 5), size=10, moved={1: moved})

    _, papers = await harvested(arxiv)

    assert set(papers) == set(arxiv.days)
    assert not set(arxiv.asked) & set(arxiv.days)


async def test_a_refused_token_in_the_comparison_begins_it_anew():
    arxiv = Oai(listed(30, 5), size=10, headers_size=12, refused={4})

    _, papers = await harvested(arxiv)

    assert sorted(papers) == sorted(arxiv.days)


async def test_comparisons_whose_tokens_are_always_refused_end_the_try():
    arxiv = Oai(listed(30), size=10, headers_size=12, refused=set(range(3, 100)))

    with pytest.raises(UpstreamFaulty):
        await harvested(arxiv)

    assert len(arxiv.asked) < 30


async def test_unreadable_records_are_errors_and_asked_for_no_second_time():
    arxiv = Oai(listed(25), size=10, unread={"2403.00003", "2403.00013"})

    steps, papers = await harvested(arxiv)

    errors = [one.arxiv_id for step in steps for one in step.batch.errors]
    assert errors == ["2403.00003", "2403.00013"]
    assert len(papers) == 23


async def test_no_more_than_max_papers_come():
    arxiv = Oai(listed(4, 15, 7), size=5, refused={2})

    steps, papers = await harvested(arxiv, max_papers=12)

    assert len(papers) == 12
    assert steps[-1].batch.facts == {}


async def test_an_empty_window_ends_at_once():
    steps, papers = await harvested(Oai({}), to_date=date(2024, 3, 19))

    assert (len(steps), papers) == (1, [])
    assert steps[0].batch.facts == {}


@pytest.mark.parametrize("last", [None, TODAY, date(2024, 3, 21)])
async def test_an_empty_today_is_not_believed(last):
    steps, _ = await harvested(Oai({}), from_date=date(2024, 3, 18), to_date=last)

    assert steps[-1].batch.facts == {"unproven_from": "2024-03-20"}


async def test_a_today_that_brought_something_is_believed():
    steps, _ = await harvested(Oai(listed(3, first=TODAY)))

    assert steps[-1].batch.facts == {}


async def test_a_token_that_leads_to_nothing_is_asked_around():
    arxiv = Oai(listed(12), size=5)
    at = source(arxiv).first(request())
    step = await source(arxiv).fetch(context(request()), at)
    arxiv.days = {name: day for name, day in arxiv.days.items() if name < "2403.00004"}

    step = await source(arxiv).fetch(context(request()), following(at, step))

    state = read_state(step.following, FORMAT, State.read)
    assert (state.token, state.start, state.refused) == (None, "2024-03-01", 1)


def test_a_state_of_another_form_is_refused():
    with pytest.raises(ValueError, match="checkpoint"):
        read_state(Checkpoint(source=OAI, format=FORMAT, state={"offset": 3}), FORMAT, State.read)
