"""The tasks a job consists of, and in which order the fleet takes them.

The priority of a task falls along its job: the k-th paper of every job comes
before the (k+1)-th of any, so that jobs of the same urgency take turns and a
large one does not hold up a small one.
"""

from uuid import UUID

from service.domain.checkpoint import Checkpoint
from service.domain.jobs import Priority
from service.worker.task import Task

HARVEST = "harvest"
PDF = "pdf"

_STEP = 10_000_000  # positions within one level; three levels fit into an int4
_LEVEL = {Priority.LOW: 0, Priority.NORMAL: _STEP, Priority.HIGH: 2 * _STEP}

# The lowest and the highest priority number of tasks of each urgency.
LEVELS = {level: (_LEVEL[level], _LEVEL[level] + _STEP - 1) for level in reversed(Priority)}


def harvest_task(
    job_id: UUID, priority: Priority, cursor: Checkpoint | None, *, position: int
) -> Task:
    """The next page of a job that has brought in `position` papers.

    Taking over the papers of another job comes before the first page, under its own key.
    The task is for this page only: who runs it late, finds the job at another and leaves it.
    Without a cursor it is for any page.
    """
    return Task(
        kind=HARVEST,
        job_id=job_id,
        key="any" if cursor is None else _key(cursor),
        payload={"page": {} if cursor is None else cursor.page},
        priority=_ranked(priority, position),
    )


def _key(cursor: Checkpoint) -> str:
    return "retry" if cursor.is_taking_over else f"{cursor.offset}.{cursor.empty_pages}"


def pdf_task(
    job_id: UUID, priority: Priority, arxiv_id: str, *, position: int, again: bool
) -> Task:
    """The PDF of the paper that is number `position` of its job; `again`: even if we hold it."""
    return Task(
        kind=PDF,
        job_id=job_id,
        key=arxiv_id,
        payload={"paper": arxiv_id, "again": again},
        priority=_ranked(priority, position),
    )


def _ranked(priority: Priority, position: int) -> int:
    return _LEVEL[priority] + _STEP - 1 - min(position, _STEP - 1)
