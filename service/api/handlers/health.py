"""Health probes: liveness and readiness, without a token."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web

from service.api.handlers.jobs import json_response
from service.api.job_status import to_iso8601
from service.api.middlewares.errors import problem
from service.api.openapi.operation import OPERATIONS_TAG, describe, json_answer
from service.api.schemas.job_status import ProbeSchema, ReadinessSchema
from service.auth.blocklist import Blocklist
from service.auth.jwks import KeySet
from service.db.engine import Database
from service.db.health import health_of
from service.domain.channels import ChannelState, WaitReason
from service.domain.errors import DatabaseUnavailable, StorageUnavailable
from service.files.store import PdfStore

CHECK_DEADLINE = timedelta(seconds=2.5)
ARXIV_WARNINGS = (
    WaitReason.ARXIV_UNAVAILABLE,
    WaitReason.ARXIV_COOLDOWN,
    WaitReason.ARXIV_PAUSED,
)
KEPT = timedelta(seconds=0.5)  # a probe needs no token, and must not cost more by being repeated


@dataclass(slots=True)
class Readiness:
    """What the service needs to be of use, checked on request.

    All who ask within `kept` after a check, or while it is under way, share it.
    """

    database: Database
    store: PdfStore
    callers: Blocklist
    published_keys: KeySet | None = None
    is_stopping: bool = False
    kept: timedelta = KEPT
    _warnings: dict[str, datetime] = field(default_factory=dict)
    _look: asyncio.Task[list[str]] | None = None
    _good_until: float = 0.0  # loop time, of a check that is over

    async def missing(self) -> list[str]:
        """What is not in order: `stopping` alone, or some of what `_missing_now` finds."""
        if self.is_stopping:
            return ["stopping"]
        loop = asyncio.get_running_loop()
        if self._look is None or (self._look.done() and loop.time() >= self._good_until):
            self._look = loop.create_task(self._missing_now(), name="readiness")
        found = await asyncio.shield(self._look)
        return ["stopping"] if self.is_stopping else found

    def warnings(self) -> list[dict[str, str | None]]:
        """What is out of order, though requests can be served: codes, and since when.

        As of the check before; after `missing`.
        """
        return [
            {"code": code, "since": to_iso8601(since)} for code, since in self._warnings.items()
        ]

    async def close(self) -> None:
        """Let a check that is under way end."""
        if self._look is not None:
            await asyncio.wait({self._look})

    async def _missing_now(self) -> list[str]:
        """Some of `database`, `schema`, `callers`, `storage`, `keys`."""
        try:
            found = await asyncio.gather(self._database(), self.storage())
        finally:
            self._good_until = asyncio.get_running_loop().time() + self.kept.total_seconds()
        return [name for name in (*found, self._keys()) if name is not None]

    def _keys(self) -> str | None:
        return None if self.published_keys is None or self.published_keys.is_ready else "keys"

    async def _database(self) -> str | None:
        try:
            async with self.database.transaction() as conn:
                found = await health_of(conn)
        except DatabaseUnavailable:
            return "database"
        if not found.is_current:
            return "schema"
        self._warn("database_read_only", since=None, holds=found.is_read_only)
        self._warn("no_worker", since=found.last_heartbeat, holds=not found.workers)
        self._warn_of_arxiv(found.channels)
        return None if self.callers.are_known else "callers"

    def _warn_of_arxiv(self, channels: Sequence[ChannelState]) -> None:
        """Warn of each reason for which a channel is closed, since the first that is."""
        for reason in ARXIV_WARNINGS:
            closed = [one.since for one in channels if one.wait is reason and one.since]
            self._warnings.pop(reason, None)  # another channel may have begun it
            self._warn(reason, since=min(closed, default=None), holds=bool(closed))

    def _warn(self, code: str, *, since: datetime | None, holds: bool) -> None:
        if holds:
            self._warnings.setdefault(code, since or datetime.now(UTC))
        else:
            self._warnings.pop(code, None)

    async def storage(self) -> str | None:
        """`storage` if nothing can be written there, else None."""
        try:
            async with asyncio.timeout(CHECK_DEADLINE.total_seconds()):
                await self.store.check_writable()
        except (StorageUnavailable, TimeoutError):
            return "storage"
        return None


READINESS: web.AppKey[Readiness] = web.AppKey("readiness", Readiness)


@describe(
    name="isAlive",
    tag=OPERATIONS_TAG,
    summary="Liveness probe",
    description="200 as long as the event loop runs, whatever else is broken.",
    is_public=True,
    answers={200: json_answer("Alive.", ProbeSchema, {"status": "alive"})},
)
async def live(_: web.Request) -> web.Response:
    """GET /healthz → 200 as long as the event loop runs."""
    return json_response({"status": "alive"})


@describe(
    name="isReady",
    tag=OPERATIONS_TAG,
    summary="Readiness probe",
    description=(
        "200 when database, schema, storage and keys of tokens are in order; `warnings` name"
        " what else is not: no worker is alive (`no_worker`), the database accepts no writes"
        " (`database_read_only`), or requests to arXiv wait (`arxiv_unavailable`,"
        " `arxiv_cooldown`, `arxiv_paused`); `since` is when that began."
    ),
    is_public=True,
    answers={200: json_answer("Ready.", ReadinessSchema, {"status": "ready", "warnings": []})},
    problems={503: "Not ready: database"},
)
async def ready(request: web.Request) -> web.Response:
    """GET /readyz → 200 with what is worth a warning, or 503 naming what is not in order."""
    missing = await request.app[READINESS].missing()
    if missing:
        return problem(
            request, "not_ready", "Not ready: " + ", ".join(missing), headers={"Retry-After": "2"}
        )
    return json_response({"status": "ready", "warnings": request.app[READINESS].warnings()})
