"""The way to PostgreSQL: pool, timeouts, and what its failures mean.

`Database` is what the rest of the program holds. Use cases open transactions on
it; stores get the connection. Whatever a connection can raise because the
server is away, overloaded or too slow leaves here as `DatabaseUnavailable`.
"""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import orjson
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service.db.pgbouncer import expect_pooler, is_pooled
from service.domain.errors import DatabaseUnavailable, TransactionConflict

CONNECT_TIMEOUT_SECONDS = 3.0
STATEMENT_TIMEOUT_SECONDS = 30
LOCK_TIMEOUT_SECONDS = 10
IDLE_IN_TRANSACTION_SECONDS = 5  # a worker that was stopped in the middle must not hold locks

# SQLSTATEs that time can mend: class 08 connection, 28 credentials (an operator can change
# them while we wait), 53 resources, 57 intervention,
# and serialization (40001), deadlock (40P01), lock timeout (55P03), read-only (25006),
# a database that is still to be made (3D000).
_PASSING_CLASSES = ("08", "28", "53", "57")
_PASSING_STATES = ("40001", "40P01", "55P03", "25006", "3D000")
# Undefined table, column or function, no schema: the migration has not come so far yet.
_BEHIND_STATES = ("42P01", "42703", "42883", "3F000")

# asyncpg raises the last where a connection breaks in the middle of its own work, and SQLAlchemy
# passes it on as it is.
_PASSING_ERRORS = (PoolTimeoutError, OSError, TimeoutError, asyncpg.InternalClientError)

# What `fetching` lets through of asyncpg's own.
_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError)

# All that may come up from a connection; `is_transient` tells what of it time can mend.
FAILURES = (SQLAlchemyError, AttributeError, *_DRIVER_ERRORS, *_PASSING_ERRORS)

READ_ONLY = "25006"
CONFLICTS = frozenset({"40001", "40P01"})  # serialization failure, deadlock: nothing was changed
CUT_SECONDS = 0.25  # what a transaction that was cut off at its deadline has left to end


def asyncpg_url(url: str) -> URL:
    """`url` as SQLAlchemy wants it for asyncpg; libpq's `sslmode` becomes asyncpg's `ssl`."""
    parsed = make_url(url).set(drivername="postgresql+asyncpg")
    if "sslmode" in parsed.query:
        mode = parsed.query["sslmode"]
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return parsed


def libpq_url(url: str | URL) -> str:
    """`url` as libpq, psql and asyncpg itself want it: without SQLAlchemy's driver name."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def without_password(url: str) -> tuple[str, str | None]:
    """`url` as libpq wants it, but for its password; and that, None if there is none."""
    parsed = make_url(url)
    known = parsed.query.get("password", parsed.password)
    bare = parsed._replace(password=None).difference_update_query(["password"])
    return libpq_url(bare), known if known is None or isinstance(known, str) else known[-1]


def create_engine(url: str, *, name: str, pool_size: int = 10) -> AsyncEngine:
    """An engine whose every session has timeouts and UTC; `name` shows in pg_stat_activity."""
    settings = {
        "application_name": name,
        "timezone": "UTC",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
    }
    engine = create_async_engine(
        asyncpg_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        pool_recycle=1800,
        hide_parameters=True,  # no request data in the text of an error
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": STATEMENT_TIMEOUT_SECONDS + 5,
            "server_settings": settings,
        },
    )
    expect_pooler(engine, settings)
    return engine


def is_transient(error: BaseException) -> bool:
    """True when `error` says that the database is away or busy, not that the statement is wrong."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, (DBAPIError, *_DRIVER_ERRORS)):
        state = _state(error)
        return not state or state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES
    return isinstance(error, _PASSING_ERRORS) or _is_stumble(error)


def _is_stumble(error: BaseException) -> bool:
    """True when asyncpg fell over its own connection, which was gone when it looked again.

    Between two of its awaits it does not expect that, and asks None for an attribute.
    """
    if not isinstance(error, AttributeError) or error.obj is not None:
        return False
    modules = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(modules) and modules[-1].startswith("asyncpg.")


def is_behind(error: BaseException) -> bool:
    """True when `error` says that the schema is not the one that this code is written for."""
    return _state(error) in _BEHIND_STATES


def _state(error: BaseException) -> str:
    """The SQLSTATE of what SQLAlchemy or asyncpg raised; empty if there is none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) or ""


def _is_of_no_more_use(error: BaseException) -> bool:
    """True for a session that stays read-only when the server no longer is, or that is gone.

    Of neither SQLAlchemy knows that the connection must not go back to the pool.
    """
    return _state(error) == READ_ONLY or _is_stumble(error)


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


Fetch = Callable[..., Awaitable[Sequence[Any]]]  # a statement and its parameters → rows


class Database:
    """A pool of connections with one deadline for each transaction.

    `deadline_seconds` bounds a transaction from waiting for a connection to the
    end of its commit, so that a caller gets an answer while the server hangs.
    """

    def __init__(self, engine: AsyncEngine, *, deadline_seconds: float) -> None:
        self.engine = engine
        self.deadline_seconds = deadline_seconds
        self._autocommitting = engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def dsn(self) -> str:
        """For a connection apart from the pool, as asyncpg itself wants it."""
        url = self.engine.url
        if "ssl" in url.query:
            mode = url.query["ssl"]
            url = url.difference_update_query(["ssl"]).update_query_dict({"sslmode": mode})
        return libpq_url(url)

    @asynccontextmanager
    async def transaction(self, *, within: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that commits at the end of the block.

        `within`: a shorter deadline than usual, in seconds.

        Raises DatabaseUnavailable when the server cannot be asked now, or has no schema
        for us yet; whether a commit that was cut off took place is then unknown.
        """
        async with self._connected(self.engine, within) as conn, conn.begin():
            yield conn

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
        deadline = asyncio.get_running_loop().time() + (within or self.deadline_seconds)
        try:
            async with asyncio.timeout_at(deadline + CUT_SECONDS), engine.connect() as conn:
                driver = (await conn.get_raw_connection()).driver_connection
                with _cut_off_at(deadline, driver):
                    try:
                        yield conn
                    except (DBAPIError, AttributeError) as err:
                        if _is_of_no_more_use(err):
                            await conn.invalidate()
                        raise
        except FAILURES as err:
            if _state(err) in CONFLICTS:
                raise TransactionConflict("the database is not available") from err
            if is_transient(err) or is_behind(err):
                raise DatabaseUnavailable("the database is not available") from err
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
