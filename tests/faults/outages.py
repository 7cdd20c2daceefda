"""What a service depends on, unavailable for a while: the database in four ways, storage, arXiv."""

import asyncio
import shutil
from contextlib import asynccontextmanager

from service.devtools.stand_in.faults import Step
from tests.faults.servers import ENDED, PASSWORD, ROLE, command, frozen

NO_ANSWER = Step(kind="reset", times=10_000)


@asynccontextmanager
async def crashed(rig, server):
    """The server is stopped as a crash would, and started again at the end."""
    await asyncio.to_thread(server.stop_immediately)
    yield
    await asyncio.to_thread(server.start)


@asynccontextmanager
async def stopped(_, server):
    """The server stands still."""
    with frozen(server):
        yield


@asynccontextmanager
async def read_only(rig, _):
    """Our role may only read, in sessions that are all new."""
    await command(rig, f"ALTER ROLE {ROLE} SET default_transaction_read_only = on", ENDED)
    yield
    await command(rig, f"ALTER ROLE {ROLE} RESET default_transaction_read_only")


@asynccontextmanager
async def wrong_password(rig, _):
    """The password of our role is another one."""
    await command(rig, f"ALTER ROLE {ROLE} PASSWORD 'another'", ENDED)
    yield
    await command(rig, f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'")


@asynccontextmanager
async def without_storage(rig, _):
    """The folder of the files is somewhere else."""
    files, away = rig.folder / "files", rig.folder / "away"
    shutil.move(files, away)
    yield
    shutil.move(away, files)


@asynccontextmanager
async def without_arxiv(rig, _):
    """The stand-in closes each connection without an answer."""
    rig.replica.forget_script()
    rig.replica.script([NO_ANSWER])
    yield
    rig.replica.forget_script()


OF_THE_DATABASE = {
    "crashed": crashed,
    "stopped": stopped,
    "read-only": read_only,
    "wrong password": wrong_password,
}
REASONS = {
    "crashed": {"connection_refused", "connection_lost", "shutting_down", "crashed", "starting"},
    "stopped": {"timeout"},
    # All sessions are ended first: their errors may come in before the first of a new one.
    "read-only": {"read_only", "connection_lost", "shutting_down"},
    "wrong password": {"wrong_password", "connection_lost", "shutting_down"},
}
OF_OTHERS = {"no storage": without_storage, "no arXiv": without_arxiv}
