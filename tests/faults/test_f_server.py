"""The database server gone, frozen, locked, full or closed to us: cases 79 to 81."""

import asyncio

import aiohttp
import pytest

from service.domain.jobs import JobStatus
from tests.faults.disks import said_full, small_disk
from tests.faults.processes import (
    answered,
    headers,
    said,
    serving,
    status_of,
    until_not_ready,
    until_ready,
)
from tests.faults.servers import (
    AWAY,
    BODY,
    ENDED,
    PASSWORD,
    PROBLEM,
    RELOAD,
    ROLE,
    Refusals,
    back,
    command,
    frozen,
    login_by_password,
    refused_in_time,
)

HELD_PDF = {"kind": "hold", "lane": "pdf", "number": 4, "seconds": 60}
SMALL_JOB = {**BODY, "max_papers": 1, "process_pdfs": False}


async def test_case_79_a_server_that_crashes_in_mid_job(own, own_server, tools):
    own.replica.script([HELD_PDF])
    async with serving(own, tools) as (_, url, client):
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=90)

        await asyncio.to_thread(own_server.stop_immediately)
        own.replica.release()
        await refused_in_time(client, url, job_id)
        await asyncio.to_thread(own_server.start)
        await own.database.engine.dispose()  # the test's own connections, which are dead as well

        await back(client, url, job_id)
        job = await own.final(job_id)

    assert (job.status, job.pdfs_processed) == (JobStatus.COMPLETED, 10)
    await own.assert_sound()


async def test_case_80_a_database_that_is_away_at_the_start(own, own_server, tools):
    job_id = await own.submit()
    await own.database.engine.dispose()
    await asyncio.to_thread(own_server.stop_immediately)
    port = tools.free_port()
    url = f"http://127.0.0.1:{port}"
    async with own.process("serve", PORT=str(port)) as process, aiohttp.ClientSession() as client:
        async with asyncio.timeout(60):
            while await answered(client, f"{url}/healthz") != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await until_not_ready(client, url)

        await asyncio.to_thread(own_server.start)
        await until_ready(client, url)
        job = await own.final(job_id)

        assert process.returncode is None
    assert job.status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("seconds", "lease"), [(0, "2"), pytest.param(30, "15", marks=pytest.mark.slow_faults)]
)
async def test_case_81_a_server_that_is_stopped_for_longer_than_a_lease(
    own, own_server, tools, seconds, lease
):
    own.replica.script([HELD_PDF])
    async with serving(own, tools, LEASE_SECONDS=lease) as (_, url, client):
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=90)
        stopped_for = asyncio.create_task(asyncio.sleep(seconds))
        with frozen(own_server):
            await refused_in_time(client, url, job_id)
            await said(own, "lease not renewed in time", seconds=40)
            await stopped_for
            await refused_in_time(client, url, job_id)
        own.replica.release()

        await back(client, url, job_id)
        job = await own.final(job_id)

    assert (job.status, job.pdfs_processed) == (JobStatus.COMPLETED, 10)
    await own.assert_sound()


@pytest.mark.parametrize("times", [25, pytest.param(150, marks=pytest.mark.slow_faults)])
async def test_all_backends_ended_again_and_again_lose_nothing(own, tools, times):
    """Every 200 ms, for five seconds at least, or thirty."""
    job_id = await own.submit(max_papers=20)
    async with serving(own, tools):
        for _ in range(times):
            await own.rows(ENDED)
            await asyncio.sleep(0.2)  # the disturbance itself
        job = await own.final(job_id)
        listening = await own.rows(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'arxiv-ingestion listen'"
            " AND query LIKE 'LISTEN%'"
        )

    assert (job.status, job.pdfs_failed) == (JobStatus.COMPLETED, 0)
    assert job.pdfs_processed > 10  # the others have none in the stand-in
    assert listening
    await own.assert_sound()


