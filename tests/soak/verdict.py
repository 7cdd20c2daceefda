"""What a disturbed run comes to: everything that is wrong, and the figures."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from service.devtools.stand_in.log import pace_of
from tests.soak import invariants
from tests.soak.callers import Callers
from tests.soak.fleet import Fleet
from tests.soak.plan import Plan
from tests.soak.results import Result, differences, results
from tests.soak.takeover import percentile, takeovers

LATE_SECONDS = 5.0  # after the lease: 20 s at the default one, the longest that most should take


@dataclass(slots=True)
class Verdict:
    """Reached when the fleet has come to rest; it is stopped on the way."""

    plan: Plan
    fleet: Fleet
    callers: Callers
    continued: list[float]
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    async def reach(self, connection: asyncpg.Connection, gold: dict[str, Result]) -> None:
        """Look at tables, files, the stand-in's log; then stop it, and at what is left."""
        self.wrong += self.callers.complaints
        await self._look_at_rows(connection, gold)
        await self._look_at_requests(connection)
        self.wrong += await self.fleet.end()
        self.wrong += [f"I7 left behind: {one}" for one in self.fleet.processes_left()]
        documents = [str(row) for row in await connection.fetch("TABLE jobs")]
        documents += [str(row) for row in await connection.fetch("TABLE job_errors")]
        self.wrong += invariants.secrets(self.fleet.folder, self.callers.token, documents)
        await self._look_at_takeovers(connection)
        self.figures |= {
            "jobs acknowledged": len(self.callers.acknowledged),
            "status looked at": self.callers.looks,
            "of these refused while away": self.callers.refusals,
            "slowest status (s)": round(self.callers.slowest_seconds, 2),
        }

    async def _look_at_rows(self, connection: asyncpg.Connection, gold: dict[str, Result]) -> None:
        lost = await invariants.acknowledged_jobs(connection, self.callers.acknowledged)
        twice = await invariants.rows_at_rest(connection)
        found = await results(connection, self.fleet.folder)
        different = differences(gold, found)
        self.wrong += [*lost, *twice, *different, *invariants.files(found, self.fleet.folder)]
        self.figures |= {
            "acknowledged jobs lost": len(lost),
            "duplicates": sum(line.startswith("I3") for line in twice),
            "differences from the undisturbed run": len(different),
        }

    async def _look_at_requests(self, connection: asyncpg.Connection) -> None:
        asked = await self.fleet.stand_in.requests()
        for request in asked:
            request["wall"] = datetime.fromisoformat(request["started_at"]).timestamp()
        api = [request for request in asked if request["lane"] == "api"]
        calm = invariants.not_just_continued(api, self.continued)
        again = await invariants.pages_asked_again(connection, calm, self.plan.page_size)
        self.wrong += [*invariants.pace(calm, self.plan.api_interval), *again]
        proved = pace_of(api)
        self.figures |= {
            "API requests": proved.requests,
            "right after SIGCONT": len(api) - len(calm),
            "API interval asked for (s)": self.plan.api_interval,
            "smallest API gap (s)": proved.smallest_gap and round(proved.smallest_gap, 3),
            "most API requests open": proved.most_open,
            "committed pages asked again": len(again),
            "PDF requests": sum(request["lane"] == "pdf" for request in asked),
        }

    async def _look_at_takeovers(self, connection: asyncpg.Connection) -> None:
        taken = await takeovers(connection, self.fleet.ended)
        self.wrong += [f"never taken over: {task}" for task in taken.never]
        every = [seconds for kind in taken.seconds.values() for seconds in kind]
        late = self.plan.lease + LATE_SECONDS
        self.figures |= {
            "takeovers": len(every),
            f"takeovers after more than {late:g} s": sum(seconds > late for seconds in every),
        }
        for kind, seconds in sorted(taken.seconds.items()):
            shares = {"p50": 0.5, "p99": 0.99, "longest": 1.0}
            figures = [f"{name} {percentile(seconds, n):.2f} s" for name, n in shares.items()]
            self.figures[f"takeovers of {kind} tasks"] = ", ".join([str(len(seconds)), *figures])
