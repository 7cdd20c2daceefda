"""Source of OAI-PMH: all records of a set that changed in a window of days, page by page.

One job of any size: nothing is kept but a page. See `oai_state` for what a token
that is lost costs, and for records that shift while their day is paged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Protocol

from service.arxiv.oai import Header, HeaderPage, RecordPage, TokenRefused
from service.arxiv.oai_query import ListQuery, Verb, next_page
from service.arxiv.pace import Requester
from service.domain.checkpoint import Checkpoint
from service.domain.errors import UpstreamFaulty
from service.domain.jobs import IngestionRequest, OaiCriteria
from service.domain.papers import EntryError, Paper
from service.sources.base import Batch, HarvestContext, Step, read_state, utc_now
from service.sources.oai_state import FORMAT, OAI, DayCheck, State

MAX_REFUSED = 5  # tokens refused in a row without progress
ASKED_ONE_BY_ONE = 20  # records missing of a day; for more the whole day is listed again


class OaiReader(Protocol):
    """Where answers come from (`arxiv.oai_client`)."""

    async def records(self, params: Mapping[str, str], requester: Requester) -> RecordPage:
        """A page of records."""
        ...

    async def identifiers(self, params: Mapping[str, str], requester: Requester) -> HeaderPage:
        """A page of headers."""
        ...

    async def record(
        self, paper: str, prefix: str, requester: Requester
    ) -> Paper | Header | EntryError | None:
        """One paper's record."""
        ...


@dataclass(frozen=True, slots=True)
class OaiSource:
    """What arXiv lists over OAI-PMH; `now` is aware."""

    arxiv: OaiReader
    now: Callable[[], datetime] = utc_now
    name: str = OAI

    def serves(self, request: IngestionRequest) -> bool:
        """Requests for this source."""
        return request.source == OAI

    def first(self, request: IngestionRequest) -> Checkpoint:
        """The first page of the window."""
        first = _criteria(request).from_date
        return State(start=first.isoformat() if first else None).checkpoint()

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The next page of the list, or what is to be done about a day that it has passed."""
        state = read_state(checkpoint, FORMAT, State.read)
        try:
            if state.check is not None:
                return await self._checked(context, state, state.check)
            return await self._listed(context, state)
        except TokenRefused:
            if state.refused >= MAX_REFUSED:
                raise
            again = state.rebased()
            if state.check is not None:
                check = DayCheck(day=state.check.day, seen=state.check.seen)
                again = replace(state, refused=state.refused + 1, check=check)
            return Step(following=again.checkpoint(), is_page=False)

    async def _listed(self, context: HarvestContext, state: State) -> Step:
        """The next page of the list."""
        wanted = _criteria(context.request)
        asked_on = self.now().astimezone(UTC).date()
        query = _query(wanted, first=state.first_day, last=wanted.to_date)
        params = next_page(query.verb, state.token) if state.token else query.params()
        page = await self.arxiv.records(params, context.requester)
        if state.token and (not page.entries or page.token == state.token):
            raise TokenRefused("arXiv's resumption token leads nowhere")
        if page.token and not page.entries:
            raise UpstreamFaulty("arXiv's answer holds a token, but no record")
        following = state.after(page) if page.entries else _ended(state)
        papers, is_full = _bounded(page.papers, context.request, state)
        is_last = is_full or following.ended
        return Step(
            batch=Batch(
                records=papers,
                errors=page.errors,
                again=frozenset(state.seen),
                facts=_unproven(wanted, following, asked_on) if is_last and not is_full else {},
            ),
            following=following.checkpoint(done=is_full),
        )

    async def _checked(self, context: HarvestContext, state: State, check: DayCheck) -> Step:
        """The next request about a day that the list has passed."""
        day, wanted = date.fromisoformat(check.day), _criteria(context.request)
        query = _query(wanted, first=day, last=day)
        if not check.listed:
            return await self._compared(context, state, check, query)
        if not check.was_anew and len(check.missing) > ASKED_ONE_BY_ONE:
            return await self._listed_anew(context, state, check, query)
        paper, *left = check.missing
        found = await self.arxiv.record(paper, wanted.metadata_format, context.requester)
        return _step(state, replace(check, missing=left), _asked(paper, found), context.request)

    async def _compared(
        self, context: HarvestContext, state: State, check: DayCheck, query: ListQuery
    ) -> Step:
        """A page of the day's identifiers, compared with what was seen."""
        query = replace(query, verb=Verb.LIST_IDENTIFIERS)
        params = next_page(query.verb, check.token) if check.token else query.params()
        page = await self.arxiv.identifiers(params, context.requester)
        listed = {one.paper for one in page.headers if not one.is_deleted}
        missing = sorted({*check.missing, *(listed - {*check.seen})})
        done = page.token is None
        check = replace(check, token=page.token, missing=missing, listed=done)
        return _step(state, check, Batch(), context.request)

    async def _listed_anew(
        self, context: HarvestContext, state: State, check: DayCheck, query: ListQuery
    ) -> Step:
        """A page of the day's records, of which those that are missing are taken."""
        params = next_page(query.verb, check.token) if check.token else query.params()
        page = await self.arxiv.records(params, context.requester)
        missing = {*check.missing}
        papers = [paper for paper in page.papers if paper.arxiv_id.paper in missing]
        left = sorted(missing - {paper.arxiv_id.paper for paper in papers})
        is_over = page.token is None or not left
        token = None if is_over else page.token
        check = replace(check, token=token, missing=left, was_anew=is_over)
        return _step(state, check, Batch(records=papers), context.request)


