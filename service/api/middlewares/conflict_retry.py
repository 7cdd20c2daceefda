"""Conflict middleware: retries a write whose transaction lost against another one.

PostgreSQL ends one of two transactions that stand in each other's way (serialization
failure, deadlock); it has changed nothing then. Each of our writes is one transaction,
so its handler runs again, and the caller sees nothing of it.
"""

from aiohttp import web
from aiohttp.typedefs import Handler
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from service.api.middlewares.auth import READING
from service.domain.errors import TransactionConflict

RETRY_SECONDS = 1.5  # of the three in which an answer leaves


@web.middleware
async def retry_conflicts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run `handler` until it does not raise TransactionConflict, for RETRY_SECONDS at most."""
    if request.method in READING:
        return await handler(request)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(TransactionConflict),
        stop=stop_after_delay(RETRY_SECONDS),
        wait=wait_exponential_jitter(multiplier=0.01, max=0.2, jitter=0.05),
        reraise=True,
    ):
        with attempt:
            response = await handler(request)
    return response
