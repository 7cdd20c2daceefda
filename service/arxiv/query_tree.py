"""Query parser: a caller's own query, rewritten so that arXiv reads it the same way.

People mean AND where nothing stands between two terms, and let AND and ANDNOT bind
tighter than OR; arXiv means OR, knows no precedence and groups to the right, so that
`a AND b OR c` is `a AND (b OR c)` to it (both were run on its grammar). So every
operator is written out and every group bracketed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.arxiv.query_terms import FIELDS, range_term, term, word_term

MAX_DEPTH = 40  # brackets within brackets; more is no query

_FIELD = "|".join(sorted(FIELDS, key=len, reverse=True))
_TOKEN = re.compile(
    rf"""(?P<group>(?:{_FIELD}):\()
    | (?P<bracket>[()])
    | (?P<range>(?:submittedDate|lastUpdatedDate):\[[^\]]*\])
    | (?P<operator>(?:AND|ANDNOT|OR)(?![^\s()"]))
    | (?:(?P<field>{_FIELD}):)? (?: "(?P<phrase>[^"\\]*)" | (?P<word>[^\s()"\\]+) )
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")


class NotAQuery(Exception):
    """The text is none of arXiv's queries: an operator without a term, an open bracket or quote."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Terms joined by one operator (`ANDNOT`: two of them), each a term or a group."""

    operator: str
    parts: tuple["str | _Group", ...]

    def __str__(self) -> str:
        return f"({f' {self.operator} '.join(map(str, self.parts))})"


def rewritten(query: str) -> str:
    """`query` with all operators and brackets: one term, or a group in brackets.

    Raises NotAQuery, and UpstreamRejected for a term that arXiv cannot search for.
    """
    tokens = list(_tokens(query))
    parser = _Parser(tokens)
    tree = parser.alternatives("all", 0)
    if parser.left:
        raise NotAQuery
    return str(tree)


def _tokens(query: str) -> Iterator[re.Match[str]]:
    at = _SPACE.match(query).end()  # type: ignore[union-attr]
    while at < len(query):
        token = _TOKEN.match(query, at)
        if token is None:
            raise NotAQuery
        yield token
        at = _SPACE.match(query, token.end()).end()  # type: ignore[union-attr]


class _Parser:
    """Reads tokens from the left; `left` are those not read yet, the next one last."""

    def __init__(self, tokens: list[re.Match[str]]) -> None:
        self.left = tokens[::-1]

    def alternatives(self, field: str, depth: int) -> str | _Group:
        """What stands in brackets, or the whole: conjunctions joined by OR."""
        parts = [self._conjunction(field, depth)]
        while self._takes("OR"):
            parts.append(self._conjunction(field, depth))
        return _joined("OR", parts)

    def _conjunction(self, field: str, depth: int) -> str | _Group:
        """Operands joined by AND, by ANDNOT, or by nothing, which means AND."""
        parts = [self._operand(field, depth)]
        while self.left and self.left[-1]["operator"] != "OR" and self.left[-1]["bracket"] != ")":
            if self._takes("ANDNOT"):
                parts = [_Group("ANDNOT", (_joined("AND", parts), self._operand(field, depth)))]
            else:
                self._takes("AND")
                parts.append(self._operand(field, depth))
        return _joined("AND", parts)

    def _operand(self, field: str, depth: int) -> str | _Group:
        if not self.left or depth > MAX_DEPTH:
            raise NotAQuery
        token = self.left.pop()
        if token["group"] or token["bracket"] == "(":
            inner = token["group"].removesuffix(":(") if token["group"] else field
            node = self.alternatives(inner, depth + 1)
            if not self.left or self.left.pop()["bracket"] != ")":
                raise NotAQuery
            return node
        if token["bracket"] or token["operator"]:
            raise NotAQuery
        if token["range"]:
            return range_term(token["range"])
        if token["word"]:
            return word_term(token["field"] or field, token["word"])
        return term(token["field"] or field, token["phrase"])

    def _takes(self, operator: str) -> bool:
        """True when the next token is `operator`, which is taken."""
        if not self.left or self.left[-1]["operator"] != operator:
            return False
        self.left.pop()
        return True


def _joined(operator: str, parts: list[str | _Group]) -> str | _Group:
    return parts[0] if len(parts) == 1 else _Group(operator, tuple(parts))
