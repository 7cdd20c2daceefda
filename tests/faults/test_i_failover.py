"""Group I of the fault list, a standby that is promoted while everything is in use."""

import asyncio
import tempfile
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from uuid import UUID

import aiohttp
import psutil
import pytest

from service.db.engine import Database, create_engine
from tests.faults.processes import answered, headers, until_ready
from tests.faults.servers import AWAY, BODY, migrated
from tests.faults.standby import replicated
from tests.faults.test_i_outages import all_goes_on, lines_of_the_outage
from tests.jobs.conftest import Rig

HELD = {"kind": "hold", "lane": "pdf", "seconds": 120, "times": 20}
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def pair():
    with tempfile.TemporaryDirectory() as folder, replicated(Path(folder)) as pair:
        yield pair


@pytest.fixture
async def on_the_pair(pair, replica, tmp_path):
    """A rig whose database are two servers."""
    await migrated(pair.url)
    database = Database(create_engine(pair.url, name="tests pair"), deadline_seconds=20)
    yield Rig(database, pair.url, pair.url, replica, tmp_path)
    await database.engine.dispose()


@pytest.mark.slow_faults
@pytest.mark.parametrize("end", ["killed", "frozen"])
async def test_all_goes_on_from_a_promoted_standby_and_nothing_is_lost(
    on_the_pair, pair, tools, end
):
    """The primary is killed, or it stays and does not answer, as a host without a network."""
    rig = on_the_pair
    rig.replica.script([HELD])
    jobs = [await rig.submit() for _ in range(3)]
    port = tools.free_port()
    url = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        for command in ("serve", "worker"):
            await stack.enter_async_context(rig.process(command, PORT=str(port), LEASE_SECONDS="3"))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        await until_ready(client, url)
        await rig.replica.wait_until_held(timeout=90)
        accepted, stop, is_over = [], asyncio.Event(), asyncio.Event()
        posting = asyncio.create_task(post_on(client, url, accepted, stop))
        following = asyncio.create_task(follow_changes(client, url, is_over))
        await until_accepted(accepted, 5)

        stack.enter_context(ended_of(pair.primary, end))
        await asyncio.sleep(5)  # the time until somebody decides
        await asyncio.to_thread(pair.promote)
        rig.direct = pair.standby.url  # asyncpg by itself would wait for a frozen host
        await until_accepted(accepted, len(accepted) + 5)
        stop.set()
        await posting

        await rig.database.engine.dispose()
        await all_goes_on(rig, [*jobs, *accepted])
        is_over.set()
        told, after = await following
        told += await changes_behind(client, after)
        assert await answered(client, f"{url}/readyz") == 200
    begun, _, ended = lines_of_the_outage(rig)
    assert (len(begun), len(ended)) == (1, 1)
    written = await rig.rows("SELECT arxiv_id, version, kind FROM paper_changes")
    assert sorted(told) == sorted(map(tuple, written))  # each once, none missed
    await rig.assert_sound()


@contextmanager
def ended_of(server, how):
    """The primary is not there for the block."""
    if how == "killed":
        server.stop()
        yield
        return
    parent = psutil.Process(int((server.folder / "postmaster.pid").read_text().splitlines()[0]))
    everybody = [parent, *parent.children(recursive=True)]
    for process in everybody:
        process.suspend()
    try:
        yield
    finally:
        for process in everybody:
            process.resume()


async def until_accepted(accepted, count):
    """Return once so many jobs were acknowledged."""
    async with asyncio.timeout(60):
        while len(accepted) < count:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def post_on(client, url, accepted, stop):
    """Submit jobs, one after the other; the ids of those that were acknowledged."""
    body = {**BODY, "max_papers": 1, "process_pdfs": False}
    while not stop.is_set():
        with suppress(aiohttp.ClientError, TimeoutError):
            async with client.post(url + AWAY["POST"], headers=headers(), json=body) as answer:
                assert answer.status in (202, 503)
                if answer.status == 202:
                    accepted.append(UUID((await answer.json())["job_id"]))
        await asyncio.sleep(0.3)


async def follow_changes(client, url, is_over):
    """What the change feed tells from its beginning on until `is_over`, and the URL behind it."""
    told, after = [], f"{url}/api/v1/papers/changes?limit=7"
    while not is_over.is_set():
        with suppress(aiohttp.ClientError, TimeoutError):
            page, after = await changes_at(client, after)
            told += page
        await asyncio.sleep(0.1)
    return told, after


async def changes_behind(client, url):
    """What the feed tells from there on to its end."""
    told = []
    while True:
        page, url = await changes_at(client, url)
        told += page
        if not page:
            return told


async def changes_at(client, url):
    """One page of the feed, and the URL of the next; nothing, and the same, while it fails."""
    async with client.get(url, headers=headers()) as answer:
        if answer.status != 200:
            assert answer.status in (500, 503)
            return [], url
        page = await answer.json()
        return (
            [(one["arxiv_id"], one["version"], one["kind"]) for one in page],
            str(answer.links["next"]["url"]),
        )
