"""A cache like that before arXiv's OAI-PMH server: what was answered once stays answered.

Errors stay until UTC midnight, so that a day that was empty when it was asked for
the first time stays empty; lists up to today or later stay for an hour, others for
four days. Answers are kept compressed, 64 MB of them at most.
"""

import zlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from service.devtools.stand_in.clock import Clock

MAX_BYTES = 64 * 2**20
_HOUR, _DAYS = timedelta(hours=1), timedelta(days=4)


class OaiCache:
    """Answers by their arguments."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[tuple[str, str], ...], tuple[bytes, datetime]] = OrderedDict()
        self._size = 0

    def find(self, asked: Mapping[str, str]) -> bytes | None:
        """The answer that is kept for these arguments, if it has not run out."""
        kept = self._kept.get(_key(asked))
        if kept is None:
            return None
        if kept[1] <= self._clock.now():
            self._drop(_key(asked))
            return None
        return zlib.decompress(kept[0])

    def keep(self, asked: Mapping[str, str], body: bytes, *, is_error: bool) -> None:
        """Keep an answer for as long as arXiv does; the oldest go when there are too many."""
        self._drop(_key(asked))
        packed = zlib.compress(body, level=1)
        self._kept[_key(asked)] = packed, self._until(asked, is_error=is_error)
        self._size += len(packed)
        while self._size > MAX_BYTES:
            self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Forget everything, as arXiv does when it announces new papers."""
        self._kept.clear()
        self._size = 0

    def _until(self, asked: Mapping[str, str], *, is_error: bool) -> datetime:
        if is_error:
            return self._clock.midnight()
        try:
            is_past = date.fromisoformat(asked.get("until", "")) < self._clock.today()
        except ValueError:
            is_past = False
        return self._clock.now() + (_DAYS if is_past else _HOUR)

    def _drop(self, key: tuple[tuple[str, str], ...]) -> None:
        if key in self._kept:
            self._size -= len(self._kept.pop(key)[0])


def _key(asked: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(asked.items()))
