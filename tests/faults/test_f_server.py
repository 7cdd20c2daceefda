"""The database server gone, frozen, locked, full or closed to us: cases 79 to 81."""

import asyncio

import aiohttp

from service.domain.job import JobStatus
from tests.faults.processes import answered, headers, said, serving, status_of, until_ready
from tests.faults.servers import AWAY, BODY, ENDED, back, everybody, refused_in_time


async def test_case_79_a_server_that_crashes_in_mid_job(own, own_server, tools):
    own.replica.script([{"kind": "hold", "lane": "pdf", "number": 4, "seconds": 60}])
    async with serving(own, tools) as (_, url, client):
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=30)

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
        assert await answered(client, f"{url}/readyz") == 503

        await asyncio.to_thread(own_server.start)
        await until_ready(client, url)
        job = await own.final(job_id)

        assert process.returncode is None
    assert job.status is JobStatus.COMPLETED


async def test_case_81_a_server_that_is_stopped_for_longer_than_a_lease(own, own_server, tools):
    own.replica.script([{"kind": "hold", "lane": "pdf", "number": 4, "seconds": 60}])
    async with serving(own, tools) as (_, url, client):
        job_id = await own.submit()
        await own.replica.wait_until_held(timeout=30)
        frozen = everybody(own_server)
        for process in frozen:
            process.suspend()
        try:
            await refused_in_time(client, url, job_id)
            await said(own, "lease not renewed in time")
        finally:
            for process in frozen:
                process.resume()
        own.replica.release()

        await back(client, url, job_id)
        job = await own.final(job_id)

    assert (job.status, job.pdfs_processed) == (JobStatus.COMPLETED, 10)
    await own.assert_sound()


async def test_all_backends_ended_again_and_again_lose_nothing(own, tools):
    """Every 200 ms, for five seconds at least."""
    job_id = await own.submit(max_papers=20)
    async with serving(own, tools):
        for _ in range(25):
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


async def test_a_server_that_is_read_only_for_a_while_is_waited_for(own, tools):
    role = "ALTER ROLE postgres {} default_transaction_read_only"
    async with serving(own, tools) as (_, url, client):
        async with own.database.engine.begin() as conn:
            await conn.exec_driver_sql(role.format("SET") + " = on")
        await own.rows(ENDED)  # so that all sessions are new ones
        async with asyncio.timeout(15):
            while await post(client, url) != 503:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with own.database.engine.begin() as conn:
            await conn.exec_driver_sql("SET TRANSACTION READ WRITE")
            await conn.exec_driver_sql(role.format("RESET"))
        await own.rows(ENDED)
        job = await own.final(await own.submit())

    assert job.status is JobStatus.COMPLETED


async def post(client, url):
    return await status_of(client.post(url + AWAY["POST"], headers=headers(), json=BODY))
