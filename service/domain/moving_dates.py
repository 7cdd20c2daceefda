"""Moving dates: words in a scheduled request that become days when the schedule runs.

`today`, `yesterday` and `today-7d` count UTC days, whatever the time zone of the schedule.
`last_success` is the UTC day before the one on which the schedule's last completed job was
created: what was listed while that job ran is asked for again rather than missed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from service.domain.jobs import CRITERIA_OF, DAY_FORMAT, SEARCH, IngestionRequest

LAST_SUCCESS = "last_success"
FIRST_DATE, LAST_DATE = "from_date", "to_date"
MOVABLE = ("search_query", "oai", "audit")  # objects of sources that have dates
WORDS = r"today|yesterday|today-[0-9]{1,4}d"  # as a regular expression; last_success besides

_WORD = re.compile(WORDS, re.ASCII)


class NoDaysLeft(Exception):
    """The first day of a request has come to lie behind its last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDay:
    """What the words mean at one run: `last_success` is None where there was none yet."""

    today: date
    last_success: date | None

    def day(self, word: str) -> date | None:
        """The day that `word` stands for; None: no bound. Raises ValueError for another text."""
        if word == LAST_SUCCESS:
            return self.last_success
        if _WORD.fullmatch(word) is None:
            raise ValueError("not a moving date")
        if word == "yesterday":
            return self.today - timedelta(days=1)
        return self.today - timedelta(days=int(word[6:-1] or 0))


def is_moving(name: str, value: object) -> bool:
    """Whether `value` is a word that the date `name` of a request may have."""
    if not isinstance(value, str):
        return False
    is_last_success = value == LAST_SUCCESS and name == FIRST_DATE
    return is_last_success or _WORD.fullmatch(value) is not None


def moving_dates(criteria: Mapping[str, Any]) -> dict[str, str]:
    """The dates of the object of a source that are words, by their names."""
    names = (FIRST_DATE, LAST_DATE)
    return {name: criteria[name] for name in names if is_moving(name, criteria.get(name))}


@dataclass(frozen=True, slots=True)
class ScheduledRequest:
    """A request whose dates `moving` stand for are words; in `request` they are days of today."""

    request: IngestionRequest
    moving: Mapping[str, str]

    def dump(self) -> dict[str, Any]:
        """The request as a schedule keeps and shows it: with the words."""
        document = self.request.dump()
        own = CRITERIA_OF[self.request.source]
        return {**document, own: {**document[own], **self.moving}}


def resolved(document: Mapping[str, Any], at: RunDay) -> IngestionRequest:
    """The request of the job that a schedule with `document` submits.

    Raises NoDaysLeft, and KeyError, TypeError or ValueError for what is no stored request.
    """
    source = document["source"]
    own = CRITERIA_OF[source]
    criteria = dict(document[own])
    for name, word in moving_dates(criteria).items():
        day = at.day(word)
        criteria[name] = None if day is None else _written(day, source)
        if day is None:
            del criteria[name]
    request = IngestionRequest.load({**document, own: criteria})
    first, last = (criteria.get(name) for name in (FIRST_DATE, LAST_DATE))
    if first is not None and last is not None and first > last:  # both are written alike
        raise NoDaysLeft
    return request


def _written(day: date, source: str) -> str:
    return day.strftime(DAY_FORMAT) if source == SEARCH else day.isoformat()
