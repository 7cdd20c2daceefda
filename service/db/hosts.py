"""Failover between the hosts of DATABASE_URL: each is tried in turn, the last good one first.

asyncpg goes through several hosts itself, but under one deadline, so that a first host
which drops packets hides the others for good; and it stops at one that is starting.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import asyncpg

from service.db.failures import is_transient, state_of

LOGIN_REFUSED = "28"  # class of SQLSTATEs: the same everywhere, so that no other host is asked

T = TypeVar("T")
Address = tuple[str, int]


class Hosts:
    """The hosts of one database; `addresses` are at least one."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = list(addresses)

    def __len__(self) -> int:
        return len(self._addresses)

    def connect(self, connect: Callable[[Address], T]) -> T:
        """What `connect` makes of the first host that works; raises why none did."""
        failures: list[BaseException] = []
        for address in self._in_order():
            try:
                made = connect(address)
            except Exception as err:
                failures.append(_passable(err))
            else:
                self._worked(address)
                return made
        raise _most_telling(failures)

    async def connect_async(self, connect: Callable[[Address], Awaitable[T]]) -> T:
        """The same for a coroutine."""
        failures: list[BaseException] = []
        for address in self._in_order():
            try:
                made = await connect(address)
            except Exception as err:
                failures.append(_passable(err))
            else:
                self._worked(address)
                return made
        raise _most_telling(failures)

    def _in_order(self) -> Iterator[Address]:
        return iter(tuple(self._addresses))

    def _worked(self, address: Address) -> None:
        self._addresses.sort(key=lambda one: one != address)


def _passable(error: Exception) -> Exception:
    """`error`, if another host may do better; else it is raised."""
    if not is_transient(error) or state_of(error).startswith(LOGIN_REFUSED):
        raise error
    return error


def _most_telling(failures: Sequence[BaseException]) -> BaseException:
    """That a server is there and is none for writing says more than that another is gone."""
    for error in failures:
        if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
            return error
    return failures[-1]
