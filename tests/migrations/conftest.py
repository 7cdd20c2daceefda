"""An empty database of its own, to migrate."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from service.db.addresses import asyncpg_url
from service.db.engine import create_engine

NAME = "migrated"


@pytest.fixture
async def empty_url(postgres: str) -> AsyncIterator[str]:
    """URL of an empty database of its own."""
    admin = create_async_engine(asyncpg_url(postgres))  # no timeouts: a busy disk takes its time
    drop = f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"
    await alone(admin, drop, f"CREATE DATABASE {NAME}")
    yield make_url(postgres).set(database=NAME).render_as_string(hide_password=False)
    await alone(admin, drop)
    await admin.dispose()


async def alone(engine: AsyncEngine, *statements: str) -> None:
    """Run statements that PostgreSQL allows in no transaction."""
    async with engine.connect() as conn:
        outside = await conn.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            await outside.exec_driver_sql(statement)


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(empty_url, name="tests migrations", pool_size=3)
    yield engine
    await engine.dispose()


async def rows(engine: AsyncEngine, statement: str) -> list:
    async with engine.connect() as conn:
        return list((await conn.exec_driver_sql(statement)).scalars())
