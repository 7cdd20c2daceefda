"""Which of several hosts is connected to, and what is said when none is."""

import asyncpg
import pytest

from service.db.hosts import Hosts

A, B, C = ("a", 1), ("b", 2), ("c", 3)


class Server:
    """Hosts that work, and the failures of the others."""

    def __init__(self, **failures):
        self.failures, self.asked = failures, []

    def __call__(self, address):
        self.asked.append(address)
        if error := self.failures.get(address[0]):
            raise error
        return address

    async def soon(self, address):
        return self(address)


@pytest.mark.parametrize(
    "gone",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.TargetServerAttributeNotMatched(),
        asyncpg.TooManyConnectionsError(),
    ],
    ids=lambda one: type(one).__name__,
)
async def test_the_next_host_is_asked_and_from_then_on_first(gone):
    hosts, server = Hosts([A, B, C]), Server(a=gone)

    assert hosts.connect(server) == B
    assert await hosts.connect_async(server.soon) == B
    assert server.asked == [A, B, B]


@pytest.mark.parametrize("error", [asyncpg.InvalidPasswordError(), KeyError("a bug")])
async def test_what_no_other_host_would_mend_is_raised_at_once(error):
    hosts, server = Hosts([A, B]), Server(a=error)

    with pytest.raises(type(error)):
        hosts.connect(server)
    with pytest.raises(type(error)):
        await hosts.connect_async(server.soon)
    assert server.asked == [A, A]


def test_that_no_host_accepts_writes_is_said_before_that_one_is_gone():
    unmatched = asyncpg.TargetServerAttributeNotMatched()
    server = Server(a=ConnectionRefusedError(), b=unmatched, c=ConnectionRefusedError())

    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        Hosts([A, B, C]).connect(server)
