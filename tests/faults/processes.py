"""Service processes, and how a client sees them: for the cases that stop and disturb them."""

import asyncio
import json
from contextlib import asynccontextmanager
from time import time
from typing import Any

import aiohttp
import jwt

SECRET = "a secret of the test suite, long enough"
STANDING = """
    INSERT INTO jobs (status, is_harvested, pdfs_pending) VALUES ('running', true, 1) RETURNING id
"""  # a job of which there is nothing to do


def headers():
    token = jwt.encode({"sub": "tests", "exp": int(time()) + 600}, SECRET, algorithm="HS256")
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def serving(rig, tools, **changes):
    """A service process that is ready: the process, its URL and a client."""
    port = tools.free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        rig.process("serve", PORT=str(port), **changes) as process,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as client,
    ):
        await until_ready(client, url)
        yield process, url, client


async def until_ready(client, url, seconds=100, *, status=200):
    """Return when the process says so; of an earlier state it may speak for half a second."""
    async with asyncio.timeout(seconds):
        while await answered(client, f"{url}/readyz") != status:  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.05)


async def until_not_ready(client, url):
    await until_ready(client, url, 60, status=503)


async def answered(client, url):
    """The status of an answer; None where nobody listens."""
    try:
        async with client.get(url) as answer:
            return answer.status
    except aiohttp.ClientConnectionError:
        return None


async def status_of(request):
    async with request as answer:
        await answer.read()
        return answer.status


async def said(rig, event, command="serve", seconds=60):
    """Return when a process has logged `event`."""
    log = rig.folder / f"{command}.log"
    async with asyncio.timeout(seconds):
        while f'"event": "{event}"' not in log.read_text():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def until_logged(rig, event, command="worker", seconds=90):
    """The first line of a process that is `event`, once it is there."""
    await said(rig, event, command, seconds)
    for line in (rig.folder / f"{command}.log").read_text().splitlines():
        if f'"event": "{event}"' in line:
            return json.loads(line)
    raise AssertionError(event)


async def ended(process, seconds=80):
    """The exit code of a process that was told to stop."""
    async with asyncio.timeout(seconds):
        return await process.wait()


async def until(rig, sql, *, seconds=90):
    """Return the rows of `sql` once there are some; only the database can tell."""
    async with asyncio.timeout(seconds):
        while not (found := await rig.rows(sql)):
            await rig.rows("SELECT pg_sleep(0.02)")
    return found


async def until_somebody_waits(rig):
    """Return once a session of the database waits for a lock."""
    async with asyncio.timeout(60):
        while not await rig.rows("SELECT pg_sleep(0.02) FROM pg_locks WHERE NOT granted LIMIT 1"):
            pass


@asynccontextmanager
async def file_without_row(rig):
    """The block runs while a PDF that the stand-in held has its name and its row must wait."""
    await rig.replica.wait_until_held(timeout=90)
    async with rig.database.transaction() as conn:
        await conn.exec_driver_sql("LOCK TABLE papers IN SHARE MODE")
        rig.replica.release()
        await until_somebody_waits(rig)
        yield


_known: dict[str, Any] = {}


async def undisturbed(rig, **request):
    """What the job brings about when nothing happens; the database is empty again after.

    It is run once in a process of the suite: every stand-in holds the same papers.
    """
    key = repr(sorted(request.items()))
    if key not in _known:
        async with rig.worker():
            job_id = await rig.submit(**request)
            await rig.final(job_id)
            _known[key] = await rig.result(job_id)
        await rig.forget()
    return _known[key]
