"""What every answer gets before it leaves, whatever it is."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

from service.api.middlewares.rate_limit import RateLimits
from service.api.pages import guard_pages
from service.api.server import SERVER_NAME
from service.api.shutdown_delay import ShutdownDelay


@dataclass(frozen=True, slots=True)
class ResponseHeaders:
    """Server, page guards, RateLimit fields, the end of the connection at shutdown."""

    is_stopping: Callable[[], bool]
    rates: RateLimits
    traffic: ShutdownDelay

    async def apply(self, request: web.Request, response: web.StreamResponse) -> None:
        """Aiohttp's signal; one for all, since each costs an await."""
        response.headers[hdrs.SERVER] = SERVER_NAME
        guard_pages(response)
        self.rates.show(request, response)
        if self.is_stopping():  # so that no request is on its way when we close
            response.headers[hdrs.CONNECTION] = "close"
            response.force_close()
        self.traffic.note(request, response)

    @property
    def adds(self) -> bool:
        """Whether a plain look gets more than its own headers and the server's name now."""
        return self.is_stopping() or self.rates.counts_reads
