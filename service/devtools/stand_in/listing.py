"""The order of OAI-PMH lists: records by moment of modification, then by paper.

The order of 100,000 papers takes 800 kB and a fraction of a second, so it is made
when the first list is asked for and not when the server starts. A record that is
amended moves to its new place.
"""

from array import array
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date
from itertools import compress

from service.devtools.stand_in.records import Records
from service.devtools.stand_in.search import Search
from service.devtools.stand_in.taxonomy import WantedSet

_SETS_KEPT = 8
_EPOCH = date(1970, 1, 1)
_DAY = 86_400
# A key is the moment and the number in one integer; a corpus has at most a million papers.
_BITS = 20
_NUMBER = (1 << _BITS) - 1


class Listing:
    """The keys of all records in order, and of the sets that were asked for lately."""

    def __init__(self, records: Records, search: Search) -> None:
        self._records = records
        self._search = search
        self._keys: array[int] | None = None
        self._sets: OrderedDict[str, array[int]] = OrderedDict()

    def prepare(self) -> None:
        """Make the order, unless it is there; five seconds for a million papers."""
        if self._keys is None:
            corpus = self._records.corpus
            shown = (n for n in range(corpus.papers) if n not in corpus.amendments.hidden)
            self._keys = array("Q", sorted(map(self._key, shown)))

    def days(self, first: date, last: date, wanted: WantedSet | None) -> "Span":
        """The records of `wanted` (None: all) modified from day `first` to day `last`, included."""
        self.prepare()
        keys = self._all if wanted is None else self._of_set(wanted)
        return Span(keys, _place(keys, first), _place(keys, last, after=True))

    def move(self, number: int, before: int) -> None:
        """Record `number`, which had been modified at `before`, was modified again, or hidden."""
        if self._keys is None:
            return
        old = before << _BITS | number
        place = bisect_left(self._keys, old)
        if place < len(self._keys) and self._keys[place] == old:
            del self._keys[place]
        if number not in self._records.corpus.amendments.hidden:
            insort(self._keys, self._key(number))
        self._sets.clear()

    @property
    def _all(self) -> "array[int]":
        assert self._keys is not None
        return self._keys

    def _of_set(self, wanted: WantedSet) -> "array[int]":
        if wanted.spec not in self._sets:
            members = self._search.in_categories(wanted.holds)
            flags = members.to_bytes(self._records.corpus.papers, "little")
            chosen = (flags[key & _NUMBER] for key in self._all)
            self._sets[wanted.spec] = array("Q", compress(self._all, chosen))
            if len(self._sets) > _SETS_KEPT:
                self._sets.popitem(last=False)
        self._sets.move_to_end(wanted.spec)
        return self._sets[wanted.spec]

    def _key(self, number: int) -> int:
        return self._records.modified.at(number) << _BITS | number


class Span:
    """A part of an order: the records from place `first` up to and without `stop`."""

    def __init__(self, keys: "array[int]", first: int, stop: int) -> None:
        self._keys = keys
        self._first = first
        self._stop = max(first, stop)

    def page(self, skip: int, limit: int) -> Sequence[tuple[date, int]]:
        """Day and number of up to `limit` records after the first `skip`, in order."""
        first = min(self._first + skip, self._stop)
        keys = self._keys[first : min(first + limit, self._stop)]
        return [(day_of(key >> _BITS), key & _NUMBER) for key in keys]


def day_of(moment: int) -> date:
    """The UTC day of `moment`."""
    return date.fromordinal(_EPOCH.toordinal() + moment // _DAY)


def _place(keys: "array[int]", day: date, *, after: bool = False) -> int:
    """The place of the first record of `day`, or of the day `after` it."""
    begin = (day.toordinal() - _EPOCH.toordinal() + after) * _DAY
    return bisect_left(keys, begin << _BITS)
