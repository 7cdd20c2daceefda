"""JSON Web Key Set client: keys behind a URL, cached and refreshed.

A fetch every ten minutes, and one more when a token names a key that is not
known: never two at once, and never two within half a minute on behalf of
tokens, since anybody can make up a name. While the URL is unavailable the keys of the
last good fetch stay in force, for a day.
"""

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from time import monotonic

import aiohttp
import structlog

from service.auth.keys import Key, published
from service.domain.errors import KeysUnavailable

LOOK_SECONDS = 600.0  # between fetches, spread by a tenth
UNKNOWN_SECONDS = 30.0  # at least, between fetches that unknown names cause
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)  # after fetches that failed, spread by up to half
KEPT_SECONDS = 86_400.0  # after the last good fetch
FETCH_SECONDS = 5.0  # in all, for one fetch
PATIENCE_SECONDS = 2.0  # of a request, for a fetch that may bring its key
MAX_SET_BYTES = 256 * 1024
MAX_KEYS = 16  # each may have to be tried

_log = structlog.get_logger(__name__)


class NotAnswered(ValueError):
    """The URL answered with another status than 200; a redirect is not followed."""


class TooLong(ValueError):
    """The answer is larger than any set of keys."""


class NoUsableKey(ValueError):
    """The set has no key that may verify tokens of the algorithm."""


class KeySet:
    """The keys at `url` that may verify tokens of `algorithm`; `watch` keeps them fresh.

    `on_change` is called when the keys are others than before.
    """

    def __init__(self, url: str, algorithm: str, *, clock: Callable[[], float] = monotonic) -> None:
        self._url = url
        self._algorithm = algorithm
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._good_until = self._unknown_from = clock()
        self._due, self._looked = asyncio.Event(), asyncio.Event()
        self._due.set()  # the first fetch is
        self.on_change: Callable[[], None] = lambda: None

    @property
    def is_ready(self) -> bool:
        """Whether there are keys to judge tokens by."""
        return bool(self._keys)

    async def find(self, key_id: str | None) -> tuple[Key, ...]:
        """The keys that may have signed a token that names `key_id` (None: no key).

        An unknown name, or having no keys yet, waits for a fetch if one may be
        had. Raises KeysUnavailable when there are no keys at all.
        """
        found = self._named(key_id)
        if not found and self._may_look():
            self._due.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._looked.wait()
            found = self._named(key_id)
        if not self._keys:
            raise KeysUnavailable("The keys that tokens are verified with are not available")
        return found

    def _named(self, key_id: str | None) -> tuple[Key, ...]:
        return tuple(key for key in self._keys if key_id in (None, key.id))

    def _may_look(self) -> bool:
        """Whether a fetch is under way, or may be had because of a name that is not known."""
        return self._due.is_set() or (self.is_ready and self._clock() >= self._unknown_from)

    async def watch(self) -> None:
        """Keep looking until cancelled."""
        failures = 0
        async with _session() as session:
            while True:
                self._due.set()  # until it is over, who asks waits for this fetch
                failures = 0 if await self._look(session) else failures + 1
                self._due.clear()
                self._looked.set()
                self._looked = asyncio.Event()
                pause = _pause(failures, random.random())  # noqa: S311 - spreads, hides nothing
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._due.wait()

    async def _look(self, session: aiohttp.ClientSession) -> bool:
        """One fetch; False when it brought nothing, and the keys are those of before."""
        self._unknown_from = self._clock() + UNKNOWN_SECONDS
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                keys = await _fetched(session, self._url, self._algorithm)
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as err:
            _log.warning("signing keys not refreshed", error=type(err).__name__)
            if self._clock() >= self._good_until:
                self._take(())
            return False
        self._good_until = self._clock() + KEPT_SECONDS
        self._take(keys)
        return True

    def _take(self, keys: tuple[Key, ...]) -> None:
        if set(keys) != set(self._keys):
            self._keys = keys
            _log.info("signing keys changed", keys=len(keys))
            self.on_change()


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    )


async def _fetched(session: aiohttp.ClientSession, url: str, algorithm: str) -> tuple[Key, ...]:
    """The keys that are published now, at least one."""
    async with session.get(url, allow_redirects=False) as response:
        if response.status != HTTPStatus.OK:
            raise NotAnswered
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > MAX_SET_BYTES:
                raise TooLong
    keys = published(json.loads(body), algorithm)[:MAX_KEYS]
    if not keys:
        raise NoUsableKey
    return keys


def _pause(failures: int, jitter: float) -> float:
    """Seconds until the next fetch, after so many failed ones in a row; `jitter` from 0 to 1."""
    if failures == 0:
        return LOOK_SECONDS * (0.9 + 0.2 * jitter)
    return RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1] * (1 + jitter / 2)
