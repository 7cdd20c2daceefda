"""Who may read when: a PDF that kills its worker is found, bad luck with restarts is not blamed."""

import asyncio
from datetime import timedelta

import pytest

from service.domain.errors import Quarantined, Suspected
from service.extraction.quarantine import MAX_UNFINISHED_READS, SUSPECT_READS, Readers

CALM = timedelta(seconds=60)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_the_third_unfinished_read_is_the_last():
    with pytest.raises(Quarantined):
        Readers(2, calm=timedelta(0)).check(MAX_UNFINISHED_READS)


@pytest.mark.parametrize("unfinished", range(SUSPECT_READS))
def test_one_unfinished_read_is_nothing_to_wait_for(unfinished):
    Readers(2, calm=CALM).check(unfinished)


def test_a_suspect_waits_until_its_worker_has_lived_for_a_while():
    clock = Clock()
    readers = Readers(2, calm=CALM, clock=clock)
    clock.now += 20

    with pytest.raises(Suspected) as caught:
        readers.check(SUSPECT_READS)
    clock.now += 40
    readers.check(SUSPECT_READS)

    assert caught.value.delay == timedelta(seconds=40)


async def read(readers, unfinished, *, reading, most, go_on):
    async with readers.turn(unfinished):
        reading.append(unfinished)
        most.append(list(reading))
        await go_on.wait()
        reading.remove(unfinished)


async def test_a_suspect_is_read_by_itself_and_two_do_not_block_each_other():
    readers, reading, most, go_on = Readers(2, calm=CALM), [], [], asyncio.Event()
    go_on.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for unfinished in (0, SUSPECT_READS, 1, SUSPECT_READS, 0):
            group.create_task(read(readers, unfinished, reading=reading, most=most, go_on=go_on))

    assert len(most) == 5
    assert all(together == [SUSPECT_READS] for together in most if SUSPECT_READS in together)


async def test_as_many_are_read_at_once_as_there_are_processes():
    readers, reading, most, go_on = Readers(2, calm=CALM), [], [], asyncio.Event()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(read(readers, 0, reading=reading, most=most, go_on=go_on))
        while len(most) < 2:  # noqa: ASYNC110 - until they had their turn
            await asyncio.sleep(0)
        go_on.set()

    assert max(len(together) for together in most) == 2


async def test_a_suspect_that_is_cancelled_while_it_waits_gives_back_what_it_took():
    readers, go_on = Readers(2, calm=CALM), asyncio.Event()
    holder = asyncio.create_task(read(readers, 0, reading=[], most=[], go_on=go_on))
    await asyncio.sleep(0)
    suspect = asyncio.create_task(read(readers, SUSPECT_READS, reading=[], most=[], go_on=go_on))
    await asyncio.sleep(0)
    suspect.cancel()
    await asyncio.wait({suspect})
    go_on.set()
    await holder

    async with asyncio.timeout(60), readers.turn(SUSPECT_READS):
        pass


async def test_two_suspects_that_come_while_all_places_are_taken_both_get_their_turn():
    """Each would get one of the two places as they come free, and wait for the other's for ever."""
    readers, reading, most, go_on = Readers(2, calm=CALM), [], [], asyncio.Event()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for unfinished in (0, 0, SUSPECT_READS, SUSPECT_READS):
            group.create_task(read(readers, unfinished, reading=reading, most=most, go_on=go_on))
        for _ in range(10):  # all have come to where they wait
            await asyncio.sleep(0)
        assert reading == [0, 0]
        go_on.set()

    assert [together for together in most if SUSPECT_READS in together] == [[SUSPECT_READS]] * 2
