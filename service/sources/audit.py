"""Source of an audit: all identifiers that arXiv lists, against what is held; and what that lacks.

A day counts once it was listed whole. To heal one, its papers are asked for one by
one, or the day's records are listed where that takes fewer requests.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any, Self

from service.arxiv.oai import Header, TokenRefused
from service.arxiv.oai_query import EARLIEST_DAY, ListQuery, Verb, next_page
from service.domain.checkpoint import Checkpoint
from service.domain.coverage import ListedDay
from service.domain.jobs import AuditCriteria, IngestionRequest
from service.domain.papers import EntryError, Paper
from service.sources.base import Batch, HarvestContext, Step, read_state, utc_now
from service.sources.oai import MAX_REFUSED, OaiReader

AUDIT = "audit"
FORMAT = 1
RECORDS_PER_PAGE = 2_500  # of arXiv's; what listing a day costs is reckoned with it
MOST_IDS = 40  # kept of one day; with more it is listed
PREFIX = "arXivRaw"
MISSING, STALE = "missing", "stale"
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTally:
    """What was found of one day; `ids` are what it lacks, each with its kind, None if too many.

    `token` goes on with the list of its records.
    """

    day: str
    listed: int = 0
    missing: int = 0
    stale: int = 0
    ids: Sequence[Sequence[str]] | None = ()
    token: str | None = None

    def plus(self, paper: str, kind: str | None) -> Self:
        """With one more paper, of what it lacks if there is a `kind`."""
        ids = self.ids
        if kind is not None and ids is not None:
            ids = [*ids, (paper, kind)] if len(ids) < MOST_IDS else None
        return replace(
            self,
            listed=self.listed + 1,
            missing=self.missing + (kind == MISSING),
            stale=self.stale + (kind == STALE),
            ids=ids,
        )

    def to_heal(self) -> Self:
        """What is to be done about the day, by the way that takes fewer requests."""
        few = self.ids is not None and len(self.ids) <= ceil(self.listed / RECORDS_PER_PAGE)
        return replace(self, ids=self.ids if few else None)

    @property
    def is_whole(self) -> bool:
        """Whether it lacks nothing."""
        return not self.missing and not self.stale


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Days before `following` are told, those up to `until` are to come.

    `tally` is the day that the last page ended in, `todo` are days to heal.
    """

    following: str
    until: str
    token: str | None = None
    tally: DayTally | None = None
    todo: Sequence[DayTally] = ()
    listed: int = 0
    refused: int = 0
    ended: bool = False

    @classmethod
    def read(
        cls,
        *,
        tally: Mapping[str, Any] | None,
        todo: Sequence[Mapping[str, Any]],
        **rest: Any,  # noqa: ANN401 - JSON
    ) -> Self:
        """The state that `checkpoint` wrote; raises TypeError for entries of another form."""
        days = [DayTally(**one) for one in todo]
        return cls(tally=DayTally(**tally) if tally else None, todo=days, **rest)

    def checkpoint(self) -> Checkpoint:
        """The checkpoint that holds this."""
        done = self.ended and not self.todo
        return Checkpoint(source=AUDIT, format=FORMAT, state=asdict(self), done=done)


