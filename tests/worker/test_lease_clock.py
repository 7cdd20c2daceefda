"""A lease counts from the question: an answer that was long on its way has used some of it up."""

import asyncio
from datetime import timedelta
from typing import cast

from pgqueuer.domain.types import JobId, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.driver import Driver
from pgqueuer.ports.repository import EntrypointExecutionParameter

from service.worker import leases
from service.worker.connections import RetryingDriver
from service.worker.queries import NOBODY, RetryingQueries, builders
from tests.db.test_lock_order import until_waiting
from tests.worker.conftest import tasks

LOCKED = "LOCK TABLE pgqueuer IN ACCESS EXCLUSIVE MODE"


def asking(database) -> tuple[leases.Leases, RetryingQueries]:
    """What a worker asks its queue with."""
    runs = leases.Leases(timedelta(seconds=15))
    driver = RetryingDriver(database, asyncio.Event(), set())
    return runs, RetryingQueries(
        cast(Driver, driver), runs=runs, on_claim=lambda _: None, **builders(runs=runs)
    )


async def held_up(database, question) -> tuple[object, float]:
    """What `question` returns when the table comes free, and when (loop time) it was asked."""
    async with database.transaction() as conn:
        await conn.exec_driver_sql(LOCKED)
        asked = asyncio.create_task(question())
        await until_waiting(conn, 1)
        asked_before = asyncio.get_running_loop().time()
    async with asyncio.timeout(60):
        return await asked, asked_before


async def test_a_renewal_counts_from_the_moment_that_it_was_asked_for(
    database, queue_database, queue, job_id
):
    runs, asker = asking(queue_database)
    runs.claimed([1], at=asyncio.get_running_loop().time())

    _, asked_before = await held_up(database, lambda: asker.update_heartbeat([JobId(1)]))

    assert runs._held_since[1] <= asked_before


async def test_a_claim_counts_from_the_moment_that_it_was_asked_for(
    database, queue_database, queue, job_id
):
    runs, asker = asking(queue_database)
    await queue(tasks(job_id, range(1)))

    claimed, asked_before = await held_up(database, lambda: claim(asker))

    (number,) = runs.claimed_numbers()
    assert [row.id for row in claimed] == [number]
    assert runs._held_since[number] <= asked_before


async def claim(asker: RetryingQueries):
    """Claim as PgQueuer's manager does."""
    every = EntrypointExecutionParameter(concurrency_limit=0)
    return await asker.dequeue(
        batch_size=10,
        entrypoints={QueueEntrypoint("test"): every},
        queue_manager_id=QueueManagerId(NOBODY),
        global_concurrency_limit=10,
        heartbeat_timeout=timedelta(seconds=15),
    )
