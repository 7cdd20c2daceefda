"""Stopping, probes, settings, and what a caller sees of our insides: cases 90 to 98."""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import aiohttp
import asyncpg
import pytest
from sqlalchemy import make_url

from service.domain.job import JobStatus
from service.storage.embedded import psql_binary
from service.storage.engine import Database, create_engine, libpq_url
from tests.faults.processes import answered, headers, said, serving, status_of, until_ready
from tests.ingest.conftest import Rig

READS_PER_SECOND = 200
STANDING = """
    INSERT INTO jobs (status, is_harvested, pdfs_pending) VALUES ('running', true, 1) RETURNING id
"""  # a job of which there is nothing to do


async def ended(process, seconds=40):
    async with asyncio.timeout(seconds):
        return await process.wait()


async def test_case_90_idle_it_ends_without_waiting_for_a_balancer(rig, tools):
    async with serving(rig, tools, DRAIN_DELAY_SECONDS="600", DRAIN_SECONDS="1200") as service:
        process, _, _ = service

        process.send_signal(signal.SIGTERM)

        assert await ended(process) == 0  # in a second; the delay would be ten minutes


async def test_case_90_a_request_in_flight_is_answered(rig, tools):
    async with serving(rig, tools, DRAIN_SECONDS="30") as (process, url, client):
        async with rig.database.engine.begin() as conn:
            await conn.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            await conn.exec_driver_sql("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            path = f"{url}/api/v1/ingestion/jobs"
            reading = asyncio.create_task(status_of(client.get(path, headers=headers())))
            await until_somebody_waits(rig)
            process.send_signal(signal.SIGTERM)
            await said(rig, "draining")

        assert await reading == 200
        assert await ended(process) == 0


async def until_somebody_waits(rig):
    async with asyncio.timeout(20):
        while not await rig.rows("SELECT pg_sleep(0.02) FROM pg_locks WHERE NOT granted LIMIT 1"):
            pass


async def test_case_90_those_who_wait_do_not_hold_it_up(rig, tools):
    ((job,),) = await rig.rows(STANDING)
    async with serving(rig, tools, DRAIN_SECONDS="1200") as (process, url, client):
        path = f"{url}/api/v1/ingestion/job/{job}"
        asks = {**headers(), "Prefer": "wait=60"}
        async with client.get(f"{path}/events", headers=headers(), timeout=None) as stream:
            await stream.content.readuntil(b"\r\n\r\n")
            polling = asyncio.create_task(status_of(client.get(path, headers=asks, timeout=None)))
            assert await status_of(client.get(path, headers=headers())) == 200

            process.send_signal(signal.SIGTERM)

            assert await polling == 200
            await stream.read()
            assert await ended(process) == 0


async def test_case_90_a_second_signal_changes_nothing_and_arxiv_may_hang(rig, tools):
    rig.replica.script([{"kind": "hold", "lane": "api", "seconds": 60}])
    async with serving(rig, tools, DRAIN_SECONDS="3") as (process, _, _):
        job_id = await rig.submit()
        await rig.replica.wait_until_held(timeout=30)

        process.send_signal(signal.SIGTERM)
        await said(rig, "draining")
        process.send_signal(signal.SIGTERM)

        assert await ended(process) == 0
    rig.replica.release()
    waiting = await rig.rows("SELECT status::text, execute_after <= now() FROM pgqueuer")
    assert [tuple(row) for row in waiting] == [("queued", True)]
    async with rig.worker():
        assert (await rig.final(job_id)).status is JobStatus.COMPLETED


async def test_case_91_probed_it_listens_until_the_balancer_has_noticed(rig, tools):
    changes = {"DRAIN_DELAY_SECONDS": "3", "DRAIN_SECONDS": "20"}
    async with serving(rig, tools, **changes) as (process, url, client):
        probed_for = asyncio.get_running_loop().time() + 1.1
        while asyncio.get_running_loop().time() < probed_for:
            assert await answered(client, f"{url}/readyz") == 200
            await asyncio.sleep(0.1)  # a balancer's interval
        process.send_signal(signal.SIGTERM)
        await said(rig, "draining")

        async with client.get(f"{url}/readyz") as not_ready:
            assert not_ready.status == 503
            assert (await not_ready.json(content_type=None))["detail"] == "Not ready: stopping"
        async with client.get(f"{url}/api/v1/ingestion/jobs", headers=headers()) as still:
            assert still.status == 200
            assert still.headers["Connection"] == "close"

        assert await ended(process) == 0
        assert await answered(client, f"{url}/healthz") is None


@pytest.mark.slow_faults
@pytest.mark.timeout(240)
async def test_case_91_a_rolling_restart_loses_no_request(rig, tools):
    changes = {"DRAIN_DELAY_SECONDS": "3", "DRAIN_SECONDS": "20", "LOG_LEVEL": "WARNING"}
    ports = [tools.free_port() for _ in range(3)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        unlimited = aiohttp.TCPConnector(limit=0)
        sender = await stack.enter_async_context(aiohttp.ClientSession(connector=unlimited))
        job_id = await rig.submit(process_pdfs=False)
        replicas = [
            await stack.enter_async_context(rig.process("serve", PORT=str(port), **changes))
            for port in ports
        ]
        for url in urls:
            await until_ready(client, url)
        balancer = Balancer(sender, urls, path=f"/api/v1/ingestion/job/{job_id}")
        load = asyncio.create_task(balancer.run())

        for number, port in enumerate(ports):
            replicas[number].send_signal(signal.SIGTERM)
            assert await ended(replicas[number]) == 0
            again = rig.process("serve", PORT=str(port), **changes)
            replicas[number] = await stack.enter_async_context(again)
            await until_ready(client, urls[number])
            await balancer.until_used(urls[number])
        balancer.stopping.set()
        await load

    print(dict(balancer.outcomes), dict(balancer.answered_by))
    assert set(balancer.outcomes) == {200}


class Balancer:
    """Sends requests at a steady rate to replicas whose last probe said ready; repeats none."""

    def __init__(self, client, urls, *, path):
        self.outcomes = Counter()
        self.answered_by = Counter()
        self.stopping = asyncio.Event()
        self._client = client
        self._path = path
        self._headers = headers()
        self._ready = dict.fromkeys(urls, True)

    async def run(self):
        async with asyncio.TaskGroup() as group:
            for url in self._ready:
                group.create_task(self._probe(url))
            clock = asyncio.get_running_loop().time
            began = clock()
            for number in itertools.count():
                await asyncio.sleep(max(0, began + number / READS_PER_SECOND - clock()))
                if self.stopping.is_set():
                    return
                # Where none said ready last, as on a machine too busy for its probes: anyone.
                ready = [url for url, is_ready in self._ready.items() if is_ready]
                candidates = ready or list(self._ready)
                group.create_task(self._send(candidates[number % len(candidates)]))

    async def until_used(self, url, seconds=60):
        """Return when `url` has answered once more."""
        before = self.answered_by[url]
        async with asyncio.timeout(seconds):
            while self.answered_by[url] <= before:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _probe(self, url):
        while not self.stopping.is_set():
            self._ready[url] = await answered(self._client, f"{url}/readyz") == 200
            await asyncio.sleep(0.2)

    async def _send(self, url):
        try:
            outcome = await status_of(self._client.get(url + self._path, headers=self._headers))
        except (aiohttp.ClientError, TimeoutError) as err:
            outcome = type(err).__name__
        self.outcomes[outcome] += 1
        self.answered_by[url] += 1


def has_namespaces():
    tried = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False)
    return tried.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace needs root")
async def test_case_92_the_first_process_takes_orphans_in_and_passes_signals_on(rig):
    """As in a container: `sh` leaves an orphan behind, and the service must bury it."""
    if not await asyncio.to_thread(has_namespaces):
        pytest.skip("no process namespaces here")
    code = (
        "import os, subprocess, time\n"
        "from service import first\n"
        "first.step_aside()\n"
        "subprocess.run(['/bin/sh', '-c', 'sleep 0.1 &'], check=True)\n"
        "until = time.monotonic() + 20\n"
        "def others():\n"
        "    return set(p for p in os.listdir('/proc') if p.isdigit()) - {'1', str(os.getpid())}\n"
        "while others() and time.monotonic() < until: time.sleep(0.05)\n"
        "print('left', sorted(others()), flush=True)\n"
        "os.kill(1, 15); time.sleep(20)\n"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=rig.environment()
    )

    out, _ = await asyncio.wait_for(process.communicate(), 60)

    assert out.decode().strip() == "left []"
    assert process.returncode == 128 + signal.SIGTERM


async def test_case_93_liveness_stands_when_all_else_is_broken(rig, tools):
    port = tools.free_port()
    url = f"http://127.0.0.1:{port}"
    nowhere = "postgresql://user:hunter2@127.0.0.1:1/secretdb"
    changes = {"DATABASE_URL": nowhere, "ARXIV_API_URL": "http://127.0.0.1:1/api/query"}
    async with (
        rig.process("serve", PORT=str(port), **changes) as process,
        aiohttp.ClientSession() as client,
    ):
        async with asyncio.timeout(60):
            while await answered(client, f"{url}/healthz") != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with client.get(f"{url}/healthz") as alive, client.get(f"{url}/readyz") as ready:
            texts = [await alive.text(), await ready.text()]

        assert (alive.status, ready.status) == (200, 503)
        assert process.returncode is None
    for text in texts:
        assert not any(word in text for word in ("hunter2", "secretdb", "127.0.0.1", "asyncpg"))
        assert "version" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("JWT_SECRET", "sh0rt-s3cret"), ("DATABASE_URL", "mysql://u:hunter2@h/d"), ("PORT", "x9y")],
)
async def test_case_94_a_wrong_setting_ends_the_start_by_name(rig, name, value):
    async with rig.process("serve", **{name: value}) as process:
        assert await ended(process) != 0

    log = (rig.folder / "serve.log").read_text()
    assert name in log
    assert value not in log


