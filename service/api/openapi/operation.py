"""What is said of one route: values that `operations.py` fills in and `openapi.py` writes down.

Answers that follow from what a route is (it wants a token, has a body, takes
query parameters) are said here once, as rules, and not in each row of the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from marshmallow import Schema

PROBLEM = "application/problem+json"

_LIMITED = ("Retry-After", "RateLimit", "RateLimit-Policy")
_ALWAYS = {400: "The request is not understood", 503: "Too many connections"}
_WITH_TOKEN = {
    401: "Not authenticated",
    429: "Too many requests",
    503: "The database is not available",
}
_WITH_BODY = {
    400: "the body is not valid JSON",
    408: "the body did not arrive in time",
    413: "The request body is too large",
    415: "the body must be application/json",
}
_CODES = {429: "rate_exceeded"}
_HEADERS: Mapping[int, Sequence[str]] = {
    401: ("WWW-Authenticate",),
    429: _LIMITED,
    500: ("Retry-After",),
    503: ("Retry-After",),
    416: ("Content-Range",),
}


@dataclass(frozen=True, slots=True)
class Content:
    """A body of one media type; `schema` is marshmallow's, or JSON Schema's where that is all.

    `many`: it is an array of them.
    """

    schema: type[Schema] | Mapping[str, Any]
    example: object
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One status: its bodies by media type, its headers, and the operations that it leads to.

    `links`: the operation → its parameters, as runtime expressions.
    """

    description: str
    content: Mapping[str, Content] = field(default_factory=dict)
    headers: Sequence[str] = ()
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method at one path.

    `headers` are request headers; `problems` are the details of those problems
    that are the route's own. A bearer token is wanted unless `is_public`.
    """

    route: str
    name: str
    tag: str
    summary: str
    description: str
    answers: Mapping[int, Answer]
    query: type[Schema] | None = None
    body: Content | None = None
    needs_body: bool = True
    headers: Sequence[str] = ()
    problems: Mapping[int, str] = field(default_factory=dict)
    is_public: bool = False

    @property
    def method(self) -> str:
        """The method, in lower case as OpenAPI has it."""
        return self.route.partition(" ")[0].lower()

    @property
    def path(self) -> str:
        """The path, with its parameters in braces."""
        return self.route.partition(" ")[2]

    @property
    def all_problems(self) -> dict[int, str]:
        """Every problem that it may answer with: status → an example of its detail."""
        found = dict(_ALWAYS)
        if not self.is_public:
            found |= _WITH_TOKEN
            if self.method != "get":
                found[403] = "The token does not have the scope that this needs"
        if self.body is not None:
            found |= _WITH_BODY
        if self.body is not None or self.query is not None:
            found[422] = f"The request is invalid: {'limit' if self.query else 'name'}"
        return dict(sorted({**found, **self.problems}.items()))


def problem_example(status: int, detail: str) -> dict[str, Any]:
    """A problem as it is answered."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    prefix = "The request is invalid: "
    if detail.startswith(prefix):
        document["errors"] = {detail.removeprefix(prefix): ["Unknown field."]}
    if status in _CODES:
        document["code"] = _CODES[status]
    return document


def problem_headers(status: int) -> Sequence[str]:
    """The headers that a problem of that status bears."""
    return _HEADERS.get(status, ())
