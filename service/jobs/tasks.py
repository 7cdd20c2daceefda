"""Tasks of a job and their priority in the queue.

The priority of a task falls along its job: the k-th paper of every job comes
before the (k+1)-th of any, so that jobs of the same urgency take turns and a
large one does not hold up a small one.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from service.domain.jobs import Priority
from service.worker.task import PRIORITY_LEVEL, PUT_OFF, Task

HARVEST = "harvest"
PDF = "pdf"
HTML = "html"
WEBHOOK = "webhook"

HARVEST_VERSION = 2
HARVEST_VERSIONS = (1, HARVEST_VERSION)  # 1: of checkpoints without a source, see sources.legacy

_STEP = PRIORITY_LEVEL  # positions within one level; three levels fit into an int4
_LEVEL = {Priority.LOW: 0, Priority.NORMAL: _STEP, Priority.HIGH: 2 * _STEP}

# The lowest and the highest priority number of tasks of each urgency.
LEVELS = {level: (_LEVEL[level], _LEVEL[level] + _STEP - 1) for level in reversed(Priority)}


def harvest_task(
    job_id: UUID,
    priority: Priority,
    number: int | None,
    *,
    position: int,
    delay: timedelta | None = None,
    repeats: int = 0,
) -> Task:
    """The next step of a job that has met `position` papers, not before `delay` has passed.

    It is for the step of this `number` only (`Checkpoint.task`): who runs it late, finds
    the job at another and leaves it. Without a number it is for any step.
    """
    return Task(
        kind=HARVEST,
        job_id=job_id,
        key="any" if number is None else str(number),
        payload={"page": {} if number is None else {"task": number}},
        priority=ranked(priority, position, repeats=repeats),
        delay=delay,
        version=HARVEST_VERSION,
    )


def pdf_task(
    job_id: UUID,
    priority: Priority,
    arxiv_id: str,
    *,
    position: int,
    again: bool,
    is_local: bool = False,
) -> Task:
    """The PDF of the paper that is number `position` of its job.

    `again`: even if we hold it; `is_local`: only if we do.
    """
    return Task(
        kind=PDF,
        job_id=job_id,
        key=arxiv_id,
        payload=_of_file(arxiv_id, again=again, is_local=is_local),
        priority=ranked(priority, position),
    )


def html_task(
    job_id: UUID,
    priority: Priority,
    arxiv_id: str,
    *,
    position: int,
    again: bool,
    is_local: bool = False,
) -> Task:
    """The HTML of that paper, likewise; its rank among those that wait for arXiv goes along."""
    rank = ranked(priority, position)
    return Task(
        kind=HTML,
        job_id=job_id,
        key=arxiv_id,
        payload={**_of_file(arxiv_id, again=again, is_local=is_local), "rank": rank},
        priority=rank,
    )


def _of_file(arxiv_id: str, *, again: bool, is_local: bool) -> dict[str, Any]:
    """The payload of a task for a file; as before there were local ones where it is none."""
    local = {"local": True} if is_local else {}
    return {"paper": arxiv_id, "again": again, **local}


def webhook_task(delivery_id: UUID, *, delay: timedelta | None = None) -> Task:
    """One attempt to deliver a webhook, not before `delay` has passed.

    It belongs to its row of `webhook_deliveries` and not to the job, which has ended. As
    the trigger `jobs_call_back` writes it.
    """
    return Task(kind=WEBHOOK, job_id=delivery_id, key="", payload={}, delay=delay)


def ranked(priority: Priority, position: int, *, repeats: int = 0) -> int:
    """The priority number of the task at `position` of its job, the higher the sooner.

    One that was put off `repeats` times comes behind the first tasks of other jobs of its
    level, but not behind all the papers of a large one.
    """
    position += repeats * PUT_OFF
    return _LEVEL[priority] + _STEP - 1 - min(position, _STEP - 1)
