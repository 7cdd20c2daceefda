"""Query builder: search criteria in arXiv's query language.

The grammar is that of the API manual's appendix "Details of Query
Construction" (info.arxiv.org/help/api/user-manual.html), read as the server of
November 2025 reads it: every term with its field prefix, phrases in double
quotes, whole dates, every operator written out, every group in brackets (see
`query_terms` and `query_tree`).
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from service.arxiv.query_terms import category_term, is_searchable, term
from service.arxiv.query_tree import NotAQuery, rewritten
from service.arxiv.search_windows import Window
from service.domain.identifiers import ArxivId
from service.domain.jobs import MAX_PAGE_SIZE, SEARCH_WINDOW, Criteria
from service.domain.papers import single_spaced

IDS_PER_REQUEST = 100  # keeps the URL far below 8 kB with the longest ids
MAX_URL_BYTES = 8_000  # servers commonly refuse request lines from 8,190 bytes on

_NO_WORDS = str.maketrans({'"': " ", "\\": " "})
_SYNTAX = re.compile(
    r"""(?<!\w)(?:ti|title|au|abs|co|doi|jr|cat|rn|id|all|submittedDate|lastUpdatedDate):\S
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


def search_params(
    criteria: Criteria,
    *,
    offset: int,
    size: int,
    window: Window | None = None,
    limit: int = SEARCH_WINDOW,
) -> dict[str, str]:
    """The parameters that ask for `size` results from `offset` on, of those in `window` if given.

    Raises ValueError for what must never be asked (nothing at all, more than 2,000
    results, past `limit`), and what `search_query` raises.
    """
    if not 1 <= size <= MAX_PAGE_SIZE or offset < 0:
        raise ValueError(f"no page of arXiv's: {size} results from {offset} on")
    if not criteria.has_terms or offset + size > limit:
        raise ValueError(f"nothing to search for, or past arXiv's window of {limit}")
    page = {"start": str(offset), "max_results": str(size)}
    return {"search_query": search_query(criteria, window), **page, **_order(criteria)}


def id_params(criteria: Criteria, ids: Sequence[ArxivId]) -> dict[str, str]:
    """The parameters that ask for these papers, as far as the terms of `criteria` match them.

    Raises ValueError for no id or more than 100.
    """
    if not 1 <= len(ids) <= IDS_PER_REQUEST:
        raise ValueError(f"{len(ids)} ids in one request")
    terms = {"search_query": search_query(criteria)} if criteria.has_terms else {}
    page = {"start": "0", "max_results": str(len(ids))}
    return {**terms, "id_list": ",".join(map(str, ids)), **page, **_order(criteria)}


def count_params(criteria: Criteria) -> dict[str, str]:
    """The parameters that ask how many papers match: for one of them, of all.

    Of a list of ids all are named, in one request: the answer is short.
    """
    if not criteria.ids:
        return search_params(criteria, offset=0, size=1)
    terms = {"search_query": search_query(criteria)} if criteria.has_terms else {}
    return {**terms, "id_list": ",".join(map(str, criteria.ids)), "max_results": "1"}


def _order(criteria: Criteria) -> dict[str, str]:
    return {"sortBy": criteria.sort_by, "sortOrder": criteria.sort_order}


def search_query(criteria: Criteria, window: Window | None = None) -> str:
    """Everything that `criteria` says besides ids, joined with AND; "" when that is nothing.

    A `window` stands in place of the days of `criteria`, which it must lie in.
    Raises UpstreamRejected for a field without a letter or digit: left out, it
    would widen the search behind the caller's back.
    """
    fields = {"au": criteria.author, "ti": criteria.title, "abs": criteria.abstract}
    terms = [_free_text(criteria.query)] if criteria.query else []
    terms += [category_term(criteria.category)] if criteria.category else []
    terms += [term(field, text) for field, text in fields.items() if text]
    if window or criteria.from_date or criteria.to_date:
        terms.append((window or Window.of_days(criteria.from_date, criteria.to_date)).term())
    return " AND ".join(terms)


def _free_text(query: str) -> str:
    """A caller's own query if it is one, else its words, each searched everywhere.

    Text with an odd quote or bracket is no query but words.
    """
    text = single_spaced(query)
    if _SYNTAX.search(text):
        with suppress(NotAQuery):
            return rewritten(text)
    words = text.translate(_NO_WORDS).split()
    terms = [term("all", word) for word in words if is_searchable(word)]
    return " AND ".join(terms) or term("all", text)
