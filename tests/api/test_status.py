"""The status contract, byte for byte, over rows that were written by hand."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

JOB = "123e4567-e89b-12d3-a456-426614174000"
URL = f"/api/v1/ingestion/job/{JOB}"

# The example of the contract, as it stands there.
EXAMPLE = (
    b'{"job_id":"123e4567-e89b-12d3-a456-426614174000","status":"running","progress":'
    b'{"papers_fetched":50,"papers_created":45,"papers_updated":5,"pdfs_downloaded":40,'
    b'"pdfs_processed":35,"errors":[]},"created_at":"2023-10-01T12:00:00Z",'
    b'"started_at":"2023-10-01T12:00:05Z","completed_at":null,"errors":[],"stats":{}}'
)
INSERT_EXAMPLE = f"""
    INSERT INTO jobs (id, status, papers_fetched, papers_created, papers_updated,
                      pdfs_downloaded, pdfs_processed, created_at, started_at)
    VALUES ('{JOB}', 'running', 50, 45, 5, 40, 35, '2023-10-01 12:00:00Z', '2023-10-01 12:00:05Z')
"""
STATS_KEYS = [
    "pages_fetched",
    "papers_total",
    "papers_skipped",
    "pdfs_pending",
    "pdfs_failed",
    "errors_total",
    "resumed",
    "elapsed_seconds",
    "eta_seconds",
    "request",
    "waiting_for",
    "waiting_since",
]
ADD_ERROR = (
    f"INSERT INTO job_errors (job_id, occurred_at, stage, error) VALUES ('{JOB}', :at, :stage, :e)"
)


@pytest.fixture
async def example(sql: Any) -> None:
    await sql(INSERT_EXAMPLE)


async def document(api: Any) -> Any:
    async with api.get(URL) as response:
        assert response.status == 200
        return orjson.loads(await response.read())


async def test_a_row_written_by_hand_is_shown_as_the_contract_has_it(api, example):
    response = await api.get(URL)
    body = await response.read()

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert body == EXAMPLE


async def test_every_caller_may_see_every_job(serve, example):
    stranger = await serve(sub="somebody else")

    response = await stranger.get(URL)

    assert await response.read() == EXAMPLE


async def test_a_fraction_of_a_second_is_shown_only_when_it_is_not_zero(api, sql, example):
    await sql(
        "UPDATE jobs SET created_at = '2023-10-01 12:00:00.5Z',"
        " started_at = '2023-10-01 14:00:05.000007+02'"
    )

    shown = await document(api)

    assert shown["created_at"] == "2023-10-01T12:00:00.500000Z"
    assert shown["started_at"] == "2023-10-01T12:00:05.000007Z"


async def test_a_completed_row_shows_when(api, sql, example):
    await sql("UPDATE jobs SET status = 'completed', completed_at = '2023-10-01 12:01:00Z'")

    shown = await document(api)

    assert (shown["status"], shown["completed_at"]) == ("completed", "2023-10-01T12:01:00Z")


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_an_operator_who_ends_a_job_need_not_think_of_the_moment(api, sql, example, status):
    await sql(f"UPDATE jobs SET status = '{status}'")

    shown = await document(api)

    assert shown["status"] == status
    assert shown["completed_at"].endswith("Z")


async def test_errors_come_in_order_of_time_whatever_the_order_of_storing(api, sql, example):
    await sql(ADD_ERROR, at=_moment(9), stage="store", e="second")
    await sql(ADD_ERROR, at=_moment(5), stage="arxiv_fetch", e="first")

    shown = await document(api)

    assert shown["errors"] == [
        {"timestamp": "2023-10-01T12:00:05Z", "error": "first", "stage": "arxiv_fetch"},
        {"timestamp": "2023-10-01T12:00:09Z", "error": "second", "stage": "store"},
    ]
    assert list(shown["errors"][0]) == ["timestamp", "error", "stage"]
    assert shown["progress"]["errors"] == shown["errors"]


async def test_an_error_may_tell_more_after_the_three_keys(api, sql, example):
    await sql(
        "INSERT INTO job_errors (job_id, occurred_at, stage, error, code, arxiv_id, attempt)"
        f" VALUES ('{JOB}', :at, 'pdf_download', 'gone', 'unavailable', '2301.00001', 2)",
        at=_moment(1),
    )

    (error,) = (await document(api))["errors"]

    assert list(error) == ["timestamp", "error", "stage", "arxiv_id", "code", "attempt"]
    assert (error["arxiv_id"], error["code"], error["attempt"]) == ("2301.00001", "unavailable", 2)


async def test_the_latest_hundred_errors_are_shown_and_all_are_counted(api, sql, example):
    await sql(
        "INSERT INTO job_errors (job_id, occurred_at, stage, error)"
        f" SELECT '{JOB}', '2023-10-01 12:00:00Z'::timestamptz + n * interval '1 second',"
        " 'general', 'error ' || n FROM generate_series(1, 150) AS n ORDER BY random()"
    )
    await sql("UPDATE jobs SET taken_up_at = now()")

    shown = await document(api)

    assert [error["error"] for error in shown["errors"]] == [f"error {n}" for n in range(51, 151)]
    assert shown["stats"]["errors_total"] == 150


async def test_stats_are_empty_until_a_worker_has_taken_the_job_up(api, sql, example):
    before = (await document(api))["stats"]
    await sql("UPDATE jobs SET taken_up_at = now(), papers_total = 100, pages_fetched = 1")

    after = (await document(api))["stats"]

    assert before == {}
    assert [key for key in after if key in STATS_KEYS] == STATS_KEYS
    assert (after["papers_total"], after["pages_fetched"], after["resumed"]) == (100, 1, 0)


async def test_what_a_running_job_waits_for_is_shown_with_the_moment(api, sql, example):
    await sql(
        "UPDATE jobs SET taken_up_at = now(), waiting_for = 'arxiv_cooldown',"
        " waiting_since = '2023-10-01 12:00:09Z'"
    )
    waiting = (await document(api))["stats"]
    await sql("UPDATE jobs SET status = 'failed'")
    ended = (await document(api))["stats"]

    assert waiting["waiting_for"] == "arxiv_cooldown"
    assert waiting["waiting_since"] == "2023-10-01T12:00:09Z"
    assert (ended["waiting_for"], ended["waiting_since"]) == (None, None)


async def test_facts_of_the_source_stand_behind_the_other_figures(api, sql, example):
    await sql("""UPDATE jobs SET taken_up_at = now(), facts = '{"listed": 7}'""")

    stats = (await document(api))["stats"]

    assert list(stats)[-1] == "listed"
    assert stats["listed"] == 7


async def test_elapsed_and_eta_are_what_the_row_says(api, sql, example):
    await sql(
        "UPDATE jobs SET taken_up_at = now(), started_at = now() - interval '10 seconds',"
        " papers_total = 100, papers_fetched = 50, pdfs_pending = 0"
    )

    stats = (await document(api))["stats"]

    assert 10 <= stats["elapsed_seconds"] + 0.1 < 600  # since then
    assert stats["eta_seconds"] == pytest.approx(stats["elapsed_seconds"], abs=1)  # half is done


async def test_all_keys_come_in_the_order_of_the_contract(api, sql, example):
    await sql(ADD_ERROR, at=_moment(1), stage="general", e="something")
    await sql("UPDATE jobs SET taken_up_at = now()")

    shown = await document(api)

    assert list(shown) == list(orjson.loads(EXAMPLE))
    assert list(shown["progress"]) == list(orjson.loads(EXAMPLE)["progress"])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE jobs SET pdfs_processed = pdfs_processed + 1",
        "UPDATE jobs SET status = 'cancelled'",
        "UPDATE jobs SET taken_up_at = now()",
        "UPDATE jobs SET papers_total = 7",
        """UPDATE jobs SET request = '{"a": 1}'""",
        f"INSERT INTO job_errors (job_id, stage, error) VALUES ('{JOB}', 'general', 'e')",
    ],
)
async def test_the_etag_changes_with_a_visible_change(api, sql, example, change):
    seen = (await api.get(URL)).headers["ETag"]
    await sql(change)

    response = await api.get(URL, headers={"If-None-Match": seen})

    assert response.status == 200
    assert response.headers["ETag"] != seen


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE job_errors SET error = 'in other words'",
        "DELETE FROM job_errors",
    ],
)
async def test_the_etag_changes_when_an_operator_edits_errors(api, sql, example, change):
    await sql(ADD_ERROR, at=_moment(1), stage="general", e="something")
    seen = (await api.get(URL)).headers["ETag"]
    await sql(change)

    response = await api.get(URL, headers={"If-None-Match": seen})

    assert response.status == 200


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE jobs SET pdfs_processed = pdfs_processed",
        "UPDATE jobs SET harvest_starts = harvest_starts + 1",
        """UPDATE jobs SET checkpoint = '{"offset": 5}'""",
    ],
)
async def test_a_change_that_nobody_sees_leaves_the_etag(api, sql, example, change):
    seen = (await api.get(URL)).headers["ETag"]
    await sql(change)

    response = await api.get(URL, headers={"If-None-Match": seen})

    assert response.status == 304
    assert await response.read() == b""
    assert response.headers["ETag"] == seen


@pytest.mark.parametrize("form", ["{}", "W/{}", '"0", {}', "*"])
async def test_all_forms_of_if_none_match_are_understood(api, example, form):
    seen = (await api.get(URL)).headers["ETag"]

    response = await api.get(URL, headers={"If-None-Match": form.format(seen)})

    assert response.status == 304


async def test_another_etag_gets_the_whole_answer(api, example):
    response = await api.get(URL, headers={"If-None-Match": '"0"'})

    assert await response.read() == EXAMPLE


async def test_no_cache_answers_without_asking(api, example):
    response = await api.get(URL)

    assert response.headers["Cache-Control"] in ("no-cache", "no-store")


def _moment(second: int) -> datetime:
    return datetime(2023, 10, 1, 12, 0, second, tzinfo=UTC)
