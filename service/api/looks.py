"""Looks at single jobs: each reads the row now, and renders it if it has changed.

Most looks find a job as the look before did, and rendering costs more than comparing.
"""

from functools import lru_cache
from sys import getsizeof
from uuid import UUID

from aiohttp import web

from service.api.job_status import RenderedStatus, show
from service.db.engine import Database
from service.db.job_loader import JobLoader
from service.db.job_rows import JobState, to_job

REMEMBERED = 4096  # renderings, in at most 20 MB
MAX_LENGTH = 2048  # of a state that is looked up: few are longer, by their errors
MAX_BYTES = 4500  # of a state that is remembered and its rendering; beside them, 400 of our own


class JobStatusReader:
    """What single jobs are now. `close` before the database is closed."""

    def __init__(self, database: Database) -> None:
        self._reads = JobLoader(database)

    async def at(self, job_id: UUID) -> RenderedStatus:
        """The job as it is committed now; raises NotFound or DatabaseUnavailable."""
        return rendered(await self._reads.get(job_id))

    async def close(self) -> None:
        """Give up the looks under way; who waits for them is cancelled."""
        await self._reads.close()


def rendered(state: JobState) -> RenderedStatus:
    """What callers see of a job in this state.

    What the latest states were rendered as is remembered. This is no cache of rows: each
    state comes from the database, and all of it is compared with those remembered.
    """
    if len(state) > MAX_LENGTH:
        return show(to_job(state))
    try:
        return _remembered(state)
    except _TooLarge as err:
        return err.shown


class _TooLarge(Exception):
    """Not to be remembered: the cache keeps what is returned, not what is raised."""

    def __init__(self, shown: RenderedStatus) -> None:
        super().__init__()
        self.shown = shown


@lru_cache(REMEMBERED)
def _remembered(state: JobState) -> RenderedStatus:
    shown = show(to_job(state))
    if getsizeof(state) + getsizeof(shown.packed) > MAX_BYTES:
        raise _TooLarge(shown)
    return shown


JOB_STATUS_READER: web.AppKey[JobStatusReader] = web.AppKey("looks", JobStatusReader)
