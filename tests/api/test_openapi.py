"""The description of the API: complete, valid, and true of what is answered."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from aiohttp import web
from marshmallow import Schema

from service.api import pagination
from service.api.job_status import status_document
from service.api.openapi.document import document
from service.api.openapi.operation import operations_of
from service.api.response_headers import PAGE_HEADERS
from service.api.routes import add_routes, is_public
from service.api.schemas import loading
from service.api.schemas.fields import PLAIN_ID
from service.api.schemas.job_status import JobErrorSchema, StatusSchema
from service.api.schemas.papers import PaperSchema
from service.api.schemas.sources import WindowSchema
from service.db.jobs import JobStore
from service.db.papers import PaperStore
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobError, Stage
from tests.api.conftest import GOOD_BODY, PREFIX
from tests.conftest import make_paper, make_request


def of_routes():
    app = web.Application()
    add_routes(app)
    return tuple(operations_of(app))


TABLE = of_routes()
DOCUMENT = json.loads(json.dumps(document(TABLE)))
BASES = {WindowSchema, PaperSchema, loading.StrictSchema, pagination.PageQuerySchema}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = dict(operations())


def validator(schema: Any) -> jsonschema_rs.Validator:
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a part of the document refers to, if it refers to another one."""
    found: Any = part
    while "$ref" in found:
        _, *steps = found["$ref"].split("/")
        found = DOCUMENT
        for step in steps:
            found = found[step]
    return found


def test_every_route_is_described_and_no_other():
    app = web.Application()
    add_routes(app)

    routes = {f"{one.method} {one.resource.canonical}" for one in app.router.routes()}

    assert sorted(OPERATIONS) == sorted(routes)


def test_it_is_valid():
    schemathesis.openapi.from_dict(DOCUMENT).validate()

    assert DOCUMENT["openapi"].startswith("3.1")


def test_every_schema_is_described_with_all_of_its_fields():
    described = DOCUMENT["components"]["schemas"]
    queries = {operation.query for operation in TABLE if operation.query is not None}

    ours = {kind for kind in every_schema(Schema) if kind.__module__.startswith("service.api")}

    for kind in ours - queries - BASES:
        shown = described[kind.__name__.removesuffix("Schema")]
        assert list(shown["properties"]) == list(kind().fields)
        assert shown["additionalProperties"] is False
        assert shown["description"]
    for operation in TABLE:
        shown = [one["name"] for one in parameters(operation.route) if one["in"] == "query"]
        assert shown == list(operation.query().fields if operation.query else ())


def every_schema(of: type[Schema]) -> Iterator[type[Schema]]:
    for kind in of.__subclasses__():
        yield kind
        yield from every_schema(kind)


def parameters(route: str) -> list[dict[str, Any]]:
    return [resolved(one) for one in OPERATIONS[route].get("parameters", [])]


@pytest.mark.parametrize("route", OPERATIONS)
def test_an_operation_is_told_in_full(route):
    operation, path = OPERATIONS[route], route.partition(" ")[2]
    answers = operation["responses"]

    assert all(operation[name] for name in ("summary", "description", "tags", "operationId"))
    assert all(one["description"] for one in parameters(route))
    assert operation["security"] == ([] if is_public(path) else [{"bearer": []}])
    assert {"400", "503"} <= answers.keys()
    assert ({"401", "429"} <= answers.keys()) == (not is_public(path))
    assert ("403" in answers) == (not route.startswith(("GET", "HEAD")))
    assert all(answer["description"] for answer in answers.values())
    if "requestBody" in operation:
        assert {"400", "408", "413", "415", "422"} <= answers.keys()
    if "{" in path:
        assert "404" in answers
    if route.startswith("HEAD"):
        assert not any("content" in answer for answer in answers.values())


def test_each_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(set(names)) == len(names)


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    for route, operation in OPERATIONS.items():
        bodies = [operation.get("requestBody", {})]
        for body in (*bodies, *operation["responses"].values()):
            for kind, content in body.get("content", {}).items():
                yield f"{route} {kind}", content["schema"], content["example"]
            for header in map(resolved, body.get("headers", {}).values()):
                yield f"{route} header", header["schema"], header["example"]
        for one in parameters(route):
            if one["in"] != "query":
                yield f"{route} {one['name']}", one["schema"], one["example"]


def test_every_example_is_as_its_schema_says():
    for where, schema, example in examples():
        assert [error.message for error in validator(schema).iter_errors(example)] == [], where


def test_every_link_leads_to_an_operation():
    links = [
        (name, link)
        for operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for name, link in answer.get("links", {}).items()
    ]
    by_name = {one["operationId"]: route for route, one in OPERATIONS.items()}

    assert links
    for name, link in links:
        wanted = {one["name"] for one in parameters(by_name[name]) if one["in"] == "path"}
        assert set(link["parameters"]) == wanted


@pytest.mark.parametrize(
    "text",
    [
        *("2301.00001", "2301.00001v3", "hep-th/9901001", "math.GT/0309136v2", "0704.0001"),
        *("2313.00001", "2301.00001v0", "2301.00001\n", "2301.123", "٢٣٠١.٠٠٠٠١", "../etc", ""),
        *("astro-ph.CO/9901001v99999", "a" * 30 + "/9901001v9999"),
    ],
)
def test_an_arxiv_id_is_described_as_it_is_read(text):
    described = jsonschema_rs.Draft202012Validator(dict(PLAIN_ID)).is_valid(text)

    try:
        ArxivId.parse(text)
    except ValueError:
        assert not described
    else:
        assert described


