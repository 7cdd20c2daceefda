"""Group E of the fault list: a process at rest holds no more than it did before (invariant I7)."""

import asyncio
from dataclasses import dataclass

import psutil
import pytest

from service.domain.jobs import Criteria, JobStatus
from tests.faults.processes import headers, serving, status_of
from tests.faults.servers import ENDED

PAPERS = 40
ROUNDS = 3
MORE = 1.1  # files and memory are back to their baseline ±10 %
FAULTS = [
    {"kind": "503", "lane": "api", "retry_after": "0"},
    {"kind": "truncate", "lane": "api", "number": 3},
    {"kind": "reset", "lane": "pdf", "number": 2},
    {"kind": "truncate", "lane": "pdf", "number": 5},
    {"kind": "500", "lane": "pdf", "number": 9},
    {"kind": "404", "lane": "pdf", "number": 12},
]


@dataclass(frozen=True)
class Held:
    """What a process and its children hold: open files and sockets, bytes of memory, children."""

    files: int
    memory: int
    children: int


def held_by(process) -> Held:
    """What is held now."""
    parent = psutil.Process(process.pid)
    children = parent.children(recursive=True)
    memory = sum(one.memory_info().rss for one in [parent, *children])
    return Held(parent.num_fds(), memory, len(children))


async def work(rig, client, url) -> None:
    """One job from its beginning to its end, looked at by many callers meanwhile."""
    job_id = await rig.submit(criteria=Criteria(category="cs.AI", page_size=10), max_papers=PAPERS)
    path = f"{url}/api/v1/ingestion/job/{job_id}"
    looks = [
        asyncio.create_task(status_of(client.get(path, headers={**headers(), "Prefer": "wait=5"})))
        for _ in range(50)
    ]
    assert (await rig.final(job_id, seconds=120)).status is JobStatus.COMPLETED
    assert set(await asyncio.gather(*looks)) <= {200, 500}


@pytest.mark.slow_faults
async def test_files_and_memory_are_back_to_their_baseline_after_work_and_faults(rig, tools):
    async with serving(rig, tools) as (process, url, client):
        await work(rig, client, url)  # what is made once, and kept, is made
        before = held_by(process)
        for _ in range(ROUNDS):
            await rig.forget()
            rig.replica.script(FAULTS)
            ((ended,),) = await rig.rows(ENDED)
            await work(rig, client, url)
            assert ended > 0
        after = held_by(process)

    assert after.files <= before.files * MORE
    assert after.memory <= before.memory * MORE
    assert after.children <= before.children
