"""Dry run: what a request would fetch, asked of arXiv now and within a deadline; creates nothing.

The one case in which an API process asks arXiv. It does so in slots of the fleet's rate
limit, ahead of all harvests, and gives up after `DEADLINE`.
"""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from service.arxiv.pace import Requester
from service.arxiv.query import IDS_PER_REQUEST, count_params
from service.domain.channels import WaitReason
from service.domain.errors import (
    ArxivNotAsked,
    ChannelClosed,
    InvalidRequest,
    PermanentError,
    QueryRefused,
    SlotMissed,
    UpstreamFaulty,
    UpstreamRejected,
)
from service.domain.jobs import SEARCH, IngestionRequest
from service.sources.paging import PageSource

DEADLINE = timedelta(seconds=10)  # from the request to its answer
MOST_AT_ONCE = 8  # in one process: even these do not all get a slot within the deadline
RANK = 2**39  # before every task, behind the plain requests that judge an outage
LOOKS = 2  # a first page that is empty is asked for again before it is believed

_CODES: Mapping[WaitReason, tuple[str, str]] = {
    WaitReason.ARXIV_COOLDOWN: ("arxiv_cooldown", "arXiv asked the service to wait"),
    WaitReason.ARXIV_UNAVAILABLE: ("arxiv_unavailable", "arXiv does not answer"),
    WaitReason.ARXIV_PAUSED: ("arxiv_unavailable", "All requests to arXiv are paused"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """What the rate limit leaves between the starts of two requests of a channel."""

    api: timedelta
    pdf: timedelta
    html: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a request would fetch.

    `total`: papers that match at arXiv, `papers` of them that the job would ingest at most.
    `requests` counts pages only. `duration` is a lower bound, with all papers new, PDFs
    and HTML included and no other job at work.
    """

    total: int
    papers: int
    requests: int
    duration: timedelta


@dataclass(slots=True)
class DryRuns:
    """Dry runs of one process; `arxiv` asks in slots of the fleet."""

    arxiv: PageSource
    intervals: Intervals
    deadline: timedelta = DEADLINE
    _running: int = field(default=0, init=False)

    async def estimate(self, request: IngestionRequest) -> Estimate:
        """What `request` would fetch, by what arXiv says now.

        Raises InvalidRequest for a source that cannot be counted beforehand, QueryRefused
        where arXiv refuses the query, and ArxivNotAsked where there is no answer in time.
        """
        if request.source != SEARCH:
            raise InvalidRequest(
                {
                    "dry_run": [
                        f"Must not be true with source {request.source}:"
                        " only a search can be counted beforehand."
                    ]
                }
            )
        with self._place():
            total = await self._within_deadline(request)
        return estimate_of(request, total, self.intervals)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._running >= MOST_AT_ONCE:
            raise _busy(self.deadline)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def _within_deadline(self, request: IngestionRequest) -> int:
        has_slot = asyncio.Event()
        try:
            async with asyncio.timeout(self.deadline.total_seconds()):
                return await self._total(request, has_slot)
        except TimeoutError:
            if has_slot.is_set():
                message = f"arXiv did not answer within {self.deadline.total_seconds():.0f} s"
                raise _not_asked("arxiv_unavailable", message, self.intervals.api) from None
            raise _busy(self.deadline) from None

    async def _total(self, request: IngestionRequest, has_slot: asyncio.Event) -> int:
        """How many papers match; nothing at all is believed when it has come twice."""

        async def note() -> None:
            has_slot.set()

        total = 0
        with _answered_now(self.intervals.api):
            params = count_params(request.criteria)
            for _ in range(LOOKS):
                has_slot.clear()
                page = await self.arxiv.page(params, Requester("dry run", note, RANK))
                if total := page.total:
                    break
        return total


def estimate_of(request: IngestionRequest, total: int, intervals: Intervals) -> Estimate:
    """What a search would take that has `total` matches.

    Pages come one after the other, PDFs and HTML meanwhile: the slowest decides. A list
    of ids is asked for whole, whatever arXiv has of it.
    """
    criteria = request.criteria
    size = criteria.page_size
    if criteria.ids:
        listed = min(len(criteria.ids), request.bound)
        papers, size = min(total, listed), min(size, IDS_PER_REQUEST)
    else:
        papers = listed = max(0, min(total - criteria.start, request.bound))
    requests = max(1, math.ceil(listed / size))
    duration = requests * intervals.api
    if request.process_pdfs:
        duration = max(duration, intervals.api + papers * intervals.pdf)
    if request.process_html:
        duration = max(duration, intervals.api + papers * intervals.html)
    return Estimate(total=total, papers=papers, requests=requests, duration=duration)


@contextmanager
def _answered_now(again: timedelta) -> Iterator[None]:
    """Turn what a task would wait for into what its caller is answered at once."""
    try:
        yield
    except ChannelClosed as err:
        code, what = _CODES[err.reason]
        raise _not_asked(code, what, err.delay) from err
    except SlotMissed as err:
        raise _busy(err.delay) from err
    except UpstreamRejected as err:
        raise QueryRefused(str(err)) from err
    except (UpstreamFaulty, PermanentError) as err:
        raise _not_asked(
            "arxiv_unavailable", f"{str(err)[:1].upper()}{str(err)[1:]}", again
        ) from err


def _busy(again: timedelta) -> ArxivNotAsked:
    return _not_asked("arxiv_busy", "The rate limit towards arXiv left no slot in time", again)


def _not_asked(code: str, message: str, again: timedelta) -> ArxivNotAsked:
    return ArxivNotAsked(message, code=code, retry_after=max(1, math.ceil(again.total_seconds())))
