"""The database away, slow, cut off or pooled: cases 79 to 87."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg
import psutil
import pytest
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.ports.repository import EntrypointExecutionParameter
from sqlalchemy import make_url, text

from service.domain.job import JobStatus
from service.storage import migrate
from service.storage.embedded import SYSTEM_USER, EmbeddedPostgres
from service.storage.engine import Database, create_engine, libpq_url
from service.worker.engine import enqueue
from service.worker.task import Task
from tests.api.waiters import begun
from tests.conftest import RESET_PACE, TRUNCATE
from tests.faults.processes import answered, headers, said, serving, status_of, until_ready
from tests.ingest.conftest import Rig

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")
POOLED = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
{options}
"""
SILENT = "ignore_startup_parameters = " + ", ".join(
    ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
)


@asynccontextmanager
async def pgbouncer(url, listen_port, options=""):
    """A pooler in transaction mode before the database of `url`; yields its URL."""
    parsed = make_url(url)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        config = _written(Path(folder), parsed, listen_port, options)
        process = await asyncio.create_subprocess_exec(
            *(PGBOUNCER, "-q", config), stderr=subprocess.DEVNULL, **_as_another()
        )
        try:
            await until_accepting(listen_port)
            plain = parsed.set(host="127.0.0.1", port=listen_port, query={})
            yield plain.render_as_string(hide_password=False)
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 20)


def _written(folder, parsed, listen_port, options):
    folder.chmod(0o755)
    config = folder / "pgbouncer.ini"
    host = parsed.query.get("host") or parsed.host
    place = {"host": host, "port": parsed.port or 5432, "user": parsed.username}
    config.write_text(POOLED.format(**place, listen_port=listen_port, options=options))
    return config


def _as_another():
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(SYSTEM_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


async def until_accepting(port, seconds=20):
    async with asyncio.timeout(seconds):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@needs_pgbouncer
@pytest.mark.parametrize("options", ["", SILENT], ids=["refuses settings", "drops settings"])
async def test_case_85_a_whole_job_through_a_pooler(rig, tools, options):
    async with pgbouncer(rig.url, tools.free_port(), options) as url:
        engine = create_engine(url, name="tests pooled")
        pooled = Rig(Database(engine, deadline_seconds=20), url, rig.replica, rig.folder)
        job_id = await pooled.submit()

        async with rig.process("serve", DATABASE_URL=url), rig.process("worker", DATABASE_URL=url):
            job = await rig.final(job_id)
        await engine.dispose()

    assert job.status is JobStatus.COMPLETED
    assert job.pdfs_processed == 10
    await rig.assert_sound()
    logs = (rig.folder / "serve.log").read_text() + (rig.folder / "worker.log").read_text()
    assert "PreparedStatement" not in logs
    assert "unexpectedly" not in logs


@needs_pgbouncer
@pytest.mark.parametrize("options", ["", SILENT], ids=["refuses settings", "drops settings"])
async def test_case_85_timeouts_hold_behind_a_pooler(rig, tools, options):
    async with pgbouncer(rig.url, tools.free_port(), options) as url:
        engine = create_engine(url, name="tests pooled")
        database = Database(engine, deadline_seconds=20)
        for opened in (database.transaction, database.reading):
            async with opened() as conn:
                shown = await conn.exec_driver_sql(
                    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
                    " current_setting('idle_in_transaction_session_timeout')"
                )
                assert tuple(shown.one()) == ("30s", "10s", "5s")
        await engine.dispose()


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A PostgreSQL of this module's own, which may be stopped."""
    server = EmbeddedPostgres.under(tmp_path_factory.mktemp("faults"))
    server.start()
    asyncio.run(migrated(server.url))
    yield server
    server.start()  # whatever a test has left, and in a state that `stop` knows
    server.stop()


async def migrated(url):
    engine = create_engine(url, name="tests", pool_size=1)
    await migrate.upgrade(engine)
    await engine.dispose()


@pytest.fixture
async def own(own_server, replica, tmp_path):
    """A rig on the server that may be stopped."""
    engine = create_engine(own_server.url, name="tests own")
    folder = tmp_path / "data"
    folder.mkdir()
    yield Rig(Database(engine, deadline_seconds=20), own_server.url, replica, folder)
    async with engine.begin() as conn:
        await conn.execute(text(TRUNCATE))
        await conn.execute(text(RESET_PACE))
    await engine.dispose()


def postmaster(server):
    return int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def everybody(server):
    """The server's processes, the backends last."""
    parent = psutil.Process(postmaster(server))
    return [parent, *parent.children(recursive=True)]


ENDED = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name LIKE 'arxiv-ingestion%'"
)
PROBLEM = "application/problem+json"
AWAY = {"GET": "/api/v1/ingestion/jobs", "POST": "/api/v1/ingestion/arxiv"}
BODY = {"search_query": {"category": "cs.AI"}}


async def refused_in_time(client, url, job_id):
    """Each kind of request is answered as documented, within three seconds and a busy machine's."""
    status = f"/api/v1/ingestion/job/{job_id}"
    wanted = [("GET", status, 500), ("GET", AWAY["GET"], 503), ("POST", AWAY["POST"], 503)]
    for method, path, code in wanted:
        body = BODY if method == "POST" else None
        async with asyncio.timeout(5):
            answer = client.request(method, url + path, headers=headers(), json=body)
            async with answer as response:
                assert (response.status, response.content_type) == (code, PROBLEM)
                assert int(response.headers["Retry-After"]) > 0
    assert await answered(client, f"{url}/healthz") == 200