INSIDES = ("SELECT", "UPDATE", "[SQL", "hunter2", "secretdb", "asyncpg", "127.0.0.1", "Traceback")


@pytest.mark.parametrize("path", [f"job/{UUID(int=7)}", "jobs", "papers"])
async def test_case_95_a_database_fault_is_a_safe_sentence(serve, path):
    nowhere = "postgresql://user:hunter2@127.0.0.1:1/secretdb"
    away = create_engine(nowhere, name="tests away")
    api = await serve(database=Database(away, deadline_seconds=2.5))

    root = "/api/v1" if path == "papers" else "/api/v1/ingestion"
    answer = await api.get(f"{root}/{path}")

    text = await answer.text()
    assert answer.status == (500 if path.startswith("job/") else 503)
    assert answer.content_type == "application/problem+json"
    assert not any(word in text for word in INSIDES)
    await away.dispose()


TITLE = "<script>alert(1)</script> =cmd()"


async def test_case_96_a_hostile_title_is_returned_as_it_is_and_as_json(api, sql):
    await sql(
        "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
        " primary_category, published_at, updated_at) VALUES ('2301.00001', 1, :title, '',"
        " '{}', '{cs.AI}', 'cs.AI', now(), now())",
        title=TITLE,
    )

    answer = await api.get("/api/v1/papers/2301.00001")

    assert answer.content_type == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await answer.json())["title"] == TITLE


