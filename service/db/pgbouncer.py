"""PgBouncer support: transaction pooling, where each transaction may get another session.

Whether there is one is found out with the first connection: the process number
that a pooler tells a client is not that of the session behind it, or it refuses
the settings of a session at once. Behind one, statements have no names, settings
hold for one transaction and are made in each, and nothing runs outside of one.
"""

from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import asyncpg
from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from service.db.addresses import one_host
from service.db.hosts import Hosts

PASSED_ON = ("application_name", "timezone")  # what PgBouncer itself looks after
NO_NAMES = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": str,
}
# What asyncpg raises where the server became unavailable, also in the middle of asyncpg's own work.
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
REFUSED = "08P01"  # a startup parameter that a pooler does not know

_pooled: WeakSet[Engine] = WeakSet()


def is_pooled(engine: AsyncEngine) -> bool:
    """True once a connection has shown that there is a pooler in between."""
    return engine.sync_engine in _pooled


async def is_pooler(connection: asyncpg.Connection) -> bool:
    """Whether the session of `connection` is another one than the server said."""
    pid = connection.get_server_pid()
    return await connection.execute(f"SELECT WHERE pg_backend_pid() = {pid:d}") != "SELECT 1"


def expect_pooler(engine: AsyncEngine, settings: Mapping[str, str], hosts: Hosts) -> None:
    """Make `engine`, whose sessions want `settings`, find out by itself and live with it.

    `hosts` are tried in turn, if its URL names several.
    """
    sync = engine.sync_engine
    wanted = {name: value for name, value in settings.items() if name not in PASSED_ON}
    set_local = "SELECT " + ", ".join(
        f"set_config('{name}', '{value}', true)" for name, value in wanted.items()
    )

    @event.listens_for(sync, "do_connect")
    def connect(dialect: Dialect, _: object, cargs: Any, cparams: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        if not hosts:
            return connect_one(dialect, cargs, cparams)
        return hosts.connect(
            lambda one: connect_one(dialect, cargs, {**cparams, "dsn": one_host(engine.url, *one)})
        )

    def connect_one(dialect: Dialect, cargs: Any, cparams: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        if sync not in _pooled:
            connection = _direct(dialect, cargs, cparams)
            if connection is not None:
                return connection
            _pooled.add(sync)
        passed_on = {name: settings[name] for name in PASSED_ON}
        return dialect.connect(*cargs, **{**cparams, **NO_NAMES, "server_settings": passed_on})

    @event.listens_for(sync, "begin")
    def begin(conn: Connection) -> None:
        if sync in _pooled:
            # A cursor of the driver, since SQLAlchemy has not begun yet; it opens the transaction.
            cursor = conn.connection.cursor()
            try:
                cursor.execute(set_local)
            except sync.dialect.loaded_dbapi.Error as err:
                # SQLAlchemy would neither translate it here nor give the connection up.
                conn.invalidate(err)
                raise ConnectionResetError("lost when a transaction was begun") from err
            cursor.close()


def _direct(dialect: Dialect, cargs: Any, cparams: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
    """A connection with no pooler in between; None if there is one."""
    try:
        connection: Any = dialect.connect(*cargs, **cparams)
    except Exception as err:
        if getattr(err, "sqlstate", None) == REFUSED:
            return None
        raise
    driver: asyncpg.Connection = connection.driver_connection
    is_ours = False
    try:
        is_ours = not await_only(is_pooler(driver))
    except LOST as err:
        raise ConnectionResetError("lost while it was being made") from err
    finally:
        if not is_ours:
            driver.terminate()
    return connection if is_ours else None
