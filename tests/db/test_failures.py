"""Why the database could not be asked, in a code and safe words; and who is told."""

import socket
import ssl

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from structlog.testing import CapturingLogger

from service.db.engine import Database, create_engine
from service.db.failures import reason_of
from service.domain.errors import DatabaseUnavailable
from service.domain.outages import OutageLog

ERRORS = [
    (ConnectionRefusedError(111, "secret"), "connection_refused"),
    (FileNotFoundError(2, "secret"), "connection_refused"),
    (OSError("Multiple exceptions: [Errno 111] secret, [Errno 111] secret"), "connection_refused"),
    (OSError(113, "secret"), "host_unreachable"),
    (OSError(101, "secret"), "host_unreachable"),
    (socket.gaierror(-2, "secret"), "host_unknown"),
    (ssl.SSLError(1, "secret"), "tls_failed"),
    (TimeoutError("secret"), "timeout"),
    (ConnectionResetError(104, "secret"), "connection_lost"),
    (BrokenPipeError(32, "secret"), "connection_lost"),
    (PermissionError(13, "secret"), "access_refused"),
    (PoolTimeoutError("secret"), "pool_busy"),
    (asyncpg.InvalidPasswordError("secret"), "wrong_password"),
    (asyncpg.InvalidAuthorizationSpecificationError("secret"), "access_refused"),
    (asyncpg.InvalidCatalogNameError("secret"), "database_missing"),
    (asyncpg.CannotConnectNowError("secret"), "starting"),
    (asyncpg.AdminShutdownError("secret"), "shutting_down"),
    (asyncpg.CrashShutdownError("secret"), "crashed"),
    (asyncpg.QueryCanceledError("secret"), "timeout"),
    (asyncpg.TooManyConnectionsError("secret"), "too_many_connections"),
    (asyncpg.DiskFullError("secret"), "disk_full"),
    (asyncpg.OutOfMemoryError("secret"), "out_of_memory"),
    (asyncpg.ReadOnlySQLTransactionError("secret"), "read_only"),
    (asyncpg.DeadlockDetectedError("secret"), "busy"),
    (asyncpg.SerializationError("secret"), "busy"),
    (asyncpg.LockNotAvailableError("secret"), "busy"),
    (asyncpg.UndefinedTableError("secret"), "schema_behind"),
    (asyncpg.ConnectionDoesNotExistError("secret"), "connection_lost"),
    (asyncpg.ConnectionFailureError("secret"), "connection_lost"),
    (asyncpg.InterfaceError("secret"), "connection_lost"),
    (asyncpg.InternalClientError("secret"), "connection_lost"),
    (asyncpg.TargetServerAttributeNotMatched("secret"), "no_primary"),
    (asyncpg.DivisionByZeroError("secret"), "failed"),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=[type(e).__name__ for e, _ in ERRORS])
def test_each_failure_has_a_reason_that_is_safe_to_show(error, code):
    reason = reason_of(error)

    assert reason.code == code
    assert "secret" not in reason.text


@pytest.fixture
def log():
    return CapturingLogger()


@pytest.fixture
async def logged(database_url, log):
    """A pool of one whose outages are logged."""
    engine = create_engine(database_url, name="tests logged", pool_size=1)
    yield Database(engine, deadline_seconds=20, outages=OutageLog("database", log))
    await engine.dispose()


async def test_a_refused_write_is_told_with_its_reason(logged, log):
    async def write():
        async with logged.transaction() as conn:
            await conn.execute(text("SET TRANSACTION READ ONLY"))
            await conn.execute(text("DELETE FROM jobs"))

    with pytest.raises(DatabaseUnavailable):
        await write()

    ((_, args, facts),) = log.calls
    assert args == ("database unavailable",)
    assert facts["reason"] == "read_only"


async def test_a_statement_that_is_wrong_is_no_outage(logged, log):
    with pytest.raises(Exception, match="division by zero"):
        async with logged.transaction() as conn:
            await conn.execute(text("SELECT 1 / 0"))

    assert log.calls == []


@pytest.mark.parametrize(
    ("host", "code"),
    [("127.0.0.1:1", "connection_refused"), ("localhost:1", "connection_refused")],
)
async def test_a_server_that_is_not_there_is_told_at_the_first_refusal(log, host, code):
    engine = create_engine(f"postgresql://tests@{host}/tests", name="tests", pool_size=1)
    nowhere = Database(engine, deadline_seconds=20, outages=OutageLog("database", log))

    with pytest.raises(DatabaseUnavailable):
        async with nowhere.transaction():
            pass

    assert [facts["reason"] for _, _, facts in log.calls] == [code]


async def test_wrong_credentials_and_a_missing_database_are_told_as_such(database_url, log):
    engine = create_engine(database_url, name="tests", pool_size=1)
    url = engine.url.set(database="nothing_here")
    engine = create_engine(url.render_as_string(hide_password=False), name="tests", pool_size=1)
    wrong = Database(engine, deadline_seconds=20, outages=OutageLog("database", log))

    with pytest.raises(DatabaseUnavailable):
        async with wrong.transaction():
            pass

    assert [facts["reason"] for _, _, facts in log.calls] == ["database_missing"]


async def test_a_session_that_stays_read_only_does_not_return_into_the_pool(logged):
    """After a failover the server takes writes again, and the session that it left does not."""
    async with logged.reading() as conn:
        await conn.execute(text("SET default_transaction_read_only TO on"))

    async def write():
        async with logged.transaction() as conn:
            await conn.execute(text("DELETE FROM jobs"))

    with pytest.raises(DatabaseUnavailable):
        await write()

    await write()  # the pool has one place: it is another session


async def test_a_session_that_broke_inside_the_driver_does_not_return_into_the_pool(logged):
    """Another than the one whose reader failed is given out, though SQLAlchemy saw no error."""

    async def backend():
        async with logged.fetching() as fetch:
            return (await fetch("SELECT pg_backend_pid() AS pid"))[0]["pid"]

    before = await backend()
    with pytest.raises(ZeroDivisionError):
        async with logged.fetching():
            raise ZeroDivisionError

    assert await backend() != before
