"""Is the process alive, and should it get requests? For probes and balancers: no token."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from service.api.jobs import json_response
from service.api.jwks import PublishedKeys
from service.api.problems import problem
from service.domain.errors import DatabaseAway, StorageAway
from service.pdf.store import PdfStore
from service.storage.engine import Database
from service.storage.migrate import current_revision, head_revision

CHECK_DEADLINE = timedelta(seconds=2.5)


@dataclass(slots=True)
class Readiness:
    """What the service needs to be of use, looked at when asked."""

    database: Database
    store: PdfStore
    published_keys: PublishedKeys | None = None
    is_stopping: bool = False

    async def missing(self) -> list[str]:
        """What is not in order: some of `stopping`, `database`, `schema`, `storage`, `keys`."""
        if self.is_stopping:
            return ["stopping"]
        found = await asyncio.gather(self._database(), self._storage())
        return [name for name in (*found, self._keys()) if name is not None]

    def _keys(self) -> str | None:
        return None if self.published_keys is None or self.published_keys.is_ready else "keys"

    async def _database(self) -> str | None:
        try:
            async with self.database.transaction() as conn:
                is_current = await conn.run_sync(current_revision) == head_revision()
        except DatabaseAway:
            return "database"
        return None if is_current else "schema"

    async def _storage(self) -> str | None:
        try:
            async with asyncio.timeout(CHECK_DEADLINE.total_seconds()):
                await self.store.check_writable()
        except (StorageAway, TimeoutError):
            return "storage"
        return None


READINESS: web.AppKey[Readiness] = web.AppKey("readiness", Readiness)


async def live(_: web.Request) -> web.Response:
    """GET /healthz → 200 as long as the event loop turns."""
    return json_response({"status": "alive"})


async def ready(request: web.Request) -> web.Response:
    """GET /readyz → 200, or 503 naming what is not in order."""
    missing = await request.app[READINESS].missing()
    if missing:
        return problem(503, "Not ready: " + ", ".join(missing), headers={"Retry-After": "2"})
    return json_response({"status": "ready"})
