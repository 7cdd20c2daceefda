"""The arguments of OAI-PMH lists, checked as arXiv checks them, and its resumption tokens.

A token holds the arguments of the list and how many records to skip: they are
written as a query string, which is quoted once more. Nothing is kept for it by the
server, except when its expiry is checked (`Tokens`), which arXiv leaves out.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Self
from urllib.parse import parse_qs, quote, unquote, urlencode

from service.devtools.stand_in.clock import Clock
from service.devtools.stand_in.modified import FIRST_DAY
from service.devtools.stand_in.oai_errors import OaiError
from service.devtools.stand_in.oai_formats import FORMATS
from service.devtools.stand_in.taxonomy import NoSuchSet, WantedSet
from service.devtools.stand_in.traps import Traps

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LIST_ARGUMENTS = {"verb", "metadataPrefix", "from", "until", "set"}
_TOKENS_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ListArguments:
    """What a list shall hold: `first` and `last` day (None: open), `skip` records less.

    `asked` are the arguments as they came, `is_resumed` when they came in a token.
    """

    verb: str
    prefix: str
    first: date | None
    last: date | None
    wanted: WantedSet | None
    skip: int = 0
    is_resumed: bool = False

    @classmethod
    def read(cls, asked: Mapping[str, str], today: date) -> Self:
        """The arguments of a list, checked in arXiv's order; raises OaiError."""
        if "metadataPrefix" not in asked:
            raise _bad("metadataPrefix required.")
        if asked.keys() - _LIST_ARGUMENTS:
            raise _bad(f"Only these arguments are allowed: {', '.join(sorted(_LIST_ARGUMENTS))}")
        prefix = asked["metadataPrefix"]
        check_format(prefix)
        first, last = _day(asked, "from"), _day(asked, "until")
        wanted = _set(asked.get("set"))
        if first and last and first > last:
            raise _bad("until date must be greater than or equal to from date")
        if first and first > today:
            raise _bad("until date must be greater than or equal to from date")
        if first and first < FIRST_DAY:
            raise _bad("start date too early")
        if last and last > today + timedelta(days=1):
            raise _bad("until date too late")
        return cls(verb=asked["verb"], prefix=prefix, first=first, last=last, wanted=wanted)

    def resumed(self, skip: int) -> Self:
        """The same as it comes out of a token."""
        return replace(self, skip=skip, is_resumed=True)

    def after(self, days: list[date]) -> Self:
        """The arguments of the next page; `days` are those of this one's records and of one more.

        Within a day the records shown are skipped besides; when the next record is of
        a later day than the first, the list goes on from its day, without what this
        page shows of it.
        """
        if days[0] == days[-1]:
            return replace(self, skip=self.skip + len(days) - 1)
        return replace(self, first=days[-1], skip=days.count(days[-1]) - 1)

    def written(self) -> dict[str, str]:
        """The arguments as a client writes them, without those that are open."""
        written = {"verb": self.verb, "metadataPrefix": self.prefix}
        days = {"from": self.first, "until": self.last}
        written |= {name: f"{day:%Y-%m-%d}" for name, day in days.items() if day}
        return written | ({"set": self.wanted.spec} if self.wanted else {})


class Tokens:
    """Makes resumption tokens and reads them; knows when those it made expire."""

    def __init__(self, clock: Clock, traps: Traps) -> None:
        self._clock = clock
        self._traps = traps
        self._expiry: OrderedDict[str, datetime] = OrderedDict()
        self._expired: set[str] = set()

    def make(self, arguments: ListArguments) -> tuple[str, datetime]:
        """The token of `arguments`, and its expirationDate: the next UTC midnight."""
        token = urlencode({**arguments.written(), "skip": arguments.skip})
        if "oai-token-once" not in self._traps:
            token = quote(token)
        self._expiry[token] = self._clock.midnight()
        self._expiry.move_to_end(token)
        self._expired.discard(token)
        if len(self._expiry) > _TOKENS_KEPT:
            self._expired.discard(self._expiry.popitem(last=False)[0])
        return token, self._expiry[token]

    def read(self, token: str, verb: str) -> ListArguments:
        """The arguments in a token; raises OaiError when it is none, or has expired."""
        values = parse_qs(unquote(token))
        asked = {name: found[0] for name, found in values.items()}
        skip = asked.pop("skip", "")
        if not (skip.isascii() and skip.isdecimal() and len(skip) < 10) or self._is_expired(token):
            raise OaiError("badResumptionToken", "Token decoding failed or format is invalid.")
        if asked.get("verb") != verb:
            raise OaiError("badResumptionToken", "token from different verb")
        return ListArguments.read(asked, self._clock.today()).resumed(int(skip))

    def expire(self) -> int:
        """Let all tokens made so far expire, whatever the traps; how many there are."""
        self._expired |= set(self._expiry)
        return len(self._expiry)

    def _is_expired(self, token: str) -> bool:
        if token in self._expired:
            return True
        if "oai-token-expiry" not in self._traps:
            return False
        expiry = self._expiry.get(token)
        return expiry is None or expiry <= self._clock.now()


def check_format(prefix: str) -> None:
    """Raise OaiError for a format that does not exist."""
    if prefix not in FORMATS:
        raise OaiError("cannotDisseminateFormat", "Did not recognize requested format")


def _bad(message: str) -> OaiError:
    return OaiError("badArgument", message)


def _day(asked: Mapping[str, str], name: str) -> date | None:
    text = asked.get(name)
    if not text:
        return None
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise _bad(f"{name} date format must be YYYY-MM-DD") from None


def _set(spec: str | None) -> WantedSet | None:
    try:
        return WantedSet.read(spec) if spec else None
    except NoSuchSet as error:
        raise _bad(str(error)) from None
