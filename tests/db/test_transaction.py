"""What a transaction raises when its connection is lost."""

from types import SimpleNamespace

import asyncpg
import pytest
from sqlalchemy import text

from service.domain.errors import DatabaseUnavailable


async def test_a_connection_that_broke_in_the_middle_of_the_drivers_work(database):
    """asyncpg's own word for it, which SQLAlchemy does not translate (seen in a soak)."""
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction():
            raise asyncpg.InternalClientError("cannot switch to state 12")


async def test_a_connection_that_went_while_asyncpg_looked_up_types(database, monkeypatch):
    """Our deadline closes it; asyncpg then asks None for an attribute (seen in a soak)."""

    async def cut_off(connection, *_):
        connection.terminate()
        return [], SimpleNamespace(name="")

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", cut_off)
    with pytest.raises(DatabaseUnavailable) as caught:
        async with database.transaction() as conn:
            await conn.execute(text("SELECT NULL::pgqueuer_status[]"))

    assert isinstance(caught.value.__cause__, AttributeError)
    monkeypatch.undo()
    async with database.transaction() as conn:
        assert await conn.scalar(text("SELECT 1")) == 1


async def test_a_mistake_of_ours_is_not_taken_for_a_lost_connection(database):
    with pytest.raises(AttributeError):
        async with database.transaction():
            None.nothing  # noqa: B018
