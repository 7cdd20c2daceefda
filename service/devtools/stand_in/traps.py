"""Traps: ways in which arXiv differs from what one would expect, each to be switched on.

A trap stays on until it is switched off (`--trap NAME[=NUMBER]`, control API), unlike
a step of a script, which is used up. Some change how answers are made; the others
are faults that hit every tenth request of their channel. `arxiv` stands for all those
that arXiv itself shows at any time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from service.devtools.stand_in.faults import RateFault, Step

_EVERY = 0.1  # share of requests that a trap made of a fault hits


class BadTrap(ValueError):
    """A trap that does not exist, or a number that it does not take."""


@dataclass(frozen=True, slots=True)
class Trap:
    """What a trap does, in a sentence; `default` is its number, None if it takes none."""

    does: str
    default: float | None = None
    always: bool = False  # arXiv shows it at any time


TRAPS: Mapping[str, Trap] = {
    "or-by-default": Trap("terms without an operator are joined by OR, not AND", always=True),
    "right-association": Trap(
        "operators have no precedence and group to the right: a AND (b OR c)", always=True
    ),
    "last-updated": Trap(
        "lastUpdatedDate:[…] is searched as submittedDate:[…], not refused", always=True
    ),
    "underscore": Trap(
        "later terms with underscores are searched for the words of the first one", always=True
    ),
    "last-minute": Trap(
        "the last minute of a range of dates counts its first second only", always=True
    ),
    "id-junk": Trap(
        "an id_list entry with a valid id inside is dropped silently, not refused", always=True
    ),
    "accept-406": Trap("a request without an Accept header is answered with 406"),
    "ceiling-500": Trap("results beyond NUMBER are an unhandled 500", 10_000),
    "ceiling-400": Trap("results beyond NUMBER, instead of 30,000, are a 400", 30_000),
    "oai-token-once": Trap("resumption tokens are encoded once, not twice"),
    "oai-token-expiry": Trap("a resumption token is refused after its expirationDate"),
    "oai-cache": Trap(
        "OAI-PMH errors stay until UTC midnight, lists up to today for an hour, others four days"
    ),
    "oai-created-v1": Trap("format arXiv tells as created the date of version 1, as until 2025"),
    "pdf-regenerated": Trap("PDFs have other bytes than before, for the same versions"),
    "html-regenerated": Trap("HTML pages have other bytes than before, for the same versions"),
    "html-missing": Trap("no paper has HTML"),
    "html-stub": Trap("every HTML page is a stub without the paper"),
    "html-error": Trap("every HTML page is full of conversion errors"),
    "stalled-429": Trap("every tenth search waits NUMBER seconds for its 429", 15),
    "rate-exceeded": Trap("every tenth search is 200 with the text 'Rate exceeded.'"),
    "empty-page": Trap("every tenth search has no entries, whatever totalResults says"),
    "surplus": Trap("every tenth search has NUMBER entries more than asked for", 7),
    "illegal-xml": Trap("every tenth search holds characters that XML forbids"),
    "oai-stalled-503": Trap(
        "every tenth OAI-PMH request waits NUMBER seconds for a 503 with Retry-After: 0", 183
    ),
    "oai-html": Trap("every tenth OAI-PMH request is answered with HTML"),
    "oai-illegal-xml": Trap("every tenth OAI-PMH answer holds characters that XML forbids"),
    "half-pdf": Trap("every tenth PDF ends in its middle, and says it is whole"),
}
GROUP = "arxiv"


@dataclass(frozen=True, slots=True)
class Setting:
    """A trap to switch on; `number` None: its default."""

    name: str
    number: float | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """A trap as on the command line, `NAME` or `NAME=NUMBER`; raises BadTrap."""
        name, _, number = text.partition("=")
        try:
            setting = cls(name, float(number) if number else None)
        except ValueError:
            raise BadTrap(f"{name} takes a number, not {number}") from None
        setting.check()
        return setting

    def check(self) -> None:
        """Raise BadTrap when there is no such trap."""
        if self.name != GROUP and self.name not in TRAPS:
            raise BadTrap(f"unknown trap {self.name}; there are {', '.join([GROUP, *TRAPS])}")
        takes = self.name != GROUP and TRAPS[self.name].default is not None
        if self.number is not None and (not takes or not 0 <= self.number <= 1_000_000):
            raise BadTrap(f"{self.name} takes {'0 to 1,000,000' if takes else 'no number'}")


class Traps:
    """The traps that are on, with their numbers."""

    def __init__(self, settings: Iterable[Setting] = ()) -> None:
        self._on: dict[str, float] = {}
        for setting in settings:
            self.switch_on(setting)

    def __contains__(self, name: str) -> bool:
        return name in self._on

    def switch_on(self, setting: Setting) -> None:
        """Switch a trap on, or all of the group; raises BadTrap."""
        setting.check()
        if setting.name == GROUP:
            self._on |= {name: 0.0 for name, trap in TRAPS.items() if trap.always}
            return
        number = TRAPS[setting.name].default if setting.number is None else setting.number
        self._on[setting.name] = number or 0.0

    def switch_off(self, name: str) -> None:
        """Switch a trap off, or all of the group; raises BadTrap."""
        Setting(name).check()
        for one in [n for n in self._on if n == name or (name == GROUP and TRAPS[n].always)]:
            del self._on[one]

    def number(self, name: str) -> float | None:
        """The number of a trap, None when it is off."""
        return self._on.get(name)

    def state(self) -> dict[str, bool | float]:
        """Every trap: false when it is off, else true or its number."""
        return {
            name: name in self._on if trap.default is None else self._on.get(name, False)
            for name, trap in TRAPS.items()
        }

    def faults(self) -> list[RateFault]:
        """The faults that the traps which are on amount to."""
        return [
            RateFault(_EVERY, Step.read({**step, **self._numbered(name)}))
            for name, step in _FAULTS.items()
            if name in self._on
        ]

    def _numbered(self, name: str) -> dict[str, float]:
        """The number of a trap as the field of a step that it means."""
        field = _FIELDS.get(name)
        return {field: self._on[name]} if field else {}


_FAULTS: Mapping[str, Mapping[str, str]] = {
    "stalled-429": {"kind": "429", "lane": "api"},
    "rate-exceeded": {"kind": "rate_exceeded", "lane": "api"},
    "empty-page": {"kind": "empty", "lane": "api"},
    "surplus": {"kind": "surplus", "lane": "api"},
    "illegal-xml": {"kind": "illegal_xml", "lane": "api"},
    "oai-stalled-503": {"kind": "503", "lane": "oai", "retry_after": "0"},
    "oai-html": {"kind": "html", "lane": "oai"},
    "oai-illegal-xml": {"kind": "illegal_xml", "lane": "oai"},
    "half-pdf": {"kind": "half", "lane": "pdf"},
}
_FIELDS = {"stalled-429": "delay", "oai-stalled-503": "delay", "surplus": "surplus"}
