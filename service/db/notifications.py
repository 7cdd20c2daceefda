"""LISTEN connection: notifications of PostgreSQL, reconnecting when it is lost.

What is notified while there is no connection is not heard: whoever listens must
look by itself now and then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import structlog

from service.db.addresses import hosts_of, libpq_url, one_host, read_url
from service.db.engine import CONNECT_TIMEOUT_SECONDS
from service.db.failures import reason_of
from service.db.hosts import Hosts
from service.db.pgbouncer import LOST, is_pooler
from service.domain.outages import OutageLog

RECONNECT_SECONDS = (0.1, 0.2, 0.5, 1.0)
LEAVE_SECONDS = 0.5  # for a connection in the making when nobody wants it any more
PROBE_SECONDS = 10.0  # a connection may be dead without anybody having said so

_log = structlog.get_logger(__name__)

Heard = Callable[[str], None]


async def listen(url: str, channel: str, heard: Heard, *, name: str, outages: OutageLog) -> None:
    """Call `heard` with each payload that arrives on `channel`, until cancelled.

    Ends by itself where a pooler is in between, which could not pass them on.

    `name` shows in pg_stat_activity; `outages` is notified when no connection can be had.
    """
    failures = 0
    while True:
        try:
            async with _connection(url, name) as connection:
                if await is_pooler(connection):
                    _log.warning("listen unavailable, polling", channel=channel)
                    return
                await connection.add_listener(channel, lambda *told: heard(str(told[-1])))
                failures = 0
                outages.worked()
                await _until_lost(connection, channel)
            why = "closed"
        except (*LOST, OSError, TimeoutError) as err:
            outages.failed(reason_of(err))
            why = reason_of(err).code
        if not failures:
            _log.info("listen connection lost", channel=channel, reason=why)
        await asyncio.sleep(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)])
        failures += 1


async def _until_lost(connection: asyncpg.Connection, channel: str) -> None:
    """Return when the connection was closed; raises when it does not answer any more."""
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    while not (lost.is_set() or connection.is_closed()):
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await lost.wait()
        except TimeoutError:
            await connection.execute(f'LISTEN "{channel}"', timeout=CONNECT_TIMEOUT_SECONDS)


@asynccontextmanager
async def _connection(url: str, name: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await _finished(asyncio.ensure_future(_connect(url, name)))
    try:
        yield connection
    finally:
        connection.terminate()


async def _connect(url: str, name: str) -> asyncpg.Connection:
    async def connect(dsn: str, within: float) -> asyncpg.Connection:
        return await asyncpg.connect(
            dsn,
            timeout=within,
            command_timeout=CONNECT_TIMEOUT_SECONDS,  # a server may freeze between any two steps
            server_settings={"application_name": name},
        )

    addresses = hosts_of(read_url(url))
    if not addresses:
        return await connect(libpq_url(url), CONNECT_TIMEOUT_SECONDS)
    within = CONNECT_TIMEOUT_SECONDS / len(addresses)
    return await Hosts(addresses).connect_async(lambda one: connect(one_host(url, *one), within))


async def _finished(connecting: asyncio.Future[asyncpg.Connection]) -> asyncpg.Connection:
    """The connection; when cancelled, its end: nobody closes one that is cut off in the making."""
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        connecting.add_done_callback(_end)
        await asyncio.wait({connecting}, timeout=LEAVE_SECONDS)
        connecting.cancel()
        raise


def _end(connecting: asyncio.Future[asyncpg.Connection]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().terminate()
