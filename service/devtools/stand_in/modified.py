"""When a made-up record was last modified, which is what its OAI-PMH datestamp tells.

A version is announced on the working day after it came; some papers were touched
again later (a journal reference, a DOI). What was last touched before 16 September
2005 has that day as its datestamp, as at arXiv: one day that takes many pages.
"""

from datetime import UTC, date, datetime

from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.wheels import Wheel

FIRST_DAY = date(2005, 9, 16)  # arXiv has no earlier datestamp
_DAY = 86_400
_FIRST = int(datetime(2005, 9, 16, tzinfo=UTC).timestamp())
# nothing in the corpus happens later, until it is amended
_LAST = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp())
_NIGHT = 4 * 3_600  # seconds that changes are spread over, from midnight on
_SATURDAY = 2  # days since 1 January 1970, a Thursday, modulo 7


class Modified:
    """Moments of last modification over `corpus`."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        # days from the announcement to the last touch
        touches = [0, 0, 0, 40, 0, 0, 400, 0, 1_500, 0]
        self._touch = Wheel("touch", touches, period=263, seed=corpus.seed)

    def at(self, number: int) -> int:
        """Seconds since 1970 at which record `number` was last modified."""
        amended = self._corpus.amendments.modified(number)
        if amended is not None:
            return amended
        second = number * 7_919 % _NIGHT
        announced = self._corpus.updated(number) // _DAY + 1
        touched = _working_day(announced + self._touch.at(number)) * _DAY + second
        if touched < _FIRST:
            return _FIRST + second
        return touched if touched < _LAST else _working_day(announced) * _DAY + second


def _working_day(day: int) -> int:
    """`day` (since 1970), or the Monday after it: arXiv announces nothing on weekends."""
    past_friday = (day - _SATURDAY) % 7
    return day + 2 - past_friday if past_friday < 2 else day
