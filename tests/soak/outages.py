"""Outages of a soak: longer than a lease, and begun when every PDF place holds a task."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from tests.faults.servers import frozen
from tests.soak.fleet import PDF_PLACES, Fleet

FULL_SECONDS = 30.0  # that is waited for every place to hold a task
RELEASE_SECONDS = 60.0  # for what was held to be answered
HOLD_SECONDS = 120.0


@asynccontextmanager
async def every_place_held(fleet: Fleet) -> AsyncIterator[bool]:
    """Hold PDFs until every place has one, or nothing is left to hold; whether all have.

    They are let go at the end.
    """
    places = PDF_PLACES * len(fleet.replicas)
    step = {"kind": "hold", "lane": "pdf", "seconds": HOLD_SECONDS, "times": places}
    await fleet.stand_in.script([step])
    held = await fleet.stand_in.held(places, seconds=FULL_SECONDS)
    try:
        yield held >= places
    finally:
        await _release(fleet)


async def _release(fleet: Fleet) -> None:
    """Let go what is held, and what still runs into the step that holds."""
    standing = fleet.plan.bombs
    with suppress(TimeoutError):
        async with asyncio.timeout(RELEASE_SECONDS):
            while (  # noqa: ASYNC110 - another process
                await fleet.stand_in.release() or await fleet.stand_in.waiting(standing)
            ):
                await asyncio.sleep(0.3)


@asynccontextmanager
async def _crashed(fleet: Fleet) -> AsyncIterator[None]:
    await asyncio.to_thread(fleet.server.postgres.stop_immediately)
    try:
        yield
    finally:
        await asyncio.to_thread(fleet.server.postgres.start)


@asynccontextmanager
async def _stopped(fleet: Fleet) -> AsyncIterator[None]:
    with frozen(fleet.server.postgres):
        yield


@asynccontextmanager
async def _read_only(fleet: Fleet) -> AsyncIterator[None]:
    wanted = f"ALTER DATABASE {fleet.database} SET default_transaction_read_only = on"
    await fleet.server.command("postgres", wanted, _ENDED.format(fleet.database))
    try:
        yield
    finally:
        await fleet.server.command(
            "postgres", f"ALTER DATABASE {fleet.database} RESET default_transaction_read_only"
        )


@asynccontextmanager
async def _login_refused(fleet: Fleet) -> AsyncIterator[None]:
    roles = [replica.role for replica in fleet.replicas]
    refused = [f"ALTER ROLE {role} NOLOGIN" for role in roles]
    await fleet.server.command("postgres", *refused, _ENDED.format(fleet.database))
    try:
        yield
    finally:
        await fleet.server.command("postgres", *(f"ALTER ROLE {role} LOGIN" for role in roles))


@asynccontextmanager
async def _storage_gone(fleet: Fleet) -> AsyncIterator[None]:
    files, away = fleet.folder / "files", fleet.folder / "away"
    shutil.move(files, away)
    try:
        yield
    finally:
        shutil.move(away, files)


@asynccontextmanager
async def _arxiv_gone(fleet: Fleet) -> AsyncIterator[None]:
    for lane in "api", "pdf":
        await fleet.stand_in.begin_outage(lane)
    try:
        yield
    finally:
        await fleet.stand_in.end_outages()


_ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
OUTAGES: dict[str, Callable[[Fleet], AbstractAsyncContextManager[None]]] = {
    "database crashed": _crashed,
    "database stopped": _stopped,
    "database read-only": _read_only,
    "login refused": _login_refused,
    "storage gone": _storage_gone,
    "arXiv gone": _arxiv_gone,
}
