"""OpenAPI operation of one route, declared at its handler with `@describe`.

Answers that follow from what a route is (it wants a token, has a body, takes
query parameters) are stated here once, as rules, and not at each handler.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from marshmallow import Schema

from service.api.negotiation import JSON

PROBLEM = "application/problem+json"

JOBS_TAG, PAPERS_TAG, SCHEDULES_TAG = "jobs", "papers", "schedules"
WEBHOOKS_TAG = "webhooks"
OPERATIONS_TAG, DESCRIPTION_TAG = "operations", "description"
TAGS = {
    JOBS_TAG: "Create ingestion jobs and read their progress.",
    PAPERS_TAG: "Ingested papers: metadata, PDFs, text.",
    SCHEDULES_TAG: "Recurring ingestion.",
    WEBHOOKS_TAG: "Being told how jobs ended, by signed requests (Standard Webhooks).",
    OPERATIONS_TAG: "Probes, metrics and the operators' page.",
    DESCRIPTION_TAG: "This document, and the page that shows it.",
}
TEXT_SCHEMA: Mapping[str, Any] = {"type": "string"}
BINARY_SCHEMA: Mapping[str, Any] = {"type": "string", "format": "binary"}  # as generators know it
_TEXTS = ("text/", "application/javascript", "application/json")
NO_JOB, NO_PAPER, NO_SCHEDULE = "Job not found", "Paper not found", "Schedule not found"
NO_DOCUMENT = "The document of this paper has not been made"
NO_WEBHOOK, NO_DELIVERY = "Webhook not found", "Delivery not found"

_LIMITED = ("Retry-After", "RateLimit", "RateLimit-Policy")
_ALWAYS = {400: "The request is malformed", 503: "Too many connections"}
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
_HEADERS: Mapping[int, Sequence[str]] = {
    401: ("WWW-Authenticate",),
    429: _LIMITED,
    500: ("Retry-After",),
    503: ("Retry-After",),
    416: ("Content-Range",),
}


_CODES = {  # the usual one of a status
    400: "malformed_request",
    401: "unauthenticated",
    403: "not_allowed",
    404: "paper_not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "body_too_slow",
    409: "conflict",
    410: "token_expired",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    417: "expectation_failed",
    422: "invalid_request",
    429: "rate_exceeded",
    500: "internal_error",
    503: "database_unavailable",
}
_CODE_OF_DETAIL = {
    NO_JOB: "job_not_found",
    NO_SCHEDULE: "schedule_not_found",
    NO_DOCUMENT: "document_not_found",
    NO_WEBHOOK: "webhook_not_found",
    NO_DELIVERY: "webhook_not_found",
    "Route not found": "route_not_found",
    "Not ready": "not_ready",
    "Too many connections": "overloaded",
    "Failed to get job status": "database_unavailable",
    "The rate limit towards arXiv left no slot in time": "arxiv_busy",
}


@dataclass(frozen=True, slots=True)
class Content:
    """A body of one media type; `schema` is marshmallow's, or JSON Schema's where that is all.

    `many`: it is an array of them; or, depending on a parameter, one object of `or_one`.
    """

    schema: type[Schema] | Mapping[str, Any]
    example: object
    many: bool = False
    or_one: type[Schema] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One status: its bodies by media type, its headers, and the operations that it leads to.

    `links`: the operation → its parameters, as runtime expressions.
    """

    description: str
    content: Mapping[str, Content] = field(default_factory=dict)
    headers: Sequence[str] = ()
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NOT_MODIFIED = Answer(description="Not modified.", headers=("ETag",))


def json_answer(
    description: str,
    schema: type[Schema],
    example: object,
    *,
    headers: Sequence[str] = (),
    links: Mapping[str, Mapping[str, str]] | None = None,
) -> Answer:
    """A JSON object."""
    content = {JSON: Content(schema, example)}
    return Answer(description=description, content=content, headers=headers, links=links or {})


def page_answer(
    schema: type[Schema], example: object, *, or_one: type[Schema] | None = None
) -> Answer:
    """A JSON array, one page of a list; or an object of `or_one`."""
    content = {JSON: Content(schema, [example], many=True, or_one=or_one)}
    return Answer(description="A page.", content=content, headers=("Link",))


def file_answer(
    *kinds: str, description: str, example: str, headers: tuple[str, ...] = ()
) -> Answer:
    """A file, of one of these media types."""
    content = {
        kind: Content(TEXT_SCHEMA if kind.startswith(_TEXTS) else BINARY_SCHEMA, example)
        for kind in kinds
    }
    return Answer(description=description, content=content, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method at one path, as in `GET /healthz`.

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
                found[403] = "The token lacks the required scope"
        if self.body is not None:
            found |= _WITH_BODY
        if self.body is not None or self.query is not None:
            found[422] = f"The request is invalid: {'limit' if self.query else 'name'}"
        return dict(sorted({**found, **self.problems}.items()))


def problem_example(status: int, detail: str) -> dict[str, Any]:
    """A problem as it is answered."""
    code = _CODE_OF_DETAIL.get(detail.partition(":")[0]) or _CODES[status]
    document: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "5f0c7e1a9b3d4e21-2a",
    }
    prefix = "The request is invalid: "
    if detail.startswith(prefix):
        document["errors"] = {detail.removeprefix(prefix): ["Unknown field."]}
    return document


def problem_headers(status: int) -> Sequence[str]:
    """The headers that a problem of that status bears."""
    return _HEADERS.get(status, ())


_DESCRIBED = "described_operation"  # attribute of a handler


def describe(**said: Any) -> Callable[[Handler], Handler]:  # noqa: ANN401 - see Operation
    """State at a handler what `Operation` has of it; method and path are those it is routed at."""

    def mark(handler: Handler) -> Handler:
        setattr(handler, _DESCRIBED, partial(Operation, **said))
        return handler

    return mark


def operations_of(app: web.Application) -> Iterator[Operation]:
    """What is said of every route of `app`, but for HEAD, which goes with GET."""
    for route in app.router.routes():
        if route.method != hdrs.METH_HEAD and route.resource is not None:
            yield getattr(route.handler, _DESCRIBED)(
                route=f"{route.method} {route.resource.canonical}"
            )