async def test_the_status_is_as_its_schema_says(database):
    async with database.transaction() as conn:
        added = await JobStore(conn).add(make_request(), caller="me")
        (moment,) = (await conn.exec_driver_sql("SELECT now()")).one()
    assert added is not None
    told = {
        "message": "It broke",
        "code": "internal",
        "arxiv_id": "2301.00001",
        "attempt": 1,
        "line": 2,
    }
    error = JobError(stage=Stage.STORE, occurred_at=moment, **told)
    job = added._replace(taken_up_at=moment, retry_of=added.id, errors=(error,))

    shown = json.loads(json.dumps(status_document(job)))

    assert list(shown) == list(StatusSchema().fields)
    assert list(shown["progress"]) == list(StatusSchema().fields["progress"].schema.fields)
    assert sorted(shown["stats"]) == sorted(StatusSchema().fields["stats"].schema.fields)
    assert list(shown["errors"][0]) == list(JobErrorSchema().fields)
    assert StatusSchema().validate(shown) == {}


@pytest.fixture
async def seeded(api, database) -> str:
    """A paper, a job with it, and a schedule; the id of the job."""
    response = await api.post(f"{PREFIX}/arxiv", json=GOOD_BODY)
    job_id: str = (await response.json())["job_id"]
    await api.post(
        "/api/v1/schedules", json={"name": "a", "cron": "0 3 * * *", "request": GOOD_BODY}
    )
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper()], overwrite=True)
        await conn.exec_driver_sql(
            "INSERT INTO job_papers (job_id, arxiv_id, version, state)"
            f" VALUES ('{job_id}', '2301.00001', 1, 'failed')"
        )
    return job_id


REQUESTS = (
    ("GET", "/api/v1/ingestion/jobs", {}),
    ("GET", "/api/v1/ingestion/jobs?limit=no", {}),
    ("GET", "/api/v1/ingestion/job/{job_id}", {}),
    ("GET", "/api/v1/ingestion/job/{job_id}", {"If-None-Match": "*"}),
    ("GET", "/api/v1/ingestion/job/{job_id}/papers", {}),
    ("POST", "/api/v1/ingestion/job/{job_id}/retry", {}),
    ("POST", "/api/v1/ingestion/arxiv", {}),
    ("DELETE", "/api/v1/ingestion/job/{job_id}", {}),
    ("GET", "/api/v1/ingestion/stats", {}),
    ("GET", "/api/v1/ingestion/overview", {}),
    ("GET", "/api/v1/papers", {}),
    ("GET", "/api/v1/papers", {"Accept": "image/png"}),
    ("GET", "/api/v1/papers/{arxiv_id}", {}),
    ("GET", "/api/v1/papers/{arxiv_id}/pdf", {}),
    ("GET", "/api/v1/papers/{arxiv_id}/text", {"Authorization": ""}),
    ("GET", "/api/v1/papers/{arxiv_id}/text", {"Accept": "application/json"}),
    ("GET", "/api/v1/papers/{arxiv_id}/document", {}),
    ("GET", "/api/v1/papers/{arxiv_id}/document?section=9", {}),
    ("GET", "/api/v1/papers/{arxiv_id}/document?part=no", {}),
    ("GET", "/api/v1/papers/{arxiv_id}/references", {}),
    ("GET", "/api/v1/schedules", {}),
    ("GET", "/healthz", {}),
    ("GET", "/readyz", {}),
    ("GET", "/metrics", {}),
    ("GET", "/openapi.json", {}),
)


async def test_answers_are_as_they_are_described(api, seeded):
    for method, path, headers in REQUESTS:
        url = path.format(job_id=seeded, arxiv_id="2301.00001")

        response = await api.request(method, url, headers=headers)

        where = f"{method} {path} {response.status}"
        answer = OPERATIONS[f"{method} {path.partition('?')[0]}"]["responses"][str(response.status)]
        for name, header in answer.get("headers", {}).items():
            assert name in response.headers or not resolved(header)["required"], where
        if response.status != 304:
            content = answer["content"][response.content_type]
            if "json" in response.content_type:
                problems = validator(content["schema"]).iter_errors(await response.json())
                assert [error.message for error in problems] == [], where


async def test_it_is_public_and_comes_once(serve):
    anybody = await serve(sub=None)

    first = await anybody.get("/openapi.json")
    again = await anybody.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

    assert await first.json() == DOCUMENT
    assert (first.status, again.status, await again.read()) == (200, 304, b"")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "text/html"),
        ("/docs.js", "text/javascript"),
        ("/swagger-ui-bundle.js", "text/javascript"),
        ("/swagger-ui.css", "text/css"),
        ("/favicon-32x32.png", "image/png"),
    ],
)
async def test_the_page_is_public_and_all_of_it_is_here(serve, name, kind):
    anybody = await serve(sub=None)

    first = await anybody.get(f"/docs{name}")
    again = await anybody.get(f"/docs{name}", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status, first.content_type, again.status) == (200, kind, 304)
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert (await anybody.get(f"/docs{name}x")).status == 404
    if kind == "text/html":
        assert {name: first.headers[name] for name in PAGE_HEADERS} == {
            **PAGE_HEADERS,
            "Cache-Control": "no-cache",
        }
        assert "//" not in await first.text()


def test_files_are_binary_and_no_choice_hides_the_properties_of_a_schema():
    """So that generators of clients give bytes, and models with fields."""
    for item in DOCUMENT["paths"].values():
        for operation in item.values():
            for answer in operation["responses"].values():
                for kind, content in answer.get("content", {}).items():
                    if kind in ("application/pdf", "application/octet-stream", "image/png"):
                        assert content["schema"] == {"type": "string", "format": "binary"}
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert not ({"oneOf", "anyOf"} & schema.keys() and "properties" in schema), name
