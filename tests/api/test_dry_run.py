"""A dry run: what a request would fetch, asked of arXiv now; nothing is created."""

from datetime import timedelta

import pytest
from aiohttp.test_utils import TestClient

from service.api.handlers.jobs import DRY_RUNS
from service.config.settings import Settings
from service.devtools.stand_in.server import ReplicaOptions, running_replica
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, Priority
from service.jobs import dry_run
from service.jobs.dry_run import Intervals, estimate_of
from service.jobs.tasks import ranked
from service.process.arxiv import arxiv_client
from service.process.build_api import build_api, give_dry_runs
from tests.api.conftest import PREFIX, RULES, OurServer, bearer, is_problem, token
from tests.conftest import make_request

DRY_RUN = f"{PREFIX}/arxiv?dry_run=true"
SEARCH = {"search_query": {"category": "cs.AI", "max_results": 5}, "max_papers": 12}
INTERVALS = Intervals(
    api=timedelta(seconds=3), pdf=timedelta(seconds=0.25), html=timedelta(seconds=15)
)


@pytest.fixture
async def replica():
    async with running_replica(ReplicaOptions(papers=60)) as running:
        yield running


@pytest.fixture
async def api(api_database, store, replica):
    """An API process that asks the stand-in."""
    urls = {
        "ARXIV_API_URL": replica.api_url,
        "ARXIV_OAI_URL": replica.oai_url,
        "ARXIV_PDF_URL": replica.pdf_url,
    }
    pace = {"ARXIV_MIN_INTERVAL_SECONDS": "0.05", "ARXIV_PDF_PER_SECOND": "200"}
    secret = {"JWT_SECRET": RULES.key, "DATABASE_URL": "postgresql://localhost/unused"}
    settings = Settings.from_environ({**urls, **pace, **secret})
    app = build_api(RULES, api_database, store)
    async with arxiv_client(settings, api_database, connections=2) as arxiv:
        give_dry_runs(app, settings, arxiv)
        async with TestClient(OurServer(app), headers=bearer(token())) as client:
            yield client


@pytest.fixture
def impatient(api):
    """The deadline of dry runs is a moment."""
    api.app[DRY_RUNS].deadline = timedelta(seconds=0.3)


async def asked(api, body=SEARCH, **options):
    async with api.post(DRY_RUN, json=body, **options) as response:
        return response, await response.json()


async def test_it_tells_what_a_search_would_fetch_and_creates_nothing(api, replica, sql):
    response, document = await asked(api)

    assert response.status == 200
    assert list(document) == [
        *("total", "estimated_papers", "requests", "estimated_seconds", "search_criteria"),
    ]
    assert document["total"] > 12
    assert (document["estimated_papers"], document["requests"]) == (12, 3)
    assert document["estimated_seconds"] > 0
    assert document["search_criteria"]["category"] == "cs.AI"
    assert len(replica.log.records) == 1
    assert await sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM pgqueuer)") == [
        (0, 0)
    ]


async def test_of_a_list_of_ids_it_tells_how_many_arxiv_has(api, replica):
    known = [str(replica.corpus.paper(number).arxiv_id.paper) for number in range(3)]
    ids = [*known, *(f"0704.{number}" for number in range(9001, 9198))]

    response, document = await asked(api, {"search_query": {"ids": ids}})

    assert response.status == 200
    assert (document["total"], document["estimated_papers"], document["requests"]) == (3, 3, 2)
    assert len(replica.log.records) == 1


async def test_nothing_is_believed_when_it_has_come_twice(api, replica):
    replica.script([{"kind": "empty_zero", "number": 1}])

    _, document = await asked(api)

    assert document["total"] > 12
    assert len(replica.log.records) == 2


async def test_an_idempotency_key_is_ignored(api):
    headers = {"Idempotency-Key": "k" * 300}

    assert (await asked(api, headers=headers))[0].status == 200


@pytest.mark.parametrize(
    ("source", "body"),
    [("oai", {}), ("audit", {}), ("oai", {"set": "cs"})],
)
async def test_another_source_than_a_search_is_refused(api, source, body, replica):
    response, document = await asked(api, {"source": source, source: body})

    assert (response.status, document["code"]) == (422, "invalid_request")
    assert list(document["errors"]) == ["dry_run"]
    assert not replica.log.records