async def test_case_98_a_dump_taken_in_mid_run_starts_elsewhere_and_completes(rig, tmp_path):
    """pg_dump while papers come in, then the files: restored, it ends as if nothing had been."""
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 4, "seconds": 60}])
    job_id = await rig.submit()
    async with rig.process():
        await rig.replica.wait_until_held(timeout=30)
        dump = await asyncio.to_thread(run_postgres, "pg_dump", "-d", libpq_url(rig.url))
        shutil.copytree(rig.folder / "files", tmp_path / "elsewhere" / "files")
    rig.replica.release()
    async with restored(rig, dump, tmp_path / "elsewhere") as elsewhere:
        assert (await elsewhere.job(job_id)).status is JobStatus.RUNNING

        async with elsewhere.process():
            job = await elsewhere.final(job_id)

        assert job.status is JobStatus.COMPLETED
        assert job.pdfs_processed == 10
        await elsewhere.assert_sound()


@asynccontextmanager
async def restored(rig, dump, folder):
    """The rig over another database, made from `dump`, and another folder."""
    await administer(rig, "CREATE DATABASE elsewhere")
    url = make_url(rig.url).set(database="elsewhere").render_as_string(hide_password=False)
    await asyncio.to_thread(run_postgres, "psql", "-q", "-d", libpq_url(url), text=dump)
    engine = create_engine(url, name="tests elsewhere")
    try:
        yield Rig(Database(engine, deadline_seconds=20), url, rig.replica, folder)
    finally:
        await engine.dispose()
        await administer(rig, "DROP DATABASE elsewhere WITH (FORCE)")


async def administer(rig, statement):
    connection = await asyncpg.connect(libpq_url(rig.url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def run_postgres(program, *arguments, text=None):
    """The output of one of PostgreSQL's programs, those of the embedded server."""
    command = [psql_binary().with_name(program), *arguments]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
