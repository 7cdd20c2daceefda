"""What is done to the fleet, and when: a pure function of the seed.

Each kind of disturbance has a clock of its own, so that changing the rate of
one leaves the others as they were.
"""

import heapq
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.soak.outages import OUTAGES
from tests.soak.plan import Plan, Range

API_FAULTS = (
    {"kind": "503", "retry_after": "1"},
    {"kind": "429", "retry_after": "1"},
    {"kind": "503"},
    {"kind": "500"},
    {"kind": "reset"},
    {"kind": "empty"},
    {"kind": "truncate"},
)
PDF_FAULTS = (
    {"kind": "503", "retry_after": "1"},
    {"kind": "429", "retry_after": "1"},
    {"kind": "500"},
    {"kind": "reset"},
    {"kind": "truncate"},
)


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One disturbance, `at` seconds after the start of the run.

    `replica` is the one that is meant; when it is down, the next that is up is taken.
    `down` is how long a killed replica, the database, or what an outage takes away stays
    unavailable; `what` is what an outage takes away.
    """

    at: float
    kind: str
    replica: int = 0
    down: float = 0.0
    what: str = ""
    fault: dict[str, Any] = field(default_factory=dict, compare=False)


def schedule(plan: Plan) -> Iterator[Event]:
    """All disturbances of a run in the order of time, without end."""
    clocks = {
        "kill": plan.kill_every,
        "stop": plan.stop_every,
        "restart database": plan.restart_every,
        "terminate backends": plan.terminate_every,
        "api fault": plan.api_fault_every,
        "pdf fault": plan.fault_every,
        "outage": plan.outage_every,
    }
    return heapq.merge(*(_clock(plan, kind, every) for kind, every in clocks.items()))


def _clock(plan: Plan, kind: str, every: Range) -> Iterator[Event]:
    chance = random.Random(f"{plan.seed} {kind}")
    away = plan.outage_seconds if kind == "outage" else (0.0, 2.0)
    taken_away = itertools.cycle(chance.sample(list(OUTAGES), len(OUTAGES)))
    at = 0.0
    while True:
        at += chance.uniform(*every)
        replica = chance.randrange(plan.replicas)
        down = chance.uniform(*away)
        fault: dict[str, Any] = {}
        if kind == "api fault":
            fault = {"lane": "api", **chance.choice(API_FAULTS)}
        elif kind == "pdf fault":
            fault = {"lane": "pdf", **chance.choice(PDF_FAULTS)}
        what = next(taken_away) if kind == "outage" else ""
        yield Event(round(at, 3), kind, replica, round(down, 3), what, fault)
