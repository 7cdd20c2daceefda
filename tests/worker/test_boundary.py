"""What comes of a run: every way it can end, as an outcome that was recorded first."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from service.domain.channels import WaitReason
from service.domain.errors import (
    BadPdf,
    ChannelClosed,
    DatabaseUnavailable,
    NotPdf,
    StorageUnavailable,
    Unavailable,
    UpstreamFaulty,
)
from service.domain.outcomes import Fail, Retry, Snooze, Succeed
from service.worker.runner import DATABASE_DELAY, MAX_CRASHES, run_work


@dataclass
class Try:
    number: int = 1
    crashes: int = 0


@dataclass
class Errand:
    """Work that ends as it is told, and keeps what it was told of its end."""

    error: BaseException | None = None
    attempt: Try | None = field(default_factory=Try)
    max_attempts: int = 3
    conclusions: list = field(default_factory=list)
    ran: bool = False
    lost_writes: int = 0
    begin_error: Exception | None = None
    blocks: bool = False
    at_work: asyncio.Event = field(default_factory=asyncio.Event)
    concluding: asyncio.Event = field(default_factory=asyncio.Event)
    may_conclude: asyncio.Event | None = None

    async def begin(self):
        if self.begin_error is not None:
            raise self.begin_error
        return self.attempt

    async def run(self, _):
        self.ran = True
        self.at_work.set()
        if self.blocks:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    async def conclude(self, _, outcome, error):
        self.concluding.set()
        if self.may_conclude is not None:
            await self.may_conclude.wait()
        if self.lost_writes:
            self.lost_writes -= 1
            raise DatabaseUnavailable("the database is not available")
        self.conclusions.append((outcome, error))


async def outcome_of(errand):
    return await run_work(errand, jitter=lambda: 0.0)


ENDS = [
    (None, 1, Succeed()),
    (UpstreamFaulty("cut short"), 1, Retry(timedelta(seconds=1))),
    (UpstreamFaulty("cut short"), 2, Retry(timedelta(seconds=2))),
    (UpstreamFaulty("cut"), 3, Fail("upstream_faulty", "gave up after 3 attempts: cut")),
    (NotPdf("html"), 2, Retry(timedelta(seconds=2))),
    (
        ChannelClosed(WaitReason.ARXIV_PAUSED, timedelta(seconds=7)),
        99,
        Snooze(timedelta(seconds=7), WaitReason.ARXIV_PAUSED),
    ),
    (DatabaseUnavailable("away"), 99, Snooze(timedelta(seconds=2))),
    (
        StorageUnavailable("full"),
        99,
        Snooze(timedelta(seconds=2), WaitReason.STORAGE_UNAVAILABLE),
    ),
    (Unavailable("gone"), 1, Fail("unavailable", "gone")),
    (BadPdf("odd", code="encrypted"), 1, Fail("encrypted", "odd")),
    (ZeroDivisionError("secret"), 1, Retry(timedelta(seconds=1))),
    (ZeroDivisionError("secret"), 3, Fail("internal", "gave up after 3 attempts: internal error")),
]


@pytest.mark.parametrize(
    ("error", "number", "outcome"),
    [pytest.param(*row, id=f"{type(row[0]).__name__} {row[1]}") for row in ENDS],
)
async def test_every_end_is_an_outcome_that_was_recorded(error, number, outcome):
    errand = Errand(error, Try(number))

    assert await outcome_of(errand) == outcome
    assert errand.conclusions == [(outcome, error)]


async def test_nothing_to_do_is_a_success():
    errand = Errand(attempt=None)

    assert await outcome_of(errand) == Succeed()
    assert (errand.ran, errand.conclusions) == (False, [])


async def test_a_database_that_is_away_at_the_start_is_waited_for():
    errand = Errand(begin_error=DatabaseUnavailable("away"))

    assert await outcome_of(errand) == Snooze(DATABASE_DELAY)
    assert (errand.ran, errand.conclusions) == (False, [])


async def test_an_item_whose_workers_died_is_quarantined_without_being_run():
    errand = Errand(attempt=Try(crashes=MAX_CRASHES))

    outcome = await outcome_of(errand)

    assert isinstance(outcome, Fail)
    assert outcome.code == "quarantined"
    assert not errand.ran


async def test_one_crash_fewer_is_run():
    errand = Errand(attempt=Try(crashes=MAX_CRASHES - 1))

    assert await outcome_of(errand) == Succeed()
    assert errand.ran


async def test_an_outcome_that_could_not_be_recorded_is_recorded_again():
    errand = Errand(lost_writes=2)

    assert await outcome_of(errand) == Succeed()
    assert errand.conclusions == [(Succeed(), None)]


async def test_a_cancelled_run_gives_its_start_back_and_stays_cancelled():
    errand = Errand(blocks=True)
    run = asyncio.create_task(outcome_of(errand))
    await errand.at_work.wait()

    run.cancel()
    await asyncio.wait({run}, timeout=30)

    assert run.cancelled()
    assert errand.conclusions == [(Snooze(timedelta(0)), None)]


async def test_a_run_that_is_cancelled_twice_gives_its_start_back_all_the_same():
    """Once by the drain, once by the end of the process, while the first still writes."""
    errand = Errand(blocks=True, may_conclude=asyncio.Event())
    run = asyncio.create_task(outcome_of(errand))
    await errand.at_work.wait()
    run.cancel()
    async with asyncio.timeout(60):
        await errand.concluding.wait()
    run.cancel()
    await asyncio.wait({run}, timeout=20)
    assert run.cancelled()

    errand.may_conclude.set()
    (giving_back,) = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait({giving_back}, timeout=20)

    assert errand.conclusions == [(Snooze(timedelta(0)), None)]
