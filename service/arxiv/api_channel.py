"""Requests on the API channel: under the fleet's rate limit, and answered by the interface itself.

The query API and OAI-PMH share it, for arXiv counts them together.
"""

from dataclasses import dataclass, field

from yarl import URL

from service.arxiv.answers import Judge
from service.arxiv.http import Answer, Exchange
from service.arxiv.pace import PLAIN_RANK, Channel, RateLimiter, Requester
from service.arxiv.query import ApiRequest
from service.arxiv.redirects import MAX_HOPS, next_hop, too_many_hops
from service.domain.errors import UpstreamUnreachable

_THROTTLED_BODY = b"rate exceeded"  # HTTP 200, text/plain, from the cache in front of arXiv


async def _wanted() -> None:
    """The check of a plain request: its answer is always wanted."""


@dataclass(slots=True)
class ApiChannel:
    """Sends single requests; `plain` is one that arXiv can always answer."""

    exchange: Exchange
    pace: RateLimiter
    plain: ApiRequest
    _judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        """The judge asks through us."""
        self._judge = Judge(Channel.API, self.pace, self._plain_status)

    async def ask(self, request: ApiRequest, requester: Requester) -> Answer:
        """The whole answer to `request`, whatever it is, if it is one to this request.

        Raises ChannelClosed (the channel has to be left alone, as the whole fleet now
        does), SlotMissed, UpstreamFaulty (the answer was broken), RedirectRefused, and
        what the check of `requester` raises.
        """
        try:
            answer = await self._answer(request, requester)
        except UpstreamUnreachable as err:
            raise await self._judge.no_answer(err) from err
        if answer.status == 403:  # we are blocked; going on would be taken for an attack
            raise await self._judge.block()
        if _is_rate_exceeded(answer):
            raise await self._judge.cooldown(answer.status, answer.headers)
        await self._judge.check(answer.status, answer.headers)
        return answer

    async def _plain_status(self) -> int:
        return (
            await self._answer(self.plain, Requester("plain", _wanted, PLAIN_RANK), is_plain=True)
        ).status

    async def _answer(
        self, request: ApiRequest, requester: Requester, *, is_plain: bool = False
    ) -> Answer:
        """The answer at the end of the redirects; each hop has a slot of its own."""
        url = URL(request.url, encoded=True)
        for _ in range(MAX_HOPS + 1):
            async with self.pace.api_slot(requester.rank, is_plain=is_plain) as slot:
                await requester.check()
                await slot.begin()
                answer = await self.exchange.whole(url, request.form, on_answer=slot.answered)
            target = next_hop(url, answer.status, answer.headers.get("Location"))
            if target is None:
                return answer
            url = target
        raise too_many_hops()


def _is_rate_exceeded(answer: Answer) -> bool:
    return answer.status == 200 and answer.body.lstrip()[:20].lower().startswith(_THROTTLED_BODY)
