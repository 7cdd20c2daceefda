"""Where a harvest stands in its result list: the checkpoint, as a value.

Committed with the rows that it stands for. Callers and operators see it only
as an opaque JSON object.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from service.domain.jobs import MAX_PAGE_SIZE, SEARCH_WINDOW, IngestionRequest

IDS_PER_REQUEST = 100  # keeps the URL far below 8 kB with the longest ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The next thing to do: batch `batch` of the page at `offset`.

    `offset` counts results (or ids, when the job is a list of ids) from the
    start of the list. `batches_done` of the page at `offset` are committed.
    `taken` is how many results the pages before brought. `empty_pages` counts
    empty answers in a row where more was promised (arXiv does that now and then).

    The retry of a job goes on where that job's list ended, but first takes over
    its unfinished papers (`is_taking_over`), in the order of their ids, those up
    to `taken_over` being done. `total_shift` is what makes its own total of the
    total of the list.
    """

    offset: int
    batches_done: int = 0
    taken: int = 0
    empty_pages: int = 0
    done: bool = False
    is_taking_over: bool = False
    taken_over: str = ""
    total_shift: int = 0

    @classmethod
    def first(cls, request: IngestionRequest) -> Self:
        """Where a new job begins."""
        return cls(offset=0 if request.criteria.ids else request.criteria.start)

    @classmethod
    def load(cls, checkpoint: Mapping[str, Any]) -> Self:
        """The cursor of a stored checkpoint, as `dump` wrote it; raises ValueError for another.

        Who changes the fields must let tasks of the old form be left alone (`PAYLOAD_VERSION`).
        """
        try:
            return cls(**checkpoint)
        except TypeError as err:
            raise ValueError("the stored checkpoint cannot be read") from err

    def dump(self) -> dict[str, Any]:
        """The checkpoint to store: flat JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def page(self) -> dict[str, Any]:
        """The part of the checkpoint that stays the same while the page is in work."""
        return {
            "offset": self.offset,
            "empty_pages": self.empty_pages,
            "is_taking_over": self.is_taking_over,
        }

    @property
    def is_harvested(self) -> bool:
        """True when no more papers will come."""
        return self.done and not self.is_taking_over

    def for_retry(self, *, open_papers: int, seen: int, has_list: bool) -> Self:
        """Where the retry of a job begins that ended here, having seen `seen` papers.

        `has_list`: that job ended before its list did.
        """
        return replace(
            self,
            empty_pages=0,
            done=not has_list,
            is_taking_over=True,
            taken_over="",
            total_shift=self.total_shift + open_papers - seen,
        )

    def inherited(self, last: str) -> Self:
        """After unfinished papers up to the id `last` were taken over; more may follow."""
        return replace(self, taken_over=last)

    def all_inherited(self) -> Self:
        """After the last of them: what remains is the list."""
        return replace(self, is_taking_over=False)

    def page_size(self, request: IngestionRequest) -> int:
        """How many results to ask for: never past the job's bound or arXiv's window (≥ 1)."""
        ids = request.criteria.ids
        if ids:
            left = min(len(ids), request.max_papers) - self.offset
            return max(1, min(left, request.criteria.page_size, IDS_PER_REQUEST))
        left = min(request.max_papers - self.taken, SEARCH_WINDOW - self.offset)
        return max(1, min(left, request.criteria.page_size, MAX_PAGE_SIZE))

    def next_batch(self) -> Self:
        """After one more batch of the same page was committed."""
        return replace(self, batches_done=self.batches_done + 1)

    def asked_again(self) -> Self:
        """After an empty answer that is not believed yet."""
        return replace(self, empty_pages=self.empty_pages + 1)

    def next_page(self, *, entries: int, total: int, request: IngestionRequest) -> Self:
        """After a whole page of `entries` results, of `total` that the query matches."""
        asked = self.page_size(request)
        ids = request.criteria.ids
        offset = self.offset + (asked if ids else max(entries, 1))
        taken = self.taken + entries
        if ids:
            done = offset >= min(len(ids), request.max_papers)
        else:
            done = offset >= min(total, SEARCH_WINDOW) or taken >= request.max_papers or not entries
        return replace(self, offset=offset, batches_done=0, taken=taken, empty_pages=0, done=done)