def _criteria(request: IngestionRequest) -> OaiCriteria:
    if request.oai is None:
        raise ValueError("the stored request is for an unknown source")
    return request.oai


def _query(wanted: OaiCriteria, *, first: date | None, last: date | None) -> ListQuery:
    return ListQuery(
        metadata_prefix=wanted.metadata_format,
        from_date=first,
        until_date=last,
        set_spec=wanted.set,
    )


def _ended(state: State) -> State:
    """Behind an answer that no record matches: the end, of a list that began anew or at all."""
    check = None
    if state.pages > 1 and state.day is not None:
        check = DayCheck(day=state.day, seen=state.seen)
    return replace(state, token=None, ended=True, check=check)


def _bounded(
    papers: tuple[Paper, ...], request: IngestionRequest, state: State
) -> tuple[tuple[Paper, ...], bool]:
    """The papers as far as the job's bound, and whether that is reached."""
    if request.max_papers is None:
        return papers, False
    seen, taken, left = {*state.seen}, [], request.max_papers - state.met
    for paper in papers:
        left -= paper.arxiv_id.paper not in seen
        if left < 0:
            break
        taken.append(paper)
    return tuple(taken), left <= 0


def _asked(paper: str, found: Paper | Header | EntryError | None) -> Batch:
    """What became of a paper that was asked for by its id."""
    match found:
        case Paper():
            return Batch(records=(found,))
        case EntryError():
            return Batch(errors=(found,))
        case Header():
            return Batch()
    return Batch(errors=(EntryError("arXiv lists this paper, but has no record of it", paper),))


def _step(state: State, check: DayCheck, batch: Batch, request: IngestionRequest) -> Step:
    """Behind a request about a day; at its end the list goes on."""
    met = state.met + len(batch.records)
    is_over = check.listed and not check.missing
    refused = 0 if is_over else state.refused
    following = replace(state, met=met, refused=refused, check=None if is_over else check)
    is_full = request.max_papers is not None and met >= request.max_papers
    return Step(batch=batch, following=following.checkpoint(done=is_full))


def _unproven(wanted: OaiCriteria, state: State, today: date) -> dict[str, Any]:
    """What is said where today is in the window and nothing of it came.

    arXiv keeps the answer that nothing matches until midnight (UTC), so that it may
    be an old one.
    """
    if wanted.to_date is not None and wanted.to_date < today:
        return {}
    if state.day is not None and state.day >= today.isoformat():
        return {}
    return {"unproven_from": max(today, wanted.from_date or today).isoformat()}