@pytest.mark.parametrize("query", ["dry_run=1", "dry_run=", "dry_run=true&dry_run=true", "dry=1"])
async def test_a_wrong_parameter_is_named(api, query):
    async with api.post(f"{PREFIX}/arxiv?{query}", json=SEARCH) as response:
        document = await response.json()

    assert response.status == 422
    assert list(document["errors"]) == [query.partition("=")[0]]


async def test_a_query_that_arxiv_refuses_is_told(api, replica):
    replica.script([{"kind": "error_400"}])

    response, document = await asked(api)

    assert is_problem(response, document)
    assert (response.status, document["code"]) == (422, "upstream_rejected")
    assert document["detail"].startswith("arXiv refused the query")


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("silent_until = now() + interval '40 s'", "arxiv_cooldown"),
        ("paused_since = now()", "arxiv_unavailable"),
        (
            "failures = 3, failing_since = now(), retry_at = now() + interval '40 s'",
            "arxiv_unavailable",
        ),
    ],
)
async def test_while_the_channel_is_closed_it_says_why_and_when_to_come_again(
    api, sql, replica, state, code
):
    await sql(f"UPDATE upstream_pace SET {state} WHERE lane = 'api'")

    response, document = await asked(api)

    assert is_problem(response, document)
    assert (response.status, document["code"]) == (503, code)
    assert 1 <= int(response.headers["Retry-After"]) <= 41
    assert not replica.log.records


@pytest.mark.parametrize("kind", ["503", "reset", "html"])
async def test_an_answer_that_is_none_is_told_at_once(api, replica, kind):
    replica.script([{"kind": kind}])

    response, document = await asked(api)

    assert (response.status, document["code"]) == (503, "arxiv_unavailable")
    assert int(response.headers["Retry-After"]) >= 1


async def test_a_slot_that_does_not_come_in_time_is_told(api, sql, impatient, replica):
    await sql(
        "UPDATE upstream_pace SET holder = gen_random_uuid(),"
        " held_until = now() + interval '1 minute' WHERE lane = 'api'"
    )

    response, document = await asked(api)

    assert (response.status, document["code"]) == (503, "arxiv_busy")
    assert not replica.log.records
    assert await sql("SELECT waiter FROM upstream_pace WHERE lane = 'api'") == [(None,)]


async def test_an_answer_that_does_not_come_in_time_is_told_and_frees_the_slot(
    api, sql, impatient, replica
):
    replica.script([{"kind": "stall", "seconds": 20}])

    response, document = await asked(api)

    assert (response.status, document["code"]) == (503, "arxiv_unavailable")
    assert await sql("SELECT holder FROM upstream_pace WHERE lane = 'api'") == [(None,)]


async def test_so_many_are_answered_at_once_and_no_more(api, monkeypatch, replica):
    monkeypatch.setattr(dry_run, "MOST_AT_ONCE", 0)

    response, document = await asked(api)

    assert (response.status, document["code"]) == (503, "arxiv_busy")
    assert not replica.log.records


def test_it_comes_before_every_task():
    assert ranked(Priority.HIGH, 0) < dry_run.RANK


@pytest.mark.parametrize(
    ("request_", "total", "expected"),
    [
        ({"max_papers": 250, "process_pdfs": False}, 1000, (250, 50, 150)),
        ({"max_papers": 250, "process_pdfs": True}, 1000, (250, 50, 150)),
        ({"max_papers": 5, "process_pdfs": True}, 1000, (5, 1, 4.25)),
        ({"max_papers": 250, "process_pdfs": False}, 0, (0, 1, 3)),
        (
            {"criteria": Criteria(category="cs.AI", start=990), "max_papers": 250},
            1000,
            (10, 1, 5.5),
        ),
        (
            {
                "criteria": Criteria(ids=tuple(map(ArxivId.parse, ["2401.00001", "2401.00002"]))),
                "max_papers": 1,
                "process_pdfs": False,
            },
            2,
            (1, 1, 3),
        ),
    ],
)
def test_the_slower_of_pages_and_pdfs_decides(request_, total, expected):
    found = estimate_of(make_request(**request_), total, INTERVALS)

    assert (found.papers, found.requests, found.duration.total_seconds()) == expected
