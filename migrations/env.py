"""How Alembic reaches the database: one transaction, one migrator at a time.

`service.db.migrate` hands a connection in; the plain `alembic` command
opens its own from DATABASE_URL. Several replicas may start at once: the
advisory lock lets one migrate, and the others find the work done. The lock is
the transaction's, so a migrator that is killed leaves neither lock nor half a
schema behind.
"""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text

from service.db import (  # noqa: F401 - add to the metadata
    change_tables,
    html_tables,
    job_event_tables,
    search_tables,
    version_tables,
    webhook_tables,
)
from service.db.engine import create_engine
from service.db.tables import metadata

MIGRATION_LOCK = 0x61725869_76496E67  # any constant of our own: "arXivIng" in ASCII
NOT_IN_METADATA = ("pgqueuer",)  # the queue engine's tables are frozen SQL


def include_object(_obj: object, name: str | None, kind: str, *_: object) -> bool:
    """False for what the models do not describe."""
    return not (kind == "table" and name is not None and name.startswith(NOT_IN_METADATA))


def run_migrations(connection: Connection) -> None:
    """Run what was asked for on `connection`, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        compare_type=True,
        compare_server_default=False,
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


async def run_from_environment() -> None:
    """Migrate the database of DATABASE_URL (the `alembic` command)."""
    engine = create_engine(os.environ["DATABASE_URL"], name="alembic", pool_size=1)
    async with engine.connect() as connection:
        await connection.run_sync(run_migrations)
    await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("offline mode is not supported: the migrations ask the database")
elif (given := context.config.attributes.get("connection")) is not None:
    run_migrations(given)
else:
    asyncio.run(run_from_environment())
