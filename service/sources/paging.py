"""Paging of the query API: an empty page is requested again before it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from service.arxiv.pace import Requester
from service.domain.papers import Page

MAX_REPEATS = 5  # times an empty page is asked for again where arXiv says that there is more
FIRST_DELAY = timedelta(seconds=3)


class PageSource(Protocol):
    """Where pages come from (`arxiv.client`)."""

    async def page(self, params: Mapping[str, str], asker: Requester) -> Page:
        """The page that these parameters of the query API ask for."""
        ...


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often, and after which waits, a page is asked for again that was empty.

    `first` is doubled each time: 3, 6, 12, 24, 48 s.
    """

    most: int = MAX_REPEATS
    first: timedelta = FIRST_DELAY

    def delay(self, done: int) -> timedelta:
        """The wait before repetition number `done` + 1."""
        return self.first * float(2**done)


USUAL_REPEATS = Repeats()
