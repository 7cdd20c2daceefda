"""Calls about schedules: create, get, list, change, run, delete."""

import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from arxiv_ingestion_client.answers import report_of
from arxiv_ingestion_client.calls import Calls
from arxiv_ingestion_client.reports import JobReport, ScheduleDocument
from arxiv_ingestion_client.transport import Ask


class ScheduleCalls(Calls):
    """Recurring harvests."""

    async def schedules(self) -> list[ScheduleDocument]:
        """All schedules, by name."""
        return [one async for one in self._pages("schedules?limit=200")]

    async def schedule(self, schedule_id: UUID | str) -> ScheduleDocument:
        """A schedule; ProblemError with status 404 if there is none."""
        found: ScheduleDocument = (await self._ask("GET", _schedule_path(schedule_id))).document()
        return found

    async def add_schedule(
        self,
        name: str,
        cron: str,
        request: Mapping[str, Any],
        *,
        timezone: str = "UTC",
        paused: bool = False,
    ) -> ScheduleDocument:
        """A new schedule, `cron` by the clocks of the IANA `timezone`.

        Dates of `request` may be words: `last_success`, `yesterday`, `today-7d`.
        ProblemError with status 409 if there is one of that name.
        """
        own = {"cron": cron, "timezone": timezone}
        body = {"name": name, **own, "request": request, "paused": paused}
        found: ScheduleDocument = (await self._ask("POST", "schedules", body=body)).document()
        return found

    async def change_schedule(self, schedule_id: UUID | str, **changes: object) -> ScheduleDocument:
        """The schedule with `changes` made: `paused`, `cron`, `timezone`, `name`, `request`."""
        path = _schedule_path(schedule_id)
        found: ScheduleDocument = (await self._ask("PATCH", path, body=changes)).document()
        return found

    async def run_schedule(
        self, schedule_id: UUID | str, *, idempotency_key: str | None = None
    ) -> str:
        """Run a schedule now; the id of the job. ProblemError: 409 while its last job runs.

        The same key names the same run; without one a key is made up for this call.
        """
        headers = {
            "Idempotency-Key": str(uuid.uuid4()) if idempotency_key is None else idempotency_key
        }
        ask = Ask(method="POST", path=f"{_schedule_path(schedule_id)}/run", headers=headers)
        return str((await self._transport.answer(ask)).document()["job_id"])

    async def schedule_jobs(self, schedule_id: UUID | str) -> AsyncGenerator[JobReport, None]:
        """The jobs that a schedule has created, newest first, page by page."""
        async for one in self._pages(f"{_schedule_path(schedule_id)}/jobs?limit=200"):
            yield report_of(one, etag=None)

    async def remove_schedule(self, schedule_id: UUID | str) -> str:
        """Remove a schedule; what the service said. Its jobs stay."""
        ask = Ask(method="DELETE", path=_schedule_path(schedule_id), is_repeatable=False)
        return str((await self._transport.answer(ask)).document().get("message", ""))


def _schedule_path(schedule_id: UUID | str) -> str:
    return f"schedules/{quote(str(schedule_id), safe='')}"
