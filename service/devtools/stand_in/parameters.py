"""The parameters of a query API request, checked as today's arXiv checks them.

A request that breaks a rule raises `BadQuery`, which becomes HTTP 400 with an
error feed. Numbers and sort words are checked at once; ids and the query when
they are asked for, because recorded answers may stand for unreadable ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from service.devtools.stand_in.query import BadQuery, Grammar, Node, bad, parse_query
from service.devtools.stand_in.search import ORDERS, SORTS
from service.devtools.stand_in.traps import Traps
from service.domain.identifiers import ArxivId

DEFAULT_RESULTS = 10  # arXiv API user's manual, 3.1.1; also for id_list, however long
MAX_PAGE_SIZE = 2_000  # the same, 3.1.1.2
SEARCH_WINDOW = 30_000  # start + max_results; the same
_ANY_ID = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,9}", re.ASCII)


class Exploded(Exception):
    """The request makes arXiv's server fail: HTTP 500."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a request is answered in: `base` is this server's URL, for links.

    `surplus` is how many entries more than asked for an answer shall have.
    """

    base: str = ""
    traps: Traps = field(default_factory=Traps)
    surplus: int = 0

    @property
    def grammar(self) -> Grammar:
        """How queries are read."""
        return Grammar(
            or_by_default="or-by-default" in self.traps,
            right_association="right-association" in self.traps,
            last_updated="last-updated" in self.traps,
            underscore="underscore" in self.traps,
            last_minute="last-minute" in self.traps,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What was asked: texts as they came, numbers in their bounds.

    `recording` names a recorded answer; arXiv has no such parameter (see `recordings`).
    """

    search_text: str
    id_texts: tuple[str, ...]
    start: int
    max_results: int
    sort_by: str
    sort_order: str
    recording: str | None = None
    around: Surroundings = field(default_factory=Surroundings)

    @classmethod
    def read(cls, query: Mapping[str, str], around: Surroundings | None = None) -> Self:
        """The parameters of a query string; raises BadQuery and Exploded."""
        around = around or Surroundings()
        start = _number(query, "start", 0)
        max_results = _number(query, "max_results", DEFAULT_RESULTS)
        if max_results > MAX_PAGE_SIZE:
            bad(f"max_results must not exceed {MAX_PAGE_SIZE}")
        _check_window(start + max_results, around.traps)
        if max_results == 0:
            raise Exploded
        return cls(
            around=around,
            search_text=query.get("search_query", "").strip(),
            id_texts=_listed(query.get("id_list", "")),
            start=start,
            max_results=max_results,
            sort_by=_one_of(query, "sortBy", SORTS),
            sort_order=_one_of(query, "sortOrder", ORDERS),
            recording=query.get("recording"),
        )

    def search(self) -> Node | None:
        """The query as a tree, None when there is none; raises BadQuery."""
        return parse_query(self.search_text, self.around.grammar) if self.search_text else None

    @property
    def window(self) -> slice:
        """The part of all results that is wanted."""
        return slice(self.start, self.start + self.max_results + self.around.surplus)

    def ids(self) -> tuple[ArxivId, ...]:
        """The ids asked for, each once, in the order asked; raises BadQuery."""
        texts = self.id_texts
        if "id-junk" in self.around.traps:
            texts = tuple(text for text in texts if not _is_junk(text))
        return tuple(dict.fromkeys(map(_arxiv_id, texts)))

    def spelled_out(self) -> str:
        """The query as feeds repeat it: bare words as `all:word`; as it came when unreadable."""
        try:
            node = self.search()
        except BadQuery:
            return self.search_text
        return str(node) if node else ""


def _check_window(end: int, traps: Traps) -> None:
    """Refuse results beyond the ceiling."""
    unhandled = traps.number("ceiling-500")
    if unhandled is not None and end > unhandled:
        raise Exploded
    ceiling = traps.number("ceiling-400")
    allowed = SEARCH_WINDOW if ceiling is None else int(ceiling)
    if end > allowed:
        bad(f"start plus max_results must not exceed {allowed}")


def _is_junk(text: str) -> bool:
    """Whether `text` is no id but has one inside, which arXiv's check lets pass."""
    try:
        ArxivId.parse(text)
    except ValueError:
        return _ANY_ID.search(text) is not None
    return False


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "").strip()
    if not text:
        return default
    if not _INTEGER.fullmatch(text):
        bad(f"{name} must be an integer")
    if int(text) < 0:
        bad(f"{name} must be non-negative")
    return int(text)


def _one_of(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = query.get(name, "") or allowed[0]
    return value if value in allowed else bad(f"{name} must be in: {', '.join(allowed)}")


def _arxiv_id(text: str) -> ArxivId:
    if re.fullmatch(r"0000\.\d{4,5}", text, re.ASCII):
        return ArxivId(text)  # month 00 is no error at arXiv, only unknown (recorded in 2026)
    try:
        return ArxivId.parse(text)
    except ValueError:
        bad(f"incorrect id format for {text}")
