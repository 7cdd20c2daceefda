"""arXiv's rule of one connection: none is kept when its answer has come, none is open twice."""

import asyncio
from contextlib import asynccontextmanager

from service.arxiv.pace import Requester
from tests.arxiv.conftest import feed

KEPT_ALIVE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/atom+xml\r\nContent-Length: %d\r\n\r\n%s"
)


async def wanted() -> None:
    """Still."""


@asynccontextmanager
async def hospitable():
    """A server that closes no connection; yields its port and what became of each, in order."""
    told: list[str] = []
    closed = asyncio.Condition()

    async def serve(reader, writer):
        told.append("opened")
        async for line in reader:
            if line == b"\r\n":
                body = feed()
                writer.write(KEPT_ALIVE % (len(body), body))
                await writer.drain()
        async with closed:
            told.append("closed")
            closed.notify_all()
        writer.close()

    async def until_closed(number: int) -> None:
        async with asyncio.timeout(30), closed:
            await closed.wait_for(lambda: told.count("closed") >= number)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], told, until_closed
    finally:
        server.close()
        await server.wait_closed()


async def test_a_connection_is_closed_when_its_answer_has_come(build_client):
    """Although the server would keep it: an idle one counts as one of ours."""
    async with hospitable() as (port, told, until_closed):
        client = await build_client(api_url=f"http://127.0.0.1:{port}/api/query")
        for number in (1, 2):
            await client.page({"start": "0"}, Requester("job", wanted))
            await until_closed(number)

    assert told == ["opened", "closed"] * 2


async def test_the_next_connection_is_opened_when_the_last_one_is_closed(build_client, pace):
    """However many ask: the slot is held until the connection has been given up."""
    number = 5
    async with hospitable() as (port, _, until_closed):
        client = await build_client(api_url=f"http://127.0.0.1:{port}/api/query")
        connector = client.api.exchange._session.connector
        open_in_slot = []
        slot = pace.api_slot

        @asynccontextmanager
        async def watched(*args, **options):
            async with slot(*args, **options) as held:
                open_in_slot.append(len(connector._acquired) + len(connector._conns))
                yield held

        pace.api_slot = watched
        await asyncio.gather(
            *(client.page({"start": "0"}, Requester("job", wanted)) for _ in range(number))
        )
        await until_closed(number)

    assert open_in_slot == [0] * number
