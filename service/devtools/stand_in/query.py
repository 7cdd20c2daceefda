"""The query language of the search: text → tree, as today's arXiv reads it.

`field:word`, `field:"a phrase"`, `submittedDate:[YYYYMMDDHHMM TO YYYYMMDDHHMM]`,
`AND`, `OR`, `ANDNOT` and parentheses. AND and ANDNOT bind tighter than OR and
group to the left, unless a `Grammar` says that they are read as arXiv reads them.
Bare words search all fields; `*` and `?` are wildcards in categories. What cannot
be read is a `BadQuery`, whose message goes into arXiv's error feed.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from service.devtools.stand_in.prose import tokens_of

FIELDS = ("ti", "au", "abs", "cat", "all")
MAX_DEPTH = 50  # nested parentheses
_DATES = re.compile(r"(submittedDate|lastUpdatedDate):\[(\d+) +TO +(\d+)\]")
_TERM = re.compile(r'(?:(?P<field>[A-Za-z]+):)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s()":\[\]]+))')
_SPACE = re.compile(r"\s+")
_MINUTE = "%Y%m%d%H%M"


class BadQuery(Exception):
    """The request cannot be read; the message is what arXiv's error feed would say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """How a query is read; each field is a trap of arXiv (see `traps`)."""

    or_by_default: bool = False
    right_association: bool = False
    last_updated: bool = False
    underscore: bool = False
    last_minute: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """Papers with the words of `text` side by side in `field`."""

    field: str
    text: str
    is_phrase: bool

    def __str__(self) -> str:
        return f'{self.field}:"{self.text}"' if self.is_phrase else f"{self.field}:{self.text}"


@dataclass(frozen=True, slots=True)
class Submitted:
    """Papers first submitted from a minute on, up to `seconds` of another."""

    first: datetime
    last: datetime
    seconds: int = 60

    def __str__(self) -> str:
        return f"submittedDate:[{self.first:{_MINUTE}} TO {self.last:{_MINUTE}}]"


@dataclass(frozen=True, slots=True)
class Joined:
    """Two queries joined by `AND`, `OR` or `ANDNOT`."""

    operator: str
    left: "Node"
    right: "Node"

    def __str__(self) -> str:
        return f"{_grouped(self.left)} {self.operator} {_grouped(self.right)}"


Node = Term | Submitted | Joined


def _grouped(node: Node) -> str:
    return f"({node})" if isinstance(node, Joined) else str(node)


def parse_query(text: str, grammar: Grammar | None = None) -> Node:
    """The tree of a query; raises BadQuery. `str()` of it is the query spelled out."""
    parser = _Parser(text, grammar or Grammar())
    node = parser.alternatives(0)
    if parser.rest:
        bad(f"unexpected {parser.rest[0]} in query")
    return node


def bad(message: str) -> NoReturn:
    """Refuse the request with `message`."""
    raise BadQuery(message)


class _Parser:
    """Reads a query from the left; `rest` is what is not read yet."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self.rest = text.strip()
        self._grammar = grammar
        self._blanked: str | None = None  # the first value with underscores

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.rest)
        if match:
            self.rest = self.rest[match.end() :].lstrip()
        return match

    def _word(self, *words: str) -> str | None:
        """The next word if it is one of the operators `words`, taken."""
        found = _SPACE.split(self.rest, maxsplit=1)[0]
        if found not in words:
            return None
        self.rest = self.rest[len(found) :].lstrip()
        return found

    def alternatives(self, depth: int) -> Node:
        """Read what stands between parentheses."""
        if self._grammar.right_association:
            return self._chain(depth)
        node = self._conjunction(depth)
        while self._word("OR") or self._goes_on:
            node = Joined("OR", node, self._conjunction(depth))
        return node

    @property
    def _goes_on(self) -> bool:
        return bool(self.rest) and not self.rest.startswith(")")

    def _chain(self, depth: int) -> Node:
        """Operands joined as they come, `a AND (b OR c)` for `a AND b OR c`."""
        operands, operators = [self._operand(depth)], []
        while self._goes_on:
            default = "OR" if self._grammar.or_by_default else "AND"
            operators.append(self._word("AND", "OR", "ANDNOT") or default)
            operands.append(self._operand(depth))
        node = operands.pop()
        while operands:
            node = Joined(operators.pop(), operands.pop(), node)
        return node

    def _conjunction(self, depth: int) -> Node:
        """Read operands joined by AND, ANDNOT or, unless that means OR, by nothing."""
        node = self._operand(depth)
        while self._goes_on and not self._at_or():
            operator = self._word("AND", "ANDNOT") or "AND"
            node = Joined(operator, node, self._operand(depth))
        return node

    def _at_or(self) -> bool:
        found = _SPACE.split(self.rest, maxsplit=1)[0]
        if self._grammar.or_by_default and found not in ("AND", "ANDNOT"):
            return True
        return found == "OR"

    def _operand(self, depth: int) -> Node:
        if self.rest.startswith("("):
            return self._group(depth + 1)
        if match := self._take(_DATES):
            return self._dates(match)
        if _SPACE.split(self.rest, maxsplit=1)[0] in ("AND", "OR", "ANDNOT", ""):
            bad("operand missing in query")
        match = self._take(_TERM)
        return self._term(match) if match else bad(f"unexpected {self.rest[0]} in query")

    def _dates(self, match: re.Match[str]) -> Node:
        if match[1] == "lastUpdatedDate" and not self._grammar.last_updated:
            bad("unknown field lastUpdatedDate")
        seconds = 1 if self._grammar.last_minute else 60
        return Submitted(_minute(match[2]), _minute(match[3]), seconds)

    def _term(self, match: re.Match[str]) -> Node:
        """A term; a later one with underscores is spoilt when the grammar says so."""
        term = _term(match)
        if self._grammar.underscore and not term.is_phrase and "_" in term.text:
            self._blanked = self._blanked or term.text
            return Term(term.field, self._blanked, is_phrase=False)
        return term

    def _group(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            bad("query is nested too deeply")
        self.rest = self.rest[1:].lstrip()
        node = self.alternatives(depth)
        if not self.rest.startswith(")"):
            bad("parenthesis not closed in query")
        self.rest = self.rest[1:].lstrip()
        return node


def _term(match: re.Match[str]) -> Term:
    field = match["field"] or "all"
    if field not in FIELDS:
        bad(f"unknown field {field}")
    is_phrase = match["phrase"] is not None
    # in a bare value an underscore stands for a blank (API user's manual, 5.1)
    text = match["phrase"] if is_phrase else match["word"].replace("_", " ")
    if re.search(r"[*?]", text) and (field != "cat" or text[0] in "*?"):
        bad("wildcards are not supported")
    if not tokens_of(text):
        bad(f"nothing to search for in {field}")
    return Term(field, match["phrase"] if is_phrase else match["word"], is_phrase)


def _minute(text: str) -> datetime:
    if len(text) != len("YYYYMMDDHHMM"):
        bad(f"incorrect date format for {text}")
    try:
        return datetime.strptime(text, _MINUTE).replace(tzinfo=UTC)
    except ValueError:
        bad(f"incorrect date format for {text}")
