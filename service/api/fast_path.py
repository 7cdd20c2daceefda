"""The short way to the status of a job: past the router and the middlewares.

What those find out for each request is the same for nearly all that ask for a status, and it
takes longer than reading the row. So the server asks here first (`FIRST_HANDLER` in `server`).
Only the plainest look is answered here. Everything else goes the long way, as does a look that
fails: what an answer is in those cases is decided there alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from uuid import UUID

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from service.api.handlers.jobs import FAILED, uuid_of
from service.api.handlers.metrics import STARTED, Metrics
from service.api.looks import JobStatusReader
from service.api.prefer import PREFER
from service.api.ready import Ready, is_simple_get
from service.api.response_headers import ResponseHeaders
from service.auth.tokens import Tokens

_UNUSUAL = (hdrs.IF_NONE_MATCH, PREFER, hdrs.EXPECT)  # headers that make the answer another one


@dataclass(frozen=True, slots=True, kw_only=True)
class FastPath:
    """What the long way would ask on its way to `route`, the one that shows a job."""

    route: web.AbstractRoute
    looks: JobStatusReader
    tokens: Tokens
    is_active: Callable[[str], bool]
    dressing: ResponseHeaders
    metrics: Metrics

    def before(self, long_way: Handler) -> Handler:
        """Handles all requests: some here, the others by `long_way`."""
        assert self.route.resource is not None
        prefix = str(self.route.resource.url_for(job_id=""))

        async def handle(request: web.Request) -> web.StreamResponse:
            path = request.raw_path
            job_id = uuid_of(path[len(prefix) :]) if path.startswith(prefix) else None
            if job_id is None or not self._is_for(request):
                return await long_way(request)
            return await self._look(request, job_id) or await long_way(request)

        return handle

    def _is_for(self, request: web.Request) -> bool:
        """Whether this is a plain look by an active caller whose token is known."""
        headers = request.headers
        if not is_simple_get(request) or any(name in headers for name in _UNUSUAL):
            return False
        tokens = headers.getall(hdrs.AUTHORIZATION, ())
        grant = self.tokens.recall(tokens[0]) if len(tokens) == 1 else None
        return grant is not None and self.is_active(grant.caller) and not self.dressing.adds

    async def _look(self, request: web.Request, job_id: UUID) -> Ready | None:
        """The answer; None, and the request bears the failure, if it is to be told."""
        started = perf_counter()
        try:
            shown = await self.looks.at(job_id)
        except Exception as err:  # raised again on the long way, and told there
            request[STARTED], request[FAILED] = started, err
            return None
        if self.dressing.adds:  # since we asked
            return None
        response = Ready(shown.packed)
        self.dressing.traffic.note(request, response)
        self.metrics.note(self.route, hdrs.METH_GET, 200, perf_counter() - started)
        return response
