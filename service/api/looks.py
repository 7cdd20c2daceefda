"""Looks at single jobs: each reads the row now, and renders it if it has changed.

Most looks find a job as the look before did, and rendering costs more than comparing.
"""

from collections import OrderedDict
from uuid import UUID

from aiohttp import web

from service.api.status import Shown, show
from service.storage.engine import Database
from service.storage.job_rows import JobState, to_job
from service.storage.reads import JobReads


class Looks:
    """What single jobs are now. `close` before the database is closed."""

    def __init__(self, database: Database) -> None:
        self._reads = JobReads(database)
        self._renderings = Renderings()

    async def at(self, job_id: UUID) -> Shown:
        """The job as it is committed now; raises NotFound or DatabaseAway."""
        return self._renderings.of(job_id, await self._reads.get(job_id))

    async def close(self) -> None:
        """Give up the looks under way; who waits for them is cancelled."""
        await self._reads.close()


class Renderings:
    """What the latest states looked at were rendered as.

    This is no cache of rows: each state comes from the database, and all of it
    must be equal to the one remembered. At most `most` are kept, and none that
    is longer than `max_length`.
    """

    def __init__(self, *, most: int = 4096, max_length: int = 2048) -> None:
        self._kept: OrderedDict[UUID, tuple[JobState, Shown]] = OrderedDict()
        self._most = most
        self._max_length = max_length

    def of(self, job_id: UUID, state: JobState) -> Shown:
        """What callers see of the job while it is in this state."""
        kept = self._kept.get(job_id)
        if kept is not None and kept[0] == state:
            return kept[1]
        shown = show(to_job(state))
        if len(state) <= self._max_length:
            self._kept[job_id] = state, shown
            self._kept.move_to_end(job_id)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return shown


LOOKS: web.AppKey[Looks] = web.AppKey("looks", Looks)
