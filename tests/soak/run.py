"""One soak: the undisturbed run, the disturbed one, and the comparison.

undisturbed → disturb while jobs run → let it rest → stop in order → check
"""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg

from tests.soak import takeover
from tests.soak.callers import Callers
from tests.soak.fleet import Fleet, Server, running_server
from tests.soak.outages import OUTAGES, every_place_held
from tests.soak.plan import Plan
from tests.soak.results import Result, results
from tests.soak.schedule import Event, schedule
from tests.soak.stand_in import running_stand_in
from tests.soak.verdict import Verdict
from tests.soak.work import requests

UP_SECONDS = 180  # that a disturbance waits for a replica to be up
SUBMITTERS = 8
QUIET_SECONDS = 120  # for the queue to be empty once all jobs are finished
POLL_SECONDS = 2.0
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@dataclass(slots=True)
class Report:
    """What a run found."""

    seed: int
    seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


async def soak(plan: Plan, folder: Path) -> Report:
    """Run the plan under `folder`; whatever is wrong is in the report."""
    report = Report(plan.seed)
    async with running_server(folder / "database") as server:
        gold = await undisturbed(plan, folder / "gold", server)
        began = time.monotonic()
        async with fleet(plan, folder / "soak", server, "soak") as running:
            await Soak(plan, running, report).run(gold)
        report.seconds = time.monotonic() - began
    return report


async def undisturbed(plan: Plan, folder: Path, server: Server) -> dict[str, Result]:
    """What the same jobs bring about when nothing happens; kept in `plan.gold` if that is set."""
    if plan.gold is not None and plan.gold.exists():
        kept: dict[str, Result] = json.loads(plan.gold.read_text())
        if _sizes(kept) == [plan.papers] * plan.jobs:
            return kept
    quick = replace(plan, replicas=1, minutes=plan.total_papers / 6000)
    async with fleet(quick, folder, server, "gold") as running:
        callers = Callers(running)
        await _submit_all(callers, plan)
        async with server.session("gold") as connection:
            await _until_final(connection, plan, seconds=300 + plan.total_papers)
            found = await results(connection, folder)
        await running.end()
    if plan.gold is not None:
        plan.gold.write_text(json.dumps(found))
    return found


