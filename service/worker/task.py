"""Tasks and kinds of task."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from service.domain.outcomes import Outcome

PRIORITY_LEVEL = 10_000_000  # priority numbers that stay together, whatever moves within them
PUT_OFF = 1_000  # places that a task falls behind, within its level, each time it is put off


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit of work. Among waiting tasks `key` is unique; a second one is not queued.

    `priority`: higher runs first, among equals the one queued first. `version` of the
    payload: workers that do not know it leave the task to others.
    """

    kind: str
    job_id: UUID
    key: str
    payload: Mapping[str, Any]
    priority: int = 0
    delay: timedelta | None = None
    version: int = 1


Handler = Callable[[UUID, Mapping[str, Any]], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one kind of task is called, what runs it, and how many at once in this process.

    `fleet_concurrency` bounds how many are taken at once by all processes together, and
    has to be the same in each (0: no bound). What a dead process had counts until its lease
    lapses. `versions` are those of the payload that the handler knows; other tasks are left
    to other workers. The handler may be cancelled at any await, and must not raise otherwise.
    `is_for_jobs`: its tasks belong to jobs, and are of no use when theirs has ended.
    """

    name: str
    handler: Handler
    concurrency: int
    fleet_concurrency: int = 0
    versions: Sequence[int] = (1,)
    is_for_jobs: bool = True