@dataclass(frozen=True, slots=True)
class AuditSource:
    """Compares what arXiv lists over OAI-PMH with what is held; `now` is aware."""

    arxiv: OaiReader
    now: Callable[[], datetime] = utc_now
    name: str = AUDIT

    def serves(self, request: IngestionRequest) -> bool:
        """Requests for this source."""
        return request.source == AUDIT

    def first(self, request: IngestionRequest) -> Checkpoint:
        """The first day of the window; without a last one, it ends with today (UTC)."""
        wanted = _criteria(request)
        first = max(wanted.from_date or EARLIEST_DAY, EARLIEST_DAY)
        last = wanted.to_date or self.now().astimezone(UTC).date()
        return State(following=first.isoformat(), until=last.isoformat()).checkpoint()

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The next page of identifiers, or the next request that heals."""
        state = read_state(checkpoint, FORMAT, State.read)
        try:
            if state.todo:
                return await self._heal(context, state, state.todo[0])
            return await self._listed(context, state)
        except TokenRefused:
            if state.refused >= MAX_REFUSED:
                raise
            again = replace(state, refused=state.refused + 1)
            if state.todo:
                begun = replace(state.todo[0], token=None)
                again = replace(again, todo=[begun, *state.todo[1:]])
            else:  # the day that was under way is listed anew
                counted = state.tally.listed if state.tally else 0
                again = replace(again, token=None, tally=None, listed=state.listed - counted)
            return Step(following=again.checkpoint(), is_page=False)

    async def _listed(self, context: HarvestContext, state: State) -> Step:
        wanted = _criteria(context.request)
        query = _query(wanted, Verb.LIST_IDENTIFIERS, first=state.following, last=state.until)
        params = next_page(query.verb, state.token) if state.token else query.params()
        page = await self.arxiv.identifiers(params, context.requester)
        if state.token and (not page.headers or page.token == state.token):
            raise TokenRefused("arXiv's resumption token leads nowhere")
        kinds = await _kinds(context, page.headers)
        tallies = _tallied(kinds, state.tally)
        done, tally = (tallies, None) if page.token is None else (tallies[:-1], tallies[-1])
        last = date.fromisoformat(state.until) + _ONE_DAY if tally is None else _day(tally.day)
        days = list(_days(done, _day(state.following), last))
        heals = [one.to_heal() for one in done if wanted.heal and not one.is_whole]
        following = replace(
            state,
            following=last.isoformat(),
            token=page.token,
            tally=tally,
            todo=heals,
            listed=state.listed + len(kinds),
            refused=0 if last > _day(state.following) else state.refused,
            ended=page.token is None,
        )
        facts = {"listed": following.listed}
        return Step(
            batch=Batch(days=days, errors=page.errors, facts=facts),
            following=following.checkpoint(),
        )

    async def _heal(self, context: HarvestContext, state: State, day: DayTally) -> Step:
        if day.ids is None:
            return await self._heal_day(context, state, day)
        if not day.ids:
            return Step(following=_behind(state, None), is_page=False)
        (paper, kind), *left = day.ids
        found = await self.arxiv.record(paper, PREFIX, context.requester)
        batch = _batch(paper, kind, found, _day(day.day))
        return Step(batch=batch, following=_behind(state, replace(day, ids=left) if left else None))

    async def _heal_day(self, context: HarvestContext, state: State, day: DayTally) -> Step:
        """A page of the day's records, of which those that are not held as listed are taken."""
        query = _query(_criteria(context.request), Verb.LIST_RECORDS, first=day.day, last=day.day)
        params = next_page(query.verb, day.token) if day.token else query.params()
        page = await self.arxiv.records(params, context.requester)
        if day.token and (not page.entries or page.token == day.token):
            raise TokenRefused("arXiv's resumption token leads nowhere")
        headers = [
            Header(paper=one.arxiv_id.paper, datestamp=one.datestamp or _day(day.day))
            for one in page.papers
        ]
        kinds = await _kinds(context, headers)
        lacking = {paper: kind for paper, (_, kind) in kinds.items() if kind is not None}
        return Step(
            batch=Batch(
                records=[one for one in page.papers if one.arxiv_id.paper in lacking],
                errors=page.errors,
                healed={paper: (_day(day.day), kind) for paper, kind in lacking.items()},
            ),
            following=_behind(state, replace(day, token=page.token) if page.token else None),
        )


def _criteria(request: IngestionRequest) -> AuditCriteria:
    if request.audit is None:
        raise ValueError("the stored request is for an unknown source")
    return request.audit


def _query(wanted: AuditCriteria, verb: Verb, *, first: str, last: str) -> ListQuery:
    return ListQuery(
        verb=verb,
        metadata_prefix=PREFIX,
        from_date=_day(first),
        until_date=_day(last),
        set_spec=wanted.set,
    )


def _day(text: str) -> date:
    return date.fromisoformat(text)


async def _kinds(
    context: HarvestContext, headers: Sequence[Header]
) -> dict[str, tuple[date, str | None]]:
    """Paper → its listed day, and what is wrong with what is held of it (None: nothing)."""
    listed = {one.paper: one.datestamp for one in headers if not one.is_deleted}
    held = await context.held.datestamps(list(listed))
    kinds: dict[str, tuple[date, str | None]] = {}
    for paper, day in listed.items():
        datestamp = held.get(paper)
        kind = STALE if datestamp is None or datestamp < day else None
        kinds[paper] = day, kind if paper in held else MISSING
    return kinds


def _tallied(
    kinds: Mapping[str, tuple[date, str | None]], begun: DayTally | None
) -> list[DayTally]:
    """The days of a page (there may be none) in order, the first added to what was `begun`."""
    tallies = {begun.day: begun} if begun else {}
    for paper, (day, kind) in kinds.items():
        name = day.isoformat()
        tallies[name] = tallies.get(name, DayTally(day=name)).plus(paper, kind)
    return [tallies[name] for name in sorted(tallies)]


def _days(tallies: Sequence[DayTally], first: date, end: date) -> Iterator[ListedDay]:
    """Every day from `first` to before `end`, those without papers too."""
    found = {_day(one.day): one for one in tallies}
    for number in range((end - first).days):
        day = first + number * _ONE_DAY
        tally = found.get(day, DayTally(day=day.isoformat()))
        yield ListedDay(day, tally.listed, tally.missing, tally.stale)


def _batch(paper: str, kind: str, found: Paper | Header | EntryError | None, day: date) -> Batch:
    match found:
        case Paper():
            return Batch(records=(found,), healed={found.arxiv_id.paper: (day, kind)})
        case EntryError():
            return Batch(errors=(found,))
        case Header():
            return Batch()
    return Batch(errors=(EntryError("arXiv lists this paper, but has no record of it", paper),))


def _behind(state: State, day: DayTally | None) -> Checkpoint:
    """Behind a request that heals; `day` is None when nothing is left of it."""
    left = [*([day] if day else []), *state.todo[1:]]
    return replace(state, todo=left, refused=0 if day is None else state.refused).checkpoint()