@asynccontextmanager
async def fleet(plan: Plan, folder: Path, server: Server, database: str) -> AsyncIterator[Fleet]:
    """Replicas at work on a database of their own."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    await server.prepare(database)
    async with running_stand_in(plan, folder) as stand_in:
        running = Fleet(plan, folder, server, database, stand_in)
        try:
            await running.begin()
            yield running
        finally:
            await running.end()


@dataclass(slots=True)
class Soak:
    """The disturbed run."""

    plan: Plan
    fleet: Fleet
    report: Report
    continued: list[float] = field(default_factory=list)
    _down: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, gold: dict[str, Result]) -> None:
        """Disturb until the time, the kills or the work are over; then check."""
        async with self.fleet.server.session("soak") as connection:
            await connection.execute(takeover.TRIGGER)
        callers = Callers(self.fleet)
        looking = asyncio.create_task(callers.look(self.plan.seed))
        submitting = asyncio.create_task(
            _submit_all(callers, self.plan, every=self.plan.submit_every)
        )
        disturbing = asyncio.create_task(self._disturb())
        finishing = asyncio.create_task(self._all_final())
        await asyncio.wait({disturbing, finishing}, return_when=asyncio.FIRST_COMPLETED)
        await _ended(disturbing)
        await self._settle()
        await submitting
        await finishing
        await _ended(looking)
        verdict = Verdict(self.plan, self.fleet, callers, self.continued)
        async with self.fleet.server.session("soak") as connection:
            await _queue_empty(connection)
            await asyncio.sleep(2 * self.plan.lease + POLL_SECONDS)  # for partial files to go
            await verdict.reach(connection, gold)
        self.report.wrong += verdict.wrong
        self.report.figures = verdict.figures

    async def _disturb(self) -> None:
        began, waited = time.monotonic(), 0.0
        for event in schedule(self.plan):
            if event.at > self.plan.minutes * 60 or self.report.done["kill"] == self.plan.kills:
                return
            await asyncio.sleep(max(0.0, began + waited + event.at - time.monotonic()))
            before = time.monotonic()
            await self._do(event)
            if event.kind in ("kill", "stop", "outage"):
                waited += time.monotonic() - before  # the schedule waits, as where nobody was up

    async def _do(self, event: Event) -> None:
        match event.kind:
            case "kill" | "stop":
                replica = await self.fleet.any_ready(event.replica, seconds=UP_SECONDS)
                if replica is None:
                    self.report.wrong.append(f"no replica was up for {UP_SECONDS} s")
                    return
                act = self._kill if event.kind == "kill" else self._stop
                await act(replica, event.down)
            case "restart database":
                self._beside(self.fleet.server.restart(event.down), "database")
            case "outage":
                await self._outage(event)
                return
            case "terminate backends":
                self._beside(self._terminate(), "backends")
            case _:
                if not await self.fleet.stand_in.fault(event.fault, standing=self.plan.bombs):
                    return
        self.report.done[event.kind] += 1

    async def _outage(self, event: Event) -> None:
        """Take something away for longer than a lease, while every PDF place holds a task."""
        await self._settle()
        async with every_place_held(self.fleet) as is_full:
            async with OUTAGES[event.what](self.fleet):
                await asyncio.sleep(event.down)
            self.report.done[f"outage: {event.what}"] += 1
            self.report.done["outages with every PDF place taken"] += is_full

    async def _kill(self, replica: Any, down: float) -> None:
        await self.fleet.kill(replica)

        async def again() -> None:
            await asyncio.sleep(down)
            await self.fleet.start(replica)

        self._beside(again(), replica.name)

    async def _stop(self, replica: Any, _: float) -> None:
        replica.is_ready, replica.is_stopped = False, True
        replica.signal(signal.SIGSTOP)

        async def go_on() -> None:
            await asyncio.sleep(2 * self.plan.lease)
            self.continued.append(time.monotonic())
            replica.is_stopped = False
            replica.signal(signal.SIGCONT)
            async with self.fleet.up:
                replica.is_ready = True
                self.fleet.up.notify_all()

        self._beside(go_on(), replica.name)

    async def _terminate(self) -> None:
        with suppress(*LOST):  # in a restart
            async with self.fleet.server.session("postgres") as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = 'soak' AND pid <> pg_backend_pid()"
                )

    def _beside(self, work: Any, name: str) -> None:
        """Do it while the schedule goes on; one restart of the database at a time."""
        if name == "database" and any(task.get_name() == name for task in self._down):
            work.close()
            return
        task = asyncio.create_task(work, name=name)
        self._down.add(task)
        task.add_done_callback(self._down.discard)

    async def _settle(self) -> None:
        """Everything is up again, and no replica is stopped."""
        while self._down:
            await asyncio.wait(set(self._down))
        async with asyncio.timeout(UP_SECONDS), self.fleet.up:
            await self.fleet.up.wait_for(lambda: all(r.is_ready for r in self.fleet.replicas))

    async def _all_final(self) -> None:
        while True:
            try:
                async with self.fleet.server.session("soak") as connection:
                    await _until_final(connection, self.plan, seconds=self.plan.minutes * 240 + 600)
            except LOST:
                await asyncio.sleep(1)
            else:
                return


async def _submit_all(callers: Callers, plan: Plan, *, every: float = 0.0) -> None:
    """Submit the jobs, one each `every` seconds, and a few at once where that takes longer."""
    places = asyncio.Semaphore(SUBMITTERS)

    async def submit(number: int, body: dict[str, Any]) -> None:
        async with places:
            await callers.submit(number, body)

    async with asyncio.TaskGroup() as group:
        for number, body in enumerate(requests(plan)):
            group.create_task(submit(number, body))
            await asyncio.sleep(every)


async def _until_final(connection: asyncpg.Connection, plan: Plan, *, seconds: float) -> None:
    """Return when all jobs of the plan are there and final."""
    sql = "SELECT count(*) FROM jobs WHERE status IN ('completed', 'failed', 'cancelled')"
    async with asyncio.timeout(seconds):
        while await connection.fetchval(sql) < plan.jobs:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def _queue_empty(connection: asyncpg.Connection) -> None:
    """Return when no task is left, or when it should have been so."""
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            while await connection.fetchval("SELECT count(*) FROM pgqueuer"):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        pass  # the invariants say so


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancel `task` and return when it has ended; raises what it failed with."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def _sizes(kept: dict[str, Result]) -> list[int]:
    return [len(result["papers"]) for result in kept.values()]
