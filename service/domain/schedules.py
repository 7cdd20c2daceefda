"""Schedules: a recurring ingestion as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One row of `schedules`; `now` is the moment it was read, by the database's clock.

    `request` is as callers see it: its dates may be words (`moving_dates`). `next_run_at`
    is None while it is paused, and until a worker has computed it. `missed_at` is the first
    moment that was left out because the last job was unfinished.
    """

    id: UUID
    name: str
    cron: str
    timezone: str
    request: Mapping[str, Any]
    is_paused: bool
    created_by: str | None
    created_at: datetime
    next_run_at: datetime | None
    missed_at: datetime | None
    last_run_at: datetime | None
    last_job_id: UUID | None
    now: datetime