@pytest.mark.parametrize(
    "whose", ["of the server", pytest.param("of our role", marks=pytest.mark.slow_faults)]
)
async def test_a_server_that_is_read_only_for_a_while_is_waited_for(own, tools, whose):
    """As after a failover; a role's setting stays with its sessions, the server's does not."""
    what = "ROLE postgres" if whose == "of our role" else "SYSTEM"
    async with serving(own, tools) as (_, url, client):
        await command(own, f"ALTER {what} SET default_transaction_read_only = on", RELOAD)
        await own.rows(ENDED)  # so that all sessions are new ones
        await until_refused(client, url)
        await command(own, f"ALTER {what} RESET default_transaction_read_only", RELOAD)
        await until_accepted(client, url)
        await own.database.engine.dispose()  # the test's own session is read-only as well
        job = await own.final(await own.submit())

    assert job.status is JobStatus.COMPLETED


@pytest.mark.slow_faults
@pytest.mark.parametrize("seconds", [0, 12])
async def test_a_lock_on_the_jobs_is_told_in_time_and_waited_for(own, tools, seconds):
    """For longer than our lock timeout, too: the worker gives up its statements and comes back."""
    own.replica.script([HELD_PDF])
    async with serving(own, tools) as (_, url, client):
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=90)
        async with own.database.engine.begin() as conn:
            await conn.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            await conn.exec_driver_sql("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            own.replica.release()
            await refused_in_time(client, url, job_id)
            await conn.exec_driver_sql(f"SELECT pg_sleep({seconds})")

        await back(client, url, job_id)
        job = await own.final(job_id)

    assert (job.status, job.pdfs_processed, job.errors_total) == (JobStatus.COMPLETED, 10, 0)
    await own.assert_sound()


@pytest.mark.slow_faults
@pytest.mark.parametrize("disk", [said_full, small_disk])
async def test_a_full_disk_of_the_database_costs_nothing_but_time(own, own_server, tools, disk):
    """What is held can be read, nothing new is accepted, and the work waits for room."""
    own.replica.script([HELD_PDF])
    async with disk(own, own_server) as full, serving(own, tools) as (_, url, client):
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=90)

        refusals = Refusals(own_server)
        await full.fill()
        await until_refused(client, url)  # a page that is begun is still filled
        own.replica.release()
        path = f"{url}/api/v1/ingestion/job/{job_id}"
        assert await status_of(client.get(path, headers=headers())) == 200
        await refusals.include("could not extend file")
        await full.free()

        await until_accepted(client, url)
        job = await own.final(job_id)
        failures = await own.rows("SELECT sum(failures) FROM job_papers")

    assert (job.status, job.pdfs_processed, job.errors_total) == (JobStatus.COMPLETED, 10, 0)
    assert [tuple(row) for row in failures] == [(0,)]
    await own.assert_sound()


@pytest.mark.slow_faults
async def test_a_password_that_was_changed_is_waited_for(own, own_server, tools):
    own.replica.script([HELD_PDF])
    async with (
        login_by_password(own, own_server) as login,
        serving(own, tools, DATABASE_URL=login) as (_, url, client),
    ):
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=90)
        await command(own, f"ALTER ROLE {ROLE} PASSWORD 'another'", ENDED)
        own.replica.release()

        await refused_in_time(client, url, job_id)
        await until_not_ready(client, url)
        await command(own, f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'")

        await back(client, url, job_id)
        job = await own.final(job_id)

    assert (job.status, job.pdfs_processed, job.errors_total) == (JobStatus.COMPLETED, 10, 0)
    assert PASSWORD not in (own.folder / "serve.log").read_text()


async def until_refused(client, url):
    await until_posted(client, url, 503)


async def until_accepted(client, url):
    await until_posted(client, url, 202)


async def until_posted(client, url, wanted, seconds=60):
    """Post jobs until one is answered with `wanted`; any other answer is wrong."""
    async with asyncio.timeout(seconds):
        while (found := await post(client, url)) != wanted:
            assert found in (202, 503)
            await asyncio.sleep(0.05)


async def post(client, url):
    """Submit a small job: 202, or 503 as it is documented."""
    async with client.post(url + AWAY["POST"], headers=headers(), json=SMALL_JOB) as answer:
        if answer.status == 503:
            assert answer.content_type == PROBLEM
            assert int(answer.headers["Retry-After"]) > 0
        return answer.status
