"""A connection that nobody has closed and nothing comes through any more is found out."""

import asyncio

from service.db import notifications
from service.db.engine import outage_log
from service.db.notifications import listen
from tests.api.conftest import running_link


async def test_a_listener_whose_connection_died_without_a_word_is_replaced(
    database, database_url, sql, monkeypatch
):
    """A router that was restarted in between, say; both ends believe that they are connected."""
    monkeypatch.setattr(notifications, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(notifications, "CONNECT_TIMEOUT_SECONDS", 1.0)
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def until_heard(word: str) -> None:
        while True:  # what is told while nobody listens is not heard
            await sql("SELECT pg_notify('tests', :word)", word=word)
            try:
                async with asyncio.timeout(0.1):
                    while await heard.get() != word:
                        pass
            except TimeoutError:
                continue
            return

    async with running_link(database_url) as link, asyncio.timeout(60):
        hearing = asyncio.create_task(
            listen(link.url, "tests", heard.put_nowait, name="tests", outages=outage_log())
        )
        await until_heard("first")
        link.lose()
        await until_heard("second")
        hearing.cancel()
        await asyncio.wait({hearing})
