"""The parameters of a query API request, checked as today's arXiv checks them.

A request that breaks a rule raises `BadQuery`, which becomes HTTP 400 with an
error feed. Numbers and sort words are checked at once; ids and the query when
they are asked for, because recorded answers may stand for unreadable ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from service.devtools.stand_in.query import BadQuery, Node, bad, parse_query
from service.devtools.stand_in.search import ORDERS, SORTS
from service.domain.identifiers import ArxivId
from service.domain.jobs import MAX_PAGE_SIZE

DEFAULT_RESULTS = 10  # arXiv API user's manual, 3.1.1
SEARCH_WINDOW = 30_000  # start + max_results; the same
_INTEGER = re.compile(r"-?\d{1,9}", re.ASCII)


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

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """The parameters of a query string; raises BadQuery."""
        start = _number(query, "start", 0)
        max_results = _number(query, "max_results", DEFAULT_RESULTS)
        if max_results > MAX_PAGE_SIZE:
            bad(f"max_results must not exceed {MAX_PAGE_SIZE}")
        if start + max_results > SEARCH_WINDOW:
            bad(f"start plus max_results must not exceed {SEARCH_WINDOW}")
        return cls(
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
        return parse_query(self.search_text) if self.search_text else None

    def ids(self) -> tuple[ArxivId, ...]:
        """The ids asked for, each once, in the order asked; raises BadQuery."""
        return tuple(dict.fromkeys(_arxiv_id(text) for text in self.id_texts))

    def spelled_out(self) -> str:
        """The query as feeds repeat it: bare words as `all:word`; as it came when unreadable."""
        try:
            node = self.search()
        except BadQuery:
            return self.search_text
        return str(node) if node else ""


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
