"""Facts that count once their transaction is committed, and not at all if it is not.

Stores note them where they change rows; `Database.transaction` reports them after the
commit. A commit that was cut off and took place all the same is not reported.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from service.domain.measurements import Measurements

Fact = Callable[[Measurements], None]

_KEY = "arxiv_ingestion_facts"


@contextmanager
def facts_of(conn: AsyncConnection) -> Iterator[list[Fact]]:
    """The facts that are noted on `conn` during the block."""
    facts: list[Fact] = []
    info = conn.info  # kept: a connection that is given up meanwhile has none
    info[_KEY] = facts
    try:
        yield facts
    finally:
        info.pop(_KEY, None)


def note(conn: AsyncConnection, fact: Fact) -> None:
    """Report `fact` after the commit; outside of `Database.transaction` nobody is told."""
    facts: list[Fact] | None = conn.info.get(_KEY)
    if facts is not None:
        facts.append(fact)
