"""What a transaction raises when its connection is lost."""

import asyncpg
import pytest

from service.domain.errors import DatabaseAway


async def test_a_connection_that_broke_in_the_middle_of_the_drivers_work(database):
    """asyncpg's own word for it, which SQLAlchemy does not translate (seen in a soak)."""
    with pytest.raises(DatabaseAway):
        async with database.transaction():
            raise asyncpg.InternalClientError("cannot switch to state 12")
