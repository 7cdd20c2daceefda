"""The server: routes, latency, faults, log; and how to run it inside a test.

    async with running_replica(ReplicaOptions(papers=60)) as replica:
        replica.script([{"kind": "503", "lane": "api", "number": 1}])
        ...  # point ARXIV_API_URL to f"{replica.url}/api/query"

Every request is a task of its own, so that a slow client holds nobody up. A new
lane (OAI-PMH) is a route and a handler that returns an `Answer`, beside the two
in `Replica.routes`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from service.devtools.stand_in import feed
from service.devtools.stand_in.answers import MAX_SECONDS, Answer, cut
from service.devtools.stand_in.control import Control
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.download import MISSING, download
from service.devtools.stand_in.faults import FaultPlan, RateFault, Step
from service.devtools.stand_in.log import RequestLog
from service.devtools.stand_in.misbehaviour import Exchange, HeldRequests, misbehave
from service.devtools.stand_in.parameters import Parameters
from service.devtools.stand_in.query import BadQuery
from service.devtools.stand_in.recordings import Recorded
from service.devtools.stand_in.source import Source, Synthetic

_GRACE = 0.1  # seconds that requests under way get when the server stops
_MAX_SCRIPT_BYTES = 4 * 2**20
_EXPLODED = Answer(status=500, body=b"Internal Server Error", content_type="text/plain")

Handler = Callable[[web.Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaOptions:
    """What to serve and how badly.

    `port` 0 takes a free one. `faults` hit by rate. `latency` (PDFs) and
    `api_latency` are seconds before an answer begins, `bandwidth` bytes per second
    of one PDF download, None for no bound. `log_file` gets the log as JSON lines,
    appended. `recordings` is a folder to serve instead of the made-up corpus.
    """

    papers: int = 1_000
    seed: int = 7
    host: str = "127.0.0.1"
    port: int = 0
    faults: Sequence[RateFault] = ()
    latency: float = 0.0
    api_latency: float = 0.0
    bandwidth: int | None = None
    log_file: Path | None = None
    recordings: Path | None = None


class Replica:
    """A running stand-in arXiv; made by `running_replica`."""

    def __init__(self, options: ReplicaOptions, log: RequestLog) -> None:
        self._options = options
        self._plan = FaultPlan(options.faults, options.seed)
        self.log = log
        self.holds = HeldRequests()
        self.corpus = Corpus(options.papers, options.seed)
        synthetic = Synthetic(self.corpus)
        self.search = synthetic.search
        self.source: Source = synthetic
        if options.recordings is not None:
            self.source = Recorded(options.recordings, options.seed)
        self.url = ""

    @property
    def api_url(self) -> str:
        """What to set ARXIV_API_URL to."""
        return f"{self.url}/api/query"

    @property
    def oai_url(self) -> str:
        """What to set ARXIV_OAI_URL to."""
        return f"{self.url}/oai"

    @property
    def pdf_url(self) -> str:
        """What to set ARXIV_PDF_URL to."""
        return f"{self.url}/pdf"

    def script(self, steps: Sequence[Step | Mapping[str, Any]]) -> None:
        """Append steps to the script (see `faults`); raises BadFault."""
        self._plan.add([one if isinstance(one, Step) else Step.read(one) for one in steps])

    def release(self, count: int | None = None) -> int:
        """Let held requests go on: all, or the `count` that wait longest; how many went."""
        return self.holds.release(count)

    async def wait_until_held(self, count: int = 1, *, timeout: float = 10.0) -> None:
        """Return once `count` requests are held; TimeoutError after `timeout` seconds."""
        await self.holds.wait_for(count, timeout=timeout)

    def application(self) -> web.Application:
        """The application: the lanes, the control API, and 404 for the rest."""
        app = web.Application(client_max_size=_MAX_SCRIPT_BYTES)
        app.add_routes(Control(self.log, self._plan, self.holds).routes())
        app.add_routes(self.routes())
        return app

    def routes(self) -> list[web.RouteDef]:
        """The routes of the lanes."""
        pdf = partial(download, source=self.source)
        query = partial(self._serve, lane="api", handler=self._query)
        return [
            web.get("/api/query", query),
            web.post("/api/query", query),  # the manual offers it for long queries
            web.get("/pdf/{id:.+}", partial(self._serve, lane="pdf", handler=pdf)),
            web.route("*", "/{path:.*}", partial(self._serve, lane="other", handler=_missing)),
        ]

    async def _query(self, request: web.Request) -> Answer:
        """The answer of the query API."""
        try:
            parameters = Parameters.read({**request.query, **await _form(request)})
            if parameters.max_results == 0:
                return _EXPLODED  # as arXiv does
            return self.source.query(parameters)
        except BadQuery as error:
            return feed.error_feed(str(error))

    async def _serve(
        self, request: web.Request, *, lane: str, handler: Handler
    ) -> web.StreamResponse:
        """Answer one request: record it, delay it, spoil it or serve it."""
        record = self.log.begin(request, lane)
        is_pdf = lane == "pdf"
        exchange = Exchange(
            request,
            record,
            partial(handler, request),
            self._options.bandwidth if is_pdf else None,
            self.holds,
        )
        try:
            async with asyncio.timeout(2 * MAX_SECONDS):
                await _delay(self._options.latency if is_pdf else self._options.api_latency)
                step = self._plan.next(record)
                if step:
                    return await misbehave(exchange, step)
                return await exchange.send(await exchange.normal())
        except (ConnectionError, TimeoutError):
            return cut(request, web.Response())  # the client is gone, or has not read for long
        finally:
            self.log.end(record)


async def _form(request: web.Request) -> dict[str, str]:
    """The parameters in the body of a POST."""
    return {name: str(value) for name, value in (await request.post()).items()}


async def _missing(_: web.Request) -> Answer:
    return MISSING


async def _delay(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def running_replica(options: ReplicaOptions | None = None) -> AsyncIterator[Replica]:
    """Serve until the block ends; requests still under way are then cut, in less than a second.

    Raises OSError when the address is taken, BadFolder for a folder without recordings.
    """
    options = options or ReplicaOptions()
    with RequestLog(options.log_file) as log:
        replica = Replica(options, log)
        runner = web.AppRunner(
            replica.application(),
            access_log=None,
            handler_cancellation=True,  # a client that vanishes ends its request
            shutdown_timeout=_GRACE,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, options.host, options.port).start()
            host, port = runner.addresses[0][:2]
            replica.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            yield replica
        finally:
            await runner.cleanup()
