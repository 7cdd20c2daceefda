"""Job rows: a job with its latest errors as one JSON text, in one query.

PostgreSQL puts all that a job is into one JSON array, so that reading it anew costs
one value, whether it is then looked at (`to_job`) or only found to be as it was.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NewType
from uuid import UUID

import orjson
from sqlalchemy import (
    Select,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from service.db.tables import job_errors, jobs
from service.domain.channels import WaitReason
from service.domain.jobs import Job, JobError, JobStatus, Priority, Stage

MAX_DIGITS = 18  # always fit into 64 bits
SHOWN_ERRORS = 100  # the status contract: the latest 100

# A job with its latest errors as it is stored: what `to_job` takes apart. Two that are
# equal stand for the same state, moments, request and errors included.
JobState = NewType("JobState", str)

_ERROR_COLUMNS = ("occurred_at", "stage", "error", "code", "arxiv_id", "attempt", "line")
_JOB_COLUMNS = [jobs.c[name] for name in Job._fields if name != "errors"]

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # out of range, in a row that was written before that was refused
        return _FIRST if text.startswith("-") or text.endswith("BC") else _LAST


# What JSON has no type for. Enums are looked up, not called: a call costs more than a job's rest.
_READ: Mapping[str, Callable[[Any], Any]] = {
    "id": UUID,
    "status": {str(status): status for status in JobStatus}.__getitem__,
    "priority": {str(priority): priority for priority in Priority}.__getitem__,
    "retry_of": UUID,
    "created_at": _moment,
    "taken_up_at": _moment,
    "started_at": _moment,
    "completed_at": _moment,
    "updated_at": _moment,
    "waiting_for": {str(reason): reason for reason in WaitReason}.__getitem__,
    "waiting_since": _moment,
    "schedule_id": UUID,
}
_READ_AT = [(Job._fields.index(name), read) for name, read in _READ.items()]


def job_rows() -> Select[Any]:
    """Jobs by their `id`, each with its `state`, in which the errors are newest first.

    Constants stand in the text, so that the only parameters are the caller's.
    """
    latest = (
        select(func.json_build_array(*(job_errors.c[name] for name in _ERROR_COLUMNS)))
        .where(job_errors.c.job_id == jobs.c.id)
        .order_by(job_errors.c.occurred_at.desc(), job_errors.c.id.desc())
        .limit(literal_column(f"{SHOWN_ERRORS:d}"))
        .correlate(jobs)
        .scalar_subquery()
    )
    # the subquery is not run for the many jobs without errors, and an array of it costs
    # less than an aggregate
    collected = func.array_to_json(func.array(latest))
    errors = case((jobs.c.errors_total > literal_column("0"), collected))
    state = cast(func.json_build_array(*_JOB_COLUMNS, errors), Text)
    return select(jobs.c.id, state.label("state"))


@cache
def jobs_by_ids() -> Select[Any]:
    """The jobs whose ids are in the parameter `ids`.

    Made once: on the hot path, making it costs more than asking.
    """
    return job_rows().where(jobs.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))))


def to_job(state: JobState) -> Job:
    """The job of a state that `job_rows` selected."""
    *values, errors = _loaded(state)
    for position, read in _READ_AT:
        if values[position] is not None:
            values[position] = read(values[position])
    return Job._make((*values, tuple(map(_to_error, reversed(errors or ())))))


def _loaded(state: JobState) -> list[Any]:
    """The values of a state; numbers beyond a float's range, which jsonb takes, are infinite."""
    try:
        values: list[Any] = orjson.loads(state)
    except orjson.JSONDecodeError:
        values = json.loads(state, parse_int=_number)
    return values


def _number(digits: str) -> int | float:
    """An integer that can be rendered; a float, infinite in the end, beyond 18 digits."""
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _to_error(values: Sequence[Any]) -> JobError:
    occurred_at, stage, error, code, arxiv_id, attempt, line = values
    return JobError(
        stage=Stage(stage),
        message=error,
        code=code,
        occurred_at=_moment(occurred_at),
        arxiv_id=arxiv_id,
        attempt=attempt,
        line=line,
    )
