"""Search criteria as a request in arXiv's query language: pure text work.

The grammar is that of the API manual's appendix "Details of Query
Construction" (info.arxiv.org/help/api/user-manual.html), read as the server of
November 2025 reads it: every term with its field prefix, phrases in double
quotes, whole dates, no wildcards. Nothing that a caller writes into a field
can end the phrase that it stands in.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from service.domain.errors import UpstreamRejected
from service.domain.identifiers import ArxivId
from service.domain.jobs import MAX_PAGE_SIZE, SEARCH_WINDOW, Criteria
from service.domain.papers import single_spaced

IDS_PER_REQUEST = 100  # keeps the URL far below 8 kB with the longest ids
MAX_URL_BYTES = 8_000  # servers commonly refuse request lines from 8,190 bytes on

_FIRST_DAY = date(1991, 1, 1)  # arXiv took its first paper in August 1991
_LAST_DAY = date(2099, 12, 31)  # "no end": constant, so that equal criteria give equal queries

_ENDS_A_PHRASE = str.maketrans({'"': " ", "\\": " "})
_BARE_WORD = re.compile(r"\w[\w.-]*")
_OPERATORS = frozenset({"AND", "OR", "ANDNOT", "NOT", "TO"})
_SYNTAX = re.compile(
    r"""(?<!\w)(?:ti|au|abs|co|jr|cat|rn|id|all|submittedDate|lastUpdatedDate):\S
    |["()]
    |\S\s(?:AND|OR|ANDNOT)\s\S""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to the query API: a GET of `url`, or a POST of `form` to it if there is one."""

    url: str
    form: bytes | None = None


def api_request(api_url: str, params: Mapping[str, str]) -> ApiRequest:
    """The request with these parameters; its URL is always < 8 kB.

    Text that is not ASCII takes up to 12 bytes a character in a URL, so a long
    query may not fit. The API manual (3.1) offers POST for exactly that.
    """
    encoded = urlencode(params, safe=":,/")
    url = f"{api_url}?{encoded}"
    if len(url) < MAX_URL_BYTES:
        return ApiRequest(url)
    return ApiRequest(api_url, encoded.encode())


def search_params(criteria: Criteria, *, offset: int, size: int) -> dict[str, str]:
    """The parameters that ask for `size` results of a search from `offset` on.

    Raises ValueError for what must never be asked (nothing at all, more than 2,000
    results, past arXiv's window), and what `search_query` raises.
    """
    if not 1 <= size <= MAX_PAGE_SIZE or offset < 0:
        raise ValueError(f"no page of arXiv's: {size} results from {offset} on")
    if not criteria.has_terms or offset + size > SEARCH_WINDOW:
        raise ValueError(f"nothing to search for, or past arXiv's window of {SEARCH_WINDOW}")
    page = {"start": str(offset), "max_results": str(size)}
    return {"search_query": search_query(criteria), **page, **_order(criteria)}


def id_params(criteria: Criteria, ids: Sequence[ArxivId]) -> dict[str, str]:
    """The parameters that ask for these papers, as far as the terms of `criteria` match them.

    Raises ValueError for no id or more than 100.
    """
    if not 1 <= len(ids) <= IDS_PER_REQUEST:
        raise ValueError(f"{len(ids)} ids in one request")
    terms = {"search_query": search_query(criteria)} if criteria.has_terms else {}
    page = {"start": "0", "max_results": str(len(ids))}
    return {**terms, "id_list": ",".join(map(str, ids)), **page, **_order(criteria)}


def _order(criteria: Criteria) -> dict[str, str]:
    return {"sortBy": criteria.sort_by, "sortOrder": criteria.sort_order}


def search_query(criteria: Criteria) -> str:
    """Everything that `criteria` says besides ids, joined with AND; "" when that is nothing.

    Raises UpstreamRejected for a field without a letter or digit: left out, it
    would widen the search behind the caller's back.
    """
    fields = {
        "cat": criteria.category,
        "au": criteria.author,
        "ti": criteria.title,
        "abs": criteria.abstract,
    }
    terms = [_free_text(criteria.query)] if criteria.query else []
    terms += [_term(prefix, text) for prefix, text in fields.items() if text]
    if criteria.from_date or criteria.to_date:
        terms.append(_submitted(criteria.from_date, criteria.to_date))
    return " AND ".join(terms)


def _free_text(query: str) -> str:
    """A caller's own query in parentheses if it is one, else its words, each searched everywhere.

    Text with an odd quote or parenthesis is no query but words: passed through,
    it would swallow the terms beside it.
    """
    text = single_spaced(query)
    if _SYNTAX.search(text) and _is_balanced(text):
        return f"({text})"
    words = text.translate(_ENDS_A_PHRASE).split()
    terms = [_term("all", word) for word in words if _is_searchable(word)]
    return " AND ".join(terms) or _term("all", text)


def _term(prefix: str, text: str) -> str:
    phrase = single_spaced(text.translate(_ENDS_A_PHRASE))
    if not _is_searchable(phrase):
        raise UpstreamRejected("The search has a field without a letter or digit")
    if _BARE_WORD.fullmatch(phrase) and phrase not in _OPERATORS:
        return f"{prefix}:{phrase}"
    return f'{prefix}:"{phrase}"'


def _is_searchable(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _is_balanced(text: str) -> bool:
    """True when quotes pair up, none is escaped, and parentheses outside of them pair up."""
    if text.count('"') % 2 or "\\" in text:
        return False
    depth = 0
    for character in "".join(text.split('"')[::2]):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def _submitted(first: date | None, last: date | None) -> str:
    """A range of whole days (GMT), both inclusive; an open end takes arXiv's first or a far day."""
    first, last = first or _FIRST_DAY, last or _LAST_DAY
    if first > last:
        raise ValueError("the first day is after the last")
    return f"submittedDate:[{_day(first)}0000 TO {_day(last)}2359]"


def _day(day: date) -> str:
    return day.isoformat().replace("-", "")
