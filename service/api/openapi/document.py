"""OpenAPI 3.1 document, generated from the handlers' descriptions and the schemas."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from service import __version__
from service.api.negotiation import JSON
from service.api.openapi.operation import (
    PROBLEM,
    TAGS,
    Answer,
    Content,
    Operation,
    problem_example,
    problem_headers,
)
from service.api.schemas.fields import JOB_ID_EXAMPLE, PLAIN_ID, SCHEDULE_ID_EXAMPLE
from service.api.schemas.job_status import ProblemSchema
from service.api.schemas.webhooks import DELIVERY_ID_EXAMPLE, WEBHOOK_ID_EXAMPLE

_UUID_FORM: Mapping[str, Any] = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
}
_TEXT: Mapping[str, Any] = {"type": "string"}
_COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0}
# name: what it is, its form, an example
_PATH_PARAMETERS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "job_id": ("The id of a job.", _UUID_FORM, JOB_ID_EXAMPLE),
    "schedule_id": ("The id of a schedule.", _UUID_FORM, SCHEDULE_ID_EXAMPLE),
    "webhook_id": ("The id of a subscription.", _UUID_FORM, WEBHOOK_ID_EXAMPLE),
    "delivery_id": ("The id of an attempt to deliver.", _UUID_FORM, DELIVERY_ID_EXAMPLE),
    "code": ("The code of a problem.", _TEXT, "job_not_found"),
    "file": ("The name of a file of the operators' page.", _TEXT, "ops.js"),
    "arxiv_id": (
        "An arXiv id of either style; with a version only if that one is held.",
        PLAIN_ID,
        "2301.00001",
    ),
}
_REQUEST_HEADERS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "Idempotency-Key": (
        "Idempotency key, chosen by the caller: the same key returns the same job.",
        {"type": "string", "pattern": "^[!-~][ -~]*$", "minLength": 1, "maxLength": 255},
        "nightly-2026-11-22",
    ),
    "If-None-Match": ("ETag of the representation that the client has.", _TEXT, '"7"'),
    "If-Match": ("ETag that the resource must have.", _TEXT, '"7"'),
    "If-Range": ("The ETag that the range is of; the whole file if it is another.", _TEXT, '"7"'),
    "Range": ("One range of bytes.", _TEXT, "bytes=0-1023"),
    "Prefer": ("How many seconds to wait for a change.", _TEXT, "wait=30"),
    "Last-Event-ID": ("The id of the last event that was seen.", _TEXT, "7"),
}
_ANSWER_HEADERS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "ETag": ("Entity tag of this representation.", _TEXT, '"7"'),
    "Idempotent-Replayed": (
        "`true` when the job is that of an earlier request with the same Idempotency-Key.",
        {"type": "string", "const": "true"},
        "true",
    ),
    "Location": (
        "URL of the created resource.",
        _TEXT,
        f"/api/v1/ingestion/job/{JOB_ID_EXAMPLE}",
    ),
    "Link": (
        "The page that follows, or the licence of a PDF, if there is one (RFC 8288).",
        _TEXT,
        '</api/v1/papers?cursor=…>; rel="next"',
    ),
    "Vary": ("Request headers that select the representation.", _TEXT, "Accept"),
    "Retry-After": ("Seconds to wait before the next request.", _COUNT, "2"),
    "RateLimit": ("What is left (r) until the next window (t).", _TEXT, '"writes";r=0;t=20'),
    "RateLimit-Policy": ("The quota (q) of a window (w).", _TEXT, '"writes";q=60000;w=60'),
    "WWW-Authenticate": ("The authentication scheme.", _TEXT, "Bearer"),
    "Preference-Applied": ("The wait that was granted.", _TEXT, "wait=30"),
    "Accept-Ranges": ("Ranges can be asked for.", _TEXT, "bytes"),
    "Content-Range": ("Which bytes, of how many.", _TEXT, "bytes 0-1023/123456"),
    "Content-Disposition": (
        "The name to keep the file under.",
        _TEXT,
        'attachment; filename="2301.00001v1.pdf"',
    ),
    "X-Text-Truncated": ("Whether a limit cut the plain text short.", _TEXT, "false"),
    "X-Page-Count": ("Pages of the PDF, with the plain text.", _TEXT, "12"),
}
_SOMETIMES = frozenset(
    {"Link", "RateLimit", "RateLimit-Policy", "Preference-Applied", "Idempotent-Replayed"}
    | {"X-Text-Truncated", "X-Page-Count"}
)
_INTRODUCTION = (
    "HTTP service that ingests arXiv papers (metadata, PDFs, text) into PostgreSQL and reports"
    " each job's progress. Every error is a problem (RFC 9457) with a fixed, safe text. Any"
    " active caller may see any job."
)


_CHOICES = frozenset({"oneOf", "anyOf"})


class _Converter(OpenAPIConverter):
    """Takes descriptions from docstrings, and what a schema demands beyond its fields."""

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - class or instance
        kind = schema if isinstance(schema, type) else type(schema)
        document: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        description = (kind.__doc__ or "").strip()
        demanded = dict(getattr(kind, "keywords", {}))
        # Beside `properties` generators of clients take a choice for the whole, and lose those.
        choice = {name: demanded.pop(name) for name in _CHOICES & demanded.keys()}
        rules = {"allOf": [choice]} if choice else {}
        return {"description": description, **document, **demanded, **rules}


class _Plugin(MarshmallowPlugin):
    Converter = _Converter


def _keywords(_: OpenAPIConverter, field: fields.Field[Any], **__: object) -> dict[str, Any]:
    """What one of our fields demands, see `fields.py`; and that words are texts."""
    word: object = ["string", "null"] if field.allow_none else "string"
    kind = {"type": word} if isinstance(field, fields.Enum) else {}
    return {**kind, **getattr(field, "keywords", {})}


def description(operations: Sequence[Operation], *, root_path: str = "") -> bytes:
    """The document as JSON; the same bytes in every process of this version."""
    return orjson.dumps(document(operations, root_path=root_path))


def document(operations: Sequence[Operation], *, root_path: str = "") -> dict[str, Any]:
    """The document that describes `operations`, below the path prefix of a proxy."""
    plugin = _Plugin(schema_name_resolver=_name_of)
    spec = _empty(plugin, root_path)
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_keywords)  # type: ignore[no-untyped-call]
    for name, (text, schema, example) in _ANSWER_HEADERS.items():
        header = {"description": text, "schema": dict(schema), "example": _typed(schema, example)}
        spec.components.header(name, {**header, "required": name not in _SOMETIMES})
    for operation in operations:
        spec.path(path=operation.path, operations=_operations(operation))
    found: dict[str, Any] = spec.to_dict()
    return found


def _empty(plugin: MarshmallowPlugin, root_path: str) -> APISpec:
    spec = APISpec(
        title="arXiv ingestion",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": _INTRODUCTION},
        servers=[{"url": root_path or "/", "description": "This service."}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token with `sub` and `exp`; changes may need a scope.",
    }
    spec.components.security_scheme("bearer", bearer)
    return spec


def _name_of(schema: type[Schema] | Schema) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _operations(operation: Operation) -> dict[str, Any]:
    found = {operation.method: _written(operation)}
    if operation.method == "get":
        found["head"] = _written(operation, is_head=True)
    return found


def _written(operation: Operation, *, is_head: bool = False) -> dict[str, Any]:
    written: dict[str, Any] = {
        "operationId": operation.name + ("Head" if is_head else ""),
        "tags": [operation.tag],
        "summary": operation.summary + (" (headers only)" if is_head else ""),
        "description": operation.description,
        "security": [] if operation.is_public else [{"bearer": []}],
        "parameters": _parameters(operation),
        "responses": _answers(operation, is_head=is_head),
    }
    if operation.body is not None:
        written["requestBody"] = {
            "required": operation.needs_body,
            "content": {JSON: _content(operation.body)},
        }
    return written


def _parameters(operation: Operation) -> list[Any]:
    in_path = [
        _parameter("path", name, _PATH_PARAMETERS[name])
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    in_query = [] if operation.query is None else [{"in": "query", "schema": operation.query}]
    in_headers = [_parameter("header", name, _REQUEST_HEADERS[name]) for name in operation.headers]
    return [*in_path, *in_query, *in_headers]


def _parameter(place: str, name: str, said: tuple[str, Mapping[str, Any], str]) -> dict[str, Any]:
    text, schema, example = said
    return {
        "in": place,
        "name": name,
        "required": place == "path",
        "description": text,
        "schema": dict(schema),
        "example": example,
    }


def _answers(operation: Operation, *, is_head: bool) -> dict[str, Any]:
    found = {
        str(status): _answer(answer, is_head=is_head)
        for status, answer in operation.answers.items()
    }
    for status, detail in operation.all_problems.items():
        content = Content(ProblemSchema, problem_example(status, detail))
        problem = Answer(
            description=HTTPStatus(status).phrase,
            content={PROBLEM: content},
            headers=problem_headers(status),
        )
        found[str(status)] = _answer(problem, is_head=is_head)
    return found


def _answer(answer: Answer, *, is_head: bool) -> dict[str, Any]:
    written: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        written["headers"] = {name: name for name in answer.headers}
    if answer.content and not is_head:
        written["content"] = {kind: _content(one) for kind, one in answer.content.items()}
    if answer.links and not is_head:
        written["links"] = {
            name: {"operationId": name, "parameters": dict(parameters)}
            for name, parameters in answer.links.items()
        }
    return written


def _content(content: Content) -> dict[str, Any]:
    schema: Any = content.schema if isinstance(content.schema, type) else dict(content.schema)
    if content.many:
        schema = {"type": "array", "items": schema}
    if content.or_one is not None:
        schema = {"oneOf": [schema, content.or_one]}
    return {"schema": schema, "example": content.example}


def _typed(schema: Mapping[str, Any], example: str) -> object:
    return int(example) if schema["type"] == "integer" else example
