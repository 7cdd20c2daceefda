"""Response headers: those of every response, and the security headers of HTML pages.

Pages load nothing from elsewhere, are shown in no frame, and are not sniffed. A page
that needs more says so itself, by setting the header.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

from service.api.middlewares.rate_limit import RateLimits
from service.api.request_context import X_REQUEST_ID, request_id_of
from service.api.server import SERVER_NAME
from service.api.shutdown_delay import ShutdownDelay

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class ResponseHeaders:
    """Server, request id, page guards, RateLimit fields, the end of the connection at shutdown."""

    is_stopping: Callable[[], bool]
    rates: RateLimits
    traffic: ShutdownDelay

    async def apply(self, request: web.Request, response: web.StreamResponse) -> None:
        """Aiohttp's signal; one for all, since each costs an await."""
        response.headers[hdrs.SERVER] = SERVER_NAME
        response.headers[X_REQUEST_ID] = request_id_of(request)
        guard_pages(response)
        self.rates.show(request, response)
        if self.is_stopping():  # so that no request is on its way when we close
            response.headers[hdrs.CONNECTION] = "close"
            response.force_close()
        self.traffic.note(request, response)


def guard_pages(response: web.StreamResponse) -> None:
    """Give a page the headers that it has not set itself."""
    if response.headers.get(hdrs.CONTENT_TYPE, "").startswith("text/html"):
        for name, value in PAGE_HEADERS.items():
            response.headers.setdefault(name, value)


def add_vary(response: web.StreamResponse, name: str) -> None:
    """Say that the request header `name` decides the form of the response."""
    known = response.headers.get(hdrs.VARY, "")
    if name.lower() not in known.lower():
        response.headers[hdrs.VARY] = f"{known}, {name}" if known else name