async def back(client, url, job_id, seconds=15):
    """Return once the status is answered again: five seconds, and a busy machine's."""
    path = f"{url}/api/v1/ingestion/job/{job_id}"
    async with asyncio.timeout(seconds):
        while await status_of(client.get(path, headers=headers())) != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


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


@pytest.mark.parametrize("cut", ["before the commit", "after the commit"])
async def test_case_84_a_link_cut_at_the_commit_and_the_same_key_is_one_job(serve, link, sql, cut):
    engine = create_engine(link.url, name="tests link")
    api = await serve(database=Database(engine, deadline_seconds=1))
    key = {"Idempotency-Key": "once"}
    assert (await api.get("/api/v1/ingestion/jobs")).status == 200
    written = [(1 if cut == "after the commit" else 0,)]
    link.cut_at_commit(arrives=cut == "after the commit")

    lost = await api.post("/api/v1/ingestion/arxiv", json=BODY, headers=key)
    async with asyncio.timeout(10):  # the server hears of the COMMIT, or of the end, by itself
        while await sql("SELECT count(*) FROM jobs") != written:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    link.mend()
    again = await api.post("/api/v1/ingestion/arxiv", json=BODY, headers=key)
    await engine.dispose()

    assert lost.status == 503
    assert again.status == 202
    assert await sql("SELECT count(*) FROM jobs") == [(1,)]
    assert await sql("SELECT count(*) FROM pgqueuer") == [(1,)]


async def test_case_82_two_hundred_reads_over_two_connections_are_never_a_500(
    serve, database_url, sql
):
    engine = create_engine(database_url, name="tests small", pool_size=2)
    api = await serve(database=Database(engine, deadline_seconds=2.5))
    await sql("INSERT INTO jobs DEFAULT VALUES")

    answers = await asyncio.gather(*(api.get(AWAY["GET"]) for _ in range(200)))

    assert {response.status for response in answers} <= {200, 503}
    await engine.dispose()


async def test_case_83_no_transaction_is_open_while_a_pdf_is_waited_for(rig):
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 1, "seconds": 60}])
    job_id = await rig.submit()
    async with rig.process():
        await rig.replica.wait_until_held(timeout=30)
        await rig.until(job_id, lambda job: job.pdfs_processed >= 5)
        open_ones = await rig.rows(
            "SELECT application_name, query FROM pg_stat_activity"
            " WHERE application_name LIKE 'arxiv-ingestion%'"
            " AND xact_start < now() - interval '5 s'"
        )
        rig.replica.release()
        await rig.final(job_id)

    assert open_ones == []


async def test_case_86_no_connection_keeps_a_lock_after_a_request(api, sql):
    await api.post(AWAY["POST"], json=BODY, headers={"Idempotency-Key": "k"})
    await api.get(AWAY["GET"])

    held = await sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")

    assert held == [(0,)]


CLAIMERS = 20
QUEUED = 1000


async def test_case_87_twenty_claimers_share_a_queue_with_a_long_past(database, sql, database_url):
    """The past lies in other tables; what is claimed is locked, so nobody claims it twice."""
    await sql(
        "INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)"
        " SELECT n, 'successful', 'pdf', 0 FROM generate_series(1, 100000) n"
    )
    job_id = uuid4()
    new = [Task(kind="pdf", job_id=job_id, key=str(n), payload={}) for n in range(QUEUED)]
    async with database.transaction() as conn:
        await enqueue(conn, new)
    pool = await asyncpg.create_pool(libpq_url(database_url), min_size=5, max_size=CLAIMERS)
    async with pool:
        claims = await asyncio.gather(*(claimed(pool) for _ in range(CLAIMERS)))

    ids = [number for mine, _ in claims for number in mine]
    seconds = sorted(took for _, times in claims for took in times)
    print(f"claims: {len(seconds)}, p99 {1000 * seconds[int(0.99 * len(seconds))]:.1f} ms")
    assert len(ids) == len(set(ids)) == QUEUED


async def claimed(pool):
    """Numbers of the tasks that one claimer got, and the seconds of each claim."""
    queries, numbers, times = Queries(AsyncpgPoolDriver(pool)), [], []
    kinds = {"pdf": EntrypointExecutionParameter(concurrency_limit=0)}
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        rows = await queries.dequeue(10, kinds, uuid4(), None, timedelta(seconds=60))
        times.append(clock() - began)
        if not rows:
            return numbers, times
        numbers += [row.id for row in rows]


@needs_pgbouncer
async def test_case_85_those_who_wait_are_served_through_a_pooler(serve, rig, tools, sql):
    job = "123e4567-e89b-12d3-a456-426614174000"
    url = f"/api/v1/ingestion/job/{job}"
    await sql(f"INSERT INTO jobs (id, status) VALUES ('{job}', 'running')")
    async with pgbouncer(rig.url, tools.free_port()) as pooler:
        engine = create_engine(pooler, name="tests pooled")
        api = await serve(database=Database(engine, deadline_seconds=5))
        async with api.get(f"{url}/events") as stream:
            asked = asyncio.create_task(api.get(url, headers={"Prefer": "wait=50"}))
            await begun(api, 2)

            await sql("UPDATE jobs SET status = 'cancelled'")

            assert (await (await asked).json())["status"] == "cancelled"
            assert "cancelled" in await stream.text()
        await api.close()
        await engine.dispose()
