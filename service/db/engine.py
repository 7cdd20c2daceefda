"""Database engine: pool, timeouts, transactions, and translation of failures.

`Database` is what the rest of the program holds. Use cases open transactions on
it; stores get the connection. Whatever a connection can raise because the
server is unavailable, overloaded or too slow leaves here as `DatabaseUnavailable`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import orjson
import structlog
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service.db.addresses import OF_SQLALCHEMY, asyncpg_url, hosts_of, libpq_url
from service.db.committed import facts_of
from service.db.failures import (
    CONFLICTS,
    FAILURES,
    READ_ONLY,
    TIMEOUT,
    is_behind,
    is_stumble,
    is_transient,
    reason_of,
    state_of,
)
from service.db.hosts import Hosts
from service.db.pgbouncer import expect_pooler, is_pooled
from service.db.query_spans import trace_queries
from service.domain.errors import DatabaseUnavailable, TransactionConflict
from service.domain.measurements import UNMEASURED, Measurements
from service.domain.outages import OutageLog, Reason
from service.domain.tracing import tracer

CONNECT_TIMEOUT_SECONDS = 3.0
STATEMENT_TIMEOUT_SECONDS = 30
LOCK_TIMEOUT_SECONDS = 10
IDLE_IN_TRANSACTION_SECONDS = 5  # a worker that was stopped in the middle must not hold locks

SUBJECT = "database"  # of the outage log
CLOSE_SECONDS = 1.0
CUT_SECONDS = 0.25  # what a transaction that was cut off at its deadline has left to end


_log = structlog.get_logger(__name__)


def outage_log() -> OutageLog:
    """One for a process, to be shared by all that use the database there."""
    return OutageLog(SUBJECT, _log)


def create_engine(url: str, *, name: str, pool_size: int = 10) -> AsyncEngine:
    """An engine whose every session has timeouts and UTC; `name` shows in pg_stat_activity."""
    settings = {
        "application_name": name,
        "timezone": "UTC",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
    }
    target = asyncpg_url(url)
    hosts = Hosts(hosts_of(target))
    engine = create_async_engine(
        target,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        pool_recycle=1800,
        hide_parameters=True,  # no request data in the text of an error
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS / max(1, len(hosts)),
            "command_timeout": STATEMENT_TIMEOUT_SECONDS + 5,
            "server_settings": settings,
        },
    )
    _connect_as_libpq_would(engine)
    expect_pooler(engine, settings, hosts)
    if tracer() is not None:
        trace_queries(engine.sync_engine)
    return engine


def _connect_as_libpq_would(engine: AsyncEngine) -> None:
    """Let asyncpg read the URL: SQLAlchemy would hand it parameters that it does not take."""
    dsn = libpq_url(engine.url)
    ours = {"timeout", "command_timeout", "server_settings", *OF_SQLALCHEMY}

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(_: object, __: object, ___: object, parameters: dict[str, Any]) -> None:
        for name in parameters.keys() - ours:
            del parameters[name]
        parameters["dsn"] = dsn


def _is_of_no_more_use(error: BaseException) -> bool:
    """True for a session that stays read-only when the server no longer is, or that is gone.

    Of neither SQLAlchemy knows that the connection must not go back to the pool.
    """
    return state_of(error) == READ_ONLY or is_stumble(error)


@contextmanager
def _cut_off_at(deadline: float, driver: Any) -> Iterator[None]:  # noqa: ANN401 - asyncpg's
    """Close asyncpg's connection hard at `deadline` (loop time), should the block still run.

    Cancelling alone is not enough: SQLAlchemy then takes its leave of the server,
    and waits two seconds for one that does not answer.
    """
    cutting = asyncio.get_running_loop().call_at(deadline, driver.terminate)
    try:
        yield
    finally:
        cutting.cancel()


def _reason_of(error: BaseException, deadline: float) -> Reason:
    """Why; a connection that we have cut at `deadline` (loop time) seems to be lost."""
    reason = reason_of(error)
    is_cut = reason.is_doubtful and asyncio.get_running_loop().time() >= deadline
    return TIMEOUT if is_cut else reason


Fetch = Callable[..., Awaitable[Sequence[Any]]]  # a statement and its parameters → rows


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """Connections of a pool: how many there may be, are in use, and are waited for."""

    size: int
    in_use: int
    waiting: int


class Database:
    """A pool of connections with one deadline for each transaction.

    `deadline_seconds` bounds a transaction from waiting for a connection to the
    end of its commit, so that a caller gets an answer while the server hangs.
    What works and what fails is told to `outages`, what was committed to `measurements`.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        deadline_seconds: float,
        outages: OutageLog | None = None,
        measurements: Measurements = UNMEASURED,
    ) -> None:
        self.engine = engine
        self.deadline_seconds = deadline_seconds
        self.outages = outages or outage_log()
        self.measurements = measurements
        self._is_aborted = False
        self._limits: set[asyncio.Timeout] = set()  # of all that is under way
        self._opened: WeakSet[Any] = WeakSet()  # asyncpg's connections, idle and in use
        event.listen(engine.sync_engine, "connect", self._note_opened)
        self._autocommitting = engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def pool(self) -> PoolUse:
        """How the pool is used now."""
        pool: Any = self.engine.sync_engine.pool
        in_use = pool.checkedout()
        waiting = max(0, len(self._limits) - in_use)
        return PoolUse(size=pool.size(), in_use=in_use, waiting=waiting)

    @property
    def dsn(self) -> str:
        """For a connection apart from the pool, as asyncpg itself wants it."""
        return libpq_url(self.engine.url)

    @asynccontextmanager
    async def transaction(self, *, within: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that commits at the end of the block.

        `within`: another deadline than usual, in seconds.

        Raises DatabaseUnavailable when the server cannot be asked now, or has no schema
        for us yet; whether a commit that was cut off took place is then unknown.
        """
        async with self._connected(self.engine, within) as conn:
            with facts_of(conn) as facts:
                async with conn.begin():
                    yield conn
        for fact in facts:
            fact(self.measurements)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection without a transaction, for one statement that only reads.

        It sees what is committed when it starts, and costs one round trip where
        a transaction costs three. Raises DatabaseUnavailable like `transaction`.
        """
        if not is_pooled(self.engine):
            async with self._connected(self._autocommitting) as conn:
                if not is_pooled(self.engine):  # the first connection may just have shown it
                    yield conn
                    return
        async with self.transaction() as conn:
            yield conn

    @asynccontextmanager
    async def fetching(self) -> AsyncIterator[Fetch]:
        """Like `reading`, but gives asyncpg's own `fetch`, for the reads of the hot path.

        SQLAlchemy's share of a query is several times the driver's. It does not see
        what happens here, so after a failure the connection is given up.
        """
        async with self.reading() as conn:
            driver: Any = (await conn.get_raw_connection()).driver_connection
            try:
                yield driver.fetch
            except BaseException:
                driver.terminate()  # hard: a server that does not answer is not waited for
                await conn.invalidate()
                raise

    @asynccontextmanager
    async def _connected(
        self, engine: AsyncEngine, within: float | None = None
    ) -> AsyncIterator[AsyncConnection]:
        self._require_open()
        deadline = asyncio.get_running_loop().time() + (within or self.deadline_seconds)
        try:
            async with self._bounded(deadline + CUT_SECONDS), engine.connect() as conn:
                driver = (await conn.get_raw_connection()).driver_connection
                with _cut_off_at(deadline, driver):
                    try:
                        yield conn
                    except (DBAPIError, AttributeError) as err:
                        if _is_of_no_more_use(err):
                            await conn.invalidate()
                        raise
        except FAILURES as err:
            if state_of(err) in CONFLICTS:
                raise TransactionConflict("the database is not available") from err
            if is_transient(err) or is_behind(err):
                if not self._is_aborted:
                    self.outages.failed(_reason_of(err, deadline))
                raise DatabaseUnavailable("the database is not available") from err
            raise
        self.outages.worked()

    def abort(self) -> None:
        """Cut all connections, at once and for good: the process ends, the server may hang.

        Who still waits for an answer gets DatabaseUnavailable, like all who ask later.
        """
        self._is_aborted = True
        for driver in tuple(self._opened):
            driver.terminate()
        for limit in self._limits:  # of those that are connecting
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Close all connections, in a second at most."""
        try:
            async with asyncio.timeout(0 if self._is_aborted else CLOSE_SECONDS):
                await self.engine.dispose()
        except TimeoutError:
            self.abort()

    @asynccontextmanager
    async def _bounded(self, deadline: float) -> AsyncIterator[None]:
        """The block ends at `deadline` (loop time), or when all is aborted."""
        async with asyncio.timeout_at(deadline) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def _require_open(self) -> None:
        if self._is_aborted:
            raise DatabaseUnavailable("the database is not available")

    def _note_opened(self, connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        self._opened.add(connection.driver_connection)
        if self._is_aborted:
            connection.driver_connection.terminate()
