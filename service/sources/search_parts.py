"""Source of a search beyond arXiv's window: read in parts by date of submission.

Which parts there are is planned in `arxiv.search_windows`. Neighbours share a second,
so what the part before ended with in it is dropped. Each part has to come whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from service.arxiv.query import search_params
from service.arxiv.search_windows import Window, WindowPlan, settled
from service.domain.checkpoint import Checkpoint
from service.domain.errors import UpstreamIncomplete
from service.domain.jobs import MAX_PAGE_SIZE, SEARCH, SEARCH_WINDOW, Criteria, IngestionRequest
from service.domain.papers import Page, Paper
from service.sources.base import Batch, HarvestContext, Step, read_state, utc_now
from service.sources.paging import USUAL_REPEATS, PageSource, Repeats

SEARCH_PARTS = "search_parts"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """`offset` results of the part in work are read, None where it is not settled yet.

    `total` of its results, `whole` of the search as far as known; `came` papers did.
    `edge`: those of the part before in the second that it shares with this one, and
    `next_edge` those of this one for the next.
    """

    plan: Mapping[str, Any]
    read: int | None = None
    total: int = 0
    whole: int | None = None
    came: int = 0
    edge: tuple[str, ...] = ()
    next_edge: tuple[str, ...] = ()

    def checkpoint(self, *, done: bool = False) -> Checkpoint:
        """The checkpoint that holds this."""
        return Checkpoint(source=SEARCH_PARTS, format=FORMAT, state=asdict(self), done=done)


@dataclass(frozen=True, slots=True)
class SearchPartsSource:
    """Searches that want more than the first `window` results, by date of submission."""

    arxiv: PageSource
    repeats: Repeats = USUAL_REPEATS
    window: int = SEARCH_WINDOW
    now: Callable[[], datetime] = utc_now
    name: str = SEARCH_PARTS

    def serves(self, request: IngestionRequest) -> bool:
        """Searches, without ids, past the window."""
        criteria = request.criteria
        is_search = request.source == SEARCH and not criteria.ids
        return is_search and criteria.start + request.bound > self.window

    def first(self, request: IngestionRequest) -> Checkpoint:
        """One part: all of it."""
        criteria = request.criteria
        plan = WindowPlan.whole(
            Window.of_days(criteria.from_date, criteria.to_date),
            now=self.now(),
            newest_first=criteria.sort_order == "descending",
            skip=criteria.start,
        )
        return _State(plan=plan.dump()).checkpoint()

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The next part is settled, or a page of the one in work is read."""
        state = read_state(checkpoint, FORMAT, _State)
        plan = WindowPlan.load(state.plan)
        if state.read is None:
            return await self._settled(context, state, plan)
        size = self._size(context.request, state, state.read)
        page = await self._page(context, plan.current, offset=state.read, size=size)
        if page.entries:
            return _read(state, plan, page, context.request)
        missing = min(state.total - state.read, context.request.bound - state.came)
        if checkpoint.repeats >= self.repeats.most:
            raise UpstreamIncomplete(missing)
        return Step(
            following=state.checkpoint(),
            delay=self.repeats.delay(checkpoint.repeats),
            is_page=False,
            repeated=True,
        )

    async def _settled(self, context: HarvestContext, state: _State, plan: WindowPlan) -> Step:
        counts: list[int] = []

        async def count(window: Window) -> int:
            page = await self._page(context, window, offset=0, size=1)
            if not page.total:  # not believed at once
                page = await self._page(context, window, offset=0, size=1)
            counts.append(page.total)
            return page.total

        plan, total = await settled(plan, count, limit=self.window)
        whole = state.whole if state.whole is not None else next(iter(counts), 0)
        following = replace(
            state, plan=plan.dump(), read=plan.skip, total=total, whole=whole, next_edge=()
        )
        done = plan.current is None
        wanted = max(0, min(whole - context.request.criteria.start, context.request.bound))
        return Step(following=following.checkpoint(done=done), total=wanted, is_page=False)

    async def _page(
        self, context: HarvestContext, window: Window | None, *, offset: int, size: int
    ) -> Page:
        criteria: Criteria = context.request.criteria
        params = search_params(criteria, offset=offset, size=size, window=window, limit=self.window)
        return (await self.arxiv.page(params, context.requester)).cut(size)

    def _size(self, request: IngestionRequest, state: _State, offset: int) -> int:
        left = min(state.total - offset, self.window - offset, request.bound - state.came)
        return max(1, min(left, request.criteria.page_size, MAX_PAGE_SIZE))


def _read(state: _State, plan: WindowPlan, page: Page, request: IngestionRequest) -> Step:
    """Behind a page with entries of the part in work."""
    known = {*state.edge}
    papers = [paper for paper in page.papers if paper.arxiv_id.paper not in known]
    offset = (state.read or 0) + page.entries
    on_edge = {paper.arxiv_id.paper for paper in page.papers if _is_on(paper, plan.edge)}
    following = replace(
        state,
        read=offset,
        total=max(page.total, offset) if page.total else state.total,
        came=state.came + len(papers),
        next_edge=tuple(sorted({*state.next_edge, *on_edge})),
    )
    if offset >= following.total:
        following = replace(
            following, plan=plan.read().dump(), read=None, edge=following.next_edge, next_edge=()
        )
    is_last = following.read is None and plan.read().current is None
    return Step(
        batch=Batch(records=papers, errors=page.errors),
        following=following.checkpoint(done=is_last or following.came >= request.bound),
    )


def _is_on(paper: Paper, edge: Window | None) -> bool:
    """Whether the paper was submitted in the second that this part shares with the next."""
    return edge is not None and edge.first in (paper.published_at, paper.updated_at)
