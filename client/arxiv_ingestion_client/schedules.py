"""Calls about schedules: create, get, list, change, delete."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from arxiv_ingestion_client.calls import Calls
from arxiv_ingestion_client.reports import ScheduleDocument
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
        self, name: str, cron: str, request: Mapping[str, Any], *, paused: bool = False
    ) -> ScheduleDocument:
        """A new schedule; ProblemError with status 409 if there is one of that name."""
        body = {"name": name, "cron": cron, "request": request, "paused": paused}
        found: ScheduleDocument = (await self._ask("POST", "schedules", body=body)).document()
        return found

    async def change_schedule(self, schedule_id: UUID | str, **changes: object) -> ScheduleDocument:
        """The schedule with `changes` made: `paused`, `cron`, `name`, `request`."""
        path = _schedule_path(schedule_id)
        found: ScheduleDocument = (await self._ask("PATCH", path, body=changes)).document()
        return found

    async def remove_schedule(self, schedule_id: UUID | str) -> str:
        """Remove a schedule; what the service said. Its jobs stay."""
        ask = Ask(method="DELETE", path=_schedule_path(schedule_id), is_repeatable=False)
        return str((await self._transport.answer(ask)).document().get("message", ""))


def _schedule_path(schedule_id: UUID | str) -> str:
    return f"schedules/{quote(str(schedule_id), safe='')}"
