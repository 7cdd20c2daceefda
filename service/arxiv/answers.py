"""Classification of arXiv's responses: outage, cooldown, block, or a fault of the request.

The same for every interface: no answer at all or a bare 502, 503, 504 is an
outage of the channel, 429 and its kin a wish to wait, 403 a block. A 500 may be
the fault of the one request: a plain request of the channel tells (`Judge`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from multidict import CIMultiDictProxy

from service.arxiv.http import answered_at
from service.arxiv.pace import Channel, ChannelClosed, RateLimiter
from service.arxiv.retry_after import retry_after
from service.domain.errors import ServerError, UpstreamUnreachable

FORBIDDEN = 403
_COOLDOWNS = frozenset({406, 429})
_OUTAGES = frozenset({502, 503, 504})

Headers = CIMultiDictProxy[str]
PlainRequest = Callable[[], Awaitable[int]]


def asks_for_cooldown(status: int, headers: Headers) -> bool:
    """True for a throttling answer; a 503 that names no time is an outage."""
    return status in _COOLDOWNS or (status == 503 and "Retry-After" in headers)


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides for one channel what answers mean, and tells the fleet's rate limit.

    `plain` sends a plain request in a slot of its own and returns the status of
    its answer; it raises UpstreamUnreachable where there is none.
    """

    channel: Channel
    pace: RateLimiter
    plain: PlainRequest

    async def no_answer(self, error: UpstreamUnreachable) -> ChannelClosed:
        """What follows from a request that had no answer."""
        return await self.pace.failed(self.channel, str(error))

    async def cooldown(self, status: int, headers: Headers) -> ChannelClosed:
        """What follows from an answer that asks to wait, for as long as it says."""
        wish = retry_after(headers.get("Retry-After"), now=answered_at(headers))
        return await self.pace.cooldown(self.channel, wish, status=status)

    async def block(self) -> ChannelClosed:
        """What follows from an answer that forbids us the channel."""
        return await self.pace.cooldown(self.channel, None, is_block=True, status=FORBIDDEN)

    async def check(self, status: int, headers: Headers) -> None:
        """Return if the answer is to the request; raise what is to be done where it is not.

        Raises ChannelClosed for what concerns the channel (403 is left to the
        caller), and ServerError for a fault of arXiv's that only this request meets.
        """
        if asks_for_cooldown(status, headers):
            raise await self.cooldown(status, headers)
        if status in _OUTAGES:
            raise await self.pace.failed(self.channel, f"arXiv answered with HTTP {status}")
        if status >= 500:
            await self._check_server_error(status)
        if status != FORBIDDEN:
            await self.pace.answered(self.channel)

    async def _check_server_error(self, status: int) -> None:
        reason = f"arXiv answered with HTTP {status}"
        if not await self.pace.answered_lately(self.channel):
            if await self._plain_status() >= 500:
                raise await self.pace.failed(self.channel, reason)
            await self.pace.answered(self.channel)
        raise ServerError(reason).of_response(status)

    async def check_forbidden(self) -> None:
        """Return if only this request is forbidden (403); raise ChannelClosed if the channel is."""
        if await self._plain_status() == FORBIDDEN:
            raise await self.block()

    async def _plain_status(self) -> int:
        """The status of the plain request, of an answer that is to that request."""
        try:
            status = await self.plain()
        except UpstreamUnreachable as err:
            raise await self.no_answer(err) from err
        if status in _OUTAGES:
            raise await self.pace.failed(self.channel, f"arXiv answered with HTTP {status}")
        return status
