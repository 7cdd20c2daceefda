"""What a row of `jobs` is read as: a job with its latest errors, in one query."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Uuid,
    bindparam,
    case,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from service.domain.job import Job, JobError, JobStatus, Priority, Stage
from service.storage.tables import job_errors, jobs

SHOWN_ERRORS = 100  # the status contract: the latest 100

_ERROR_COLUMNS = ("occurred_at", "stage", "error", "code", "arxiv_id", "attempt")
# Looked up, not called: an enum's call costs more than all the rest of a job.
_STATUSES = {str(status): status for status in JobStatus}
_PRIORITIES = {str(priority): priority for priority in Priority}
_JOB_COLUMNS = [jobs.c[name] for name in Job._fields if name != "errors"]


def job_rows() -> Select[Any]:
    """Jobs with their latest errors as one JSON array, oldest first."""
    latest = (
        select(job_errors)
        .where(job_errors.c.job_id == jobs.c.id)
        .order_by(job_errors.c.occurred_at.desc(), job_errors.c.id.desc())
        .limit(SHOWN_ERRORS)
        .correlate(jobs)
        .subquery("latest")
    )
    parts: list[ColumnElement[Any]] = []
    for name in _ERROR_COLUMNS:
        parts += (literal_column(f"'{name}'"), latest.c[name])
    one = func.jsonb_build_object(*parts)
    collected = (
        select(func.jsonb_agg(aggregate_order_by(one, latest.c.occurred_at, latest.c.id)))
        .correlate(jobs)
        .scalar_subquery()
    )
    # the subquery is not run for the many jobs without errors
    errors = case((jobs.c.errors_total > 0, collected)).label("latest_errors")
    return select(*_JOB_COLUMNS, errors)


@cache
def jobs_by_ids() -> Select[Any]:
    """The jobs whose ids are in the parameter `ids`.

    Made once: on the hot path, making it costs more than asking.
    """
    return job_rows().where(jobs.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid))))


def to_job(row: Sequence[Any]) -> Job:
    """The job of a row that `job_rows` selected."""
    job_id, status, priority, *others, errors = row
    shown = tuple(map(_to_error, errors or ()))
    return Job._make((job_id, _STATUSES[status], _PRIORITIES[priority], *others, shown))


def _to_error(document: Mapping[str, Any]) -> JobError:
    return JobError(
        stage=Stage(document["stage"]),
        message=document["error"],
        code=document["code"],
        occurred_at=datetime.fromisoformat(document["occurred_at"]),
        arxiv_id=document["arxiv_id"],
        attempt=document["attempt"],
    )
