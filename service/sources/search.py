"""Source: a search, page by page of the query API.

Pages come short, and empty in mid-list, and fuller than asked for. What arXiv
said that there is is kept with the checkpoint, and nothing less ends a list.
"""

from dataclasses import asdict, dataclass, replace
from typing import Self

from service.arxiv.query import search_params
from service.domain.checkpoint import Checkpoint
from service.domain.errors import UpstreamIncomplete
from service.domain.jobs import MAX_PAGE_SIZE, SEARCH_WINDOW, IngestionRequest
from service.domain.papers import Page
from service.sources.base import Batch, Expected, HarvestContext, Step, read_state
from service.sources.paging import USUAL_REPEATS, PageSource, Repeats

SEARCH = "search"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class _State:
    """`offset` counts results from the start of the list, unlike the job's own start.

    `total` is what the last answer with entries (till then: any answer) said the
    query matches, `changed` whether two of them said different things. `unread`
    entries were no papers; None where that was not counted.
    """

    offset: int
    total: int | None = None
    changed: bool = False
    unread: int | None = 0

    def after(self, page: Page, *, is_told: bool) -> Self:
        """Behind a page with entries; `is_told`: a page with entries came before."""
        return replace(
            self,
            offset=self.offset + page.entries,
            total=page.total,
            changed=self.changed or (is_told and self.total != page.total),
            unread=None if self.unread is None else self.unread + len(page.errors),
        )

    def checkpoint(self, *, done: bool = False, is_anew: bool = False) -> Checkpoint:
        """The checkpoint that holds this."""
        return Checkpoint(
            source=SEARCH, format=FORMAT, state=asdict(self), done=done, is_anew=is_anew
        )


@dataclass(frozen=True, slots=True)
class SearchSource:
    """What a query finds, up to `max_papers`, and as far as arXiv's window lets one page."""

    arxiv: PageSource
    repeats: Repeats = USUAL_REPEATS
    window: int = SEARCH_WINDOW
    name: str = SEARCH

    def serves(self, request: IngestionRequest) -> bool:
        """Searches without a list of ids."""
        return request.source == "search" and not request.criteria.ids

    def first(self, request: IngestionRequest) -> Checkpoint:
        """The result that the caller wants to begin with."""
        return _State(request.criteria.start).checkpoint()

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The next page, or the same once more; raises UpstreamIncomplete if it stays empty."""
        request, state = context.request, read_state(checkpoint, FORMAT, _State)
        size = self._size(state, request)
        params = search_params(request.criteria, offset=state.offset, size=size)
        page = (await self.arxiv.page(params, context.requester)).cut(size)
        if not page.entries:
            return self._empty(state, page, checkpoint, request)
        state = state.after(page, is_told=state.offset > request.criteria.start)
        done = self._size(state, request) < 1
        return Step(
            batch=Batch(records=page.papers, errors=page.errors),
            following=state.checkpoint(done=done),
            total=_wanted(state, request),
            expected=self._expected(state, request) if done else None,
        )

    def _size(self, state: _State, request: IngestionRequest) -> int:
        """How many results to ask for: never past the job's bound or arXiv's window."""
        taken = state.offset - request.criteria.start
        if taken and state.total is not None and state.offset >= state.total:
            return 0
        left = min(request.bound - taken, self.window - state.offset)
        return min(left, request.criteria.page_size, MAX_PAGE_SIZE)

    def _empty(
        self, state: _State, page: Page, checkpoint: Checkpoint, request: IngestionRequest
    ) -> Step:
        """An answer without entries: once more is asked, and oftener where more was promised."""
        is_first = state.offset == request.criteria.start
        if state.total is None or (is_first and page.total > state.total):
            state = replace(state, total=page.total)
        missing = _wanted(state, request) - (state.offset - request.criteria.start)
        if missing > 0 and checkpoint.repeats >= self.repeats.most:
            raise UpstreamIncomplete(missing)
        if missing > 0 or (is_first and not checkpoint.repeats):
            return Step(
                following=state.checkpoint(),
                delay=self.repeats.delay(checkpoint.repeats),
                is_page=False,
                repeated=True,
            )
        return Step(following=state.checkpoint(done=True), total=_wanted(state, request))

    def _expected(self, state: _State, request: IngestionRequest) -> Expected | None:
        if state.unread is None:
            return None
        return Expected(
            papers=_wanted(state, request) - state.unread,
            is_certain=not state.changed,
            again=replace(self.first(request), is_anew=True),
        )


def _wanted(state: _State, request: IngestionRequest) -> int:
    """How many entries the job is to bring, by what arXiv says that there are."""
    return max(0, min((state.total or 0) - request.criteria.start, request.bound))
