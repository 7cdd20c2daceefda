"""The server: routes, latency, faults, log; and how to run it inside a test.

    async with running_replica(ReplicaOptions(papers=60)) as replica:
        replica.script([{"kind": "503", "lane": "api", "number": 1}])
        ...  # point ARXIV_API_URL to f"{replica.url}/api/query"

Every request is a task of its own, so that a slow client holds nobody up. A channel
(query API, OAI-PMH, PDFs, HTML) is a route and a handler that
returns an `Answer`, in `Replica.routes`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from service.devtools.stand_in.answers import cut
from service.devtools.stand_in.channels import NOT_ACCEPTABLE, Channels
from service.devtools.stand_in.clock import Clock
from service.devtools.stand_in.control import Control
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.faults import LANES, MAX_SECONDS, FaultPlan, RateFault, Step
from service.devtools.stand_in.html import HtmlPages
from service.devtools.stand_in.log import PACED_LANES, Record, RequestLog
from service.devtools.stand_in.misbehaviour import Exchange, Handler, HeldRequests, misbehave
from service.devtools.stand_in.oai import IDENTIFIERS, RECORDS, OaiServer
from service.devtools.stand_in.oai_cache import OaiCache
from service.devtools.stand_in.outages import Listener, Outage, Outages
from service.devtools.stand_in.parameters import Surroundings
from service.devtools.stand_in.recordings import Recorded
from service.devtools.stand_in.source import Source, Synthetic
from service.devtools.stand_in.traps import Setting, Traps

_GRACE = 0.1  # seconds that requests under way get when the server stops
_MAX_SCRIPT_BYTES = 4 * 2**20
_FILES = ("pdf", "html")  # channels that send files, slower than answers

_Response = Awaitable[web.StreamResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaOptions:
    """What to serve and how badly.

    `port` 0 takes a free one; with `port_per_channel` each channel gets another free
    one besides. `faults` hit by rate, `traps` are on from the start. `latency` (PDFs
    and HTML) and `api_latency` are seconds before an answer begins, `bandwidth` bytes
    per second of one download, None for no bound. `log_file` gets the log as JSON
    lines, appended. `recordings` is a folder to serve instead of the made-up corpus.
    `oai_records` and `oai_identifiers` are the page sizes of OAI-PMH.
    """

    papers: int = 1_000
    seed: int = 7
    host: str = "127.0.0.1"
    port: int = 0
    port_per_channel: bool = False
    faults: Sequence[RateFault] = ()
    traps: Sequence[Setting] = ()
    latency: float = 0.0
    api_latency: float = 0.0
    bandwidth: int | None = None
    log_file: Path | None = None
    recordings: Path | None = None
    oai_records: int = RECORDS
    oai_identifiers: int = IDENTIFIERS


class Replica:
    """A running stand-in arXiv; made by `running_replica`."""

    def __init__(self, options: ReplicaOptions, log: RequestLog) -> None:
        self._options = options
        self._plan = FaultPlan(options.faults, options.seed)
        self.log = log
        self.holds = HeldRequests()
        self.clock = Clock()
        self.outages = Outages()
        self.traps = Traps(options.traps)
        self._plan.trap(self.traps.faults())
        self.cache = OaiCache(self.clock)
        self.corpus = Corpus(options.papers, options.seed)
        synthetic = Synthetic(self.corpus)
        self.search, self.records = synthetic.search, synthetic.records
        self.source: Source = synthetic
        if options.recordings is not None:
            self.source = Recorded(options.recordings, options.seed)
        self.oai = OaiServer(self.records, self.search, self.clock, self.traps)
        self.oai.records_limit = options.oai_records
        self.oai.identifiers_limit = options.oai_identifiers
        self.pages = HtmlPages(self.records, self.traps)

    @property
    def url(self) -> str:
        """Where the control API and every channel is."""
        return self.outages.main.url if self.outages.main else ""

    @property
    def api_url(self) -> str:
        """What to set ARXIV_API_URL to."""
        return f"{self._own('api')}/api/query"

    @property
    def oai_url(self) -> str:
        """What to set ARXIV_OAI_URL to."""
        return f"{self._own('oai')}/oai"

    @property
    def pdf_url(self) -> str:
        """What to set ARXIV_PDF_URL to."""
        return f"{self._own('pdf')}/pdf"

    @property
    def html_url(self) -> str:
        """What to set ARXIV_HTML_URL to."""
        return f"{self._own('html')}/html"

    def script(self, steps: Sequence[Step | Mapping[str, Any]]) -> None:
        """Append steps to the script (see `faults`); raises BadFault."""
        self._plan.add([one if isinstance(one, Step) else Step.read(one) for one in steps])

    def forget_script(self) -> None:
        """Forget the steps that were not used."""
        self._plan.clear()

    def trap(self, name: str, value: bool | float = True) -> None:
        """Switch a trap on (True, or its number) or off (False); raises BadTrap."""
        if value is False:
            self.traps.switch_off(name)
        else:
            self.traps.switch_on(Setting(name, None if value is True else float(value)))
        self._plan.trap(self.traps.faults())

    def amend(
        self, papers: Sequence[str], kind: str = "metadata", *, license_uri: str | None = None
    ) -> None:
        """Change papers (ids without version) now; see `amendments.Change`. Raises BadChange."""
        self.oai.amend_all(papers, kind, license_uri)

    def outage(self, seconds: float, lane: str | None = None, *, refuse: bool = False) -> None:
        """Begin an outage (see `outages`); raises BadOutage."""
        self.outages.begin(Outage.read({"seconds": seconds, "lane": lane, "refuse": refuse}))

    def release(self, count: int | None = None) -> int:
        """Let held requests go on: all, or the `count` that wait longest; how many went."""
        return self.holds.release(count)

    async def wait_until_held(self, count: int = 1, *, timeout: float = 10.0) -> None:
        """Return once `count` requests are held; TimeoutError after `timeout` seconds."""
        await self.holds.wait_for(count, timeout=timeout)

    def application(self) -> web.Application:
        """The application: the channels, the control API, and 404 for the rest."""
        app = web.Application(client_max_size=_MAX_SCRIPT_BYTES)
        app.add_routes(Control(self, self._plan).routes())
        app.add_routes(self.routes())
        return app

    def routes(self) -> list[web.RouteDef]:
        """The routes of the channels."""
        is_made_up = self._options.recordings is None
        channels = Channels(
            self.source,
            self.cache,
            self.oai if is_made_up else None,
            self.pages if is_made_up else None,
        )

        def lane(name: str, handler: Handler) -> Callable[[web.Request], _Response]:
            return partial(self._serve, lane=name, handler=handler)

        return [
            web.get("/api/query", lane("api", channels.query)),
            # the manual offers it for long queries
            web.post("/api/query", lane("api", channels.query)),
            web.get("/oai", lane("oai", channels.oai)),
            web.post("/oai", lane("oai", channels.oai)),
            web.get("/pdf/{id:.+}", lane("pdf", channels.pdf)),
            web.get("/html/{id:.+}", lane("html", channels.html)),
            web.get("/abs/{id:.+}", lane("other", channels.abstract)),
            web.route("*", "/{path:.*}", lane("other", channels.missing)),
        ]

    async def _serve(
        self, request: web.Request, *, lane: str, handler: Handler
    ) -> web.StreamResponse:
        """Answer one request: record it, delay it, spoil it or serve it."""
        record = self.log.begin(request, lane)
        is_file = lane in _FILES
        exchange = Exchange(
            request,
            record,
            handler,
            Surroundings(base=f"{request.scheme}://{request.host}", traps=self.traps),
            self._options.bandwidth if is_file else None,
            self.holds,
        )
        try:
            async with asyncio.timeout(2 * MAX_SECONDS):
                if self.outages.is_out(lane):
                    record.fault = "outage"
                    return cut(request, web.Response())
                await _delay(self._options.latency if is_file else self._options.api_latency)
                return await self._answer(exchange, record)
        except (ConnectionError, TimeoutError):
            return cut(request, web.Response())  # the client is gone, or has not read for long
        finally:
            self.log.end(record)

    async def _answer(self, exchange: Exchange, record: Record) -> web.StreamResponse:
        """Do what the script, the rates and the traps want, else answer rightly."""
        if step := self._plan.next(record):
            return await misbehave(exchange, step)
        refuses = "accept-406" in self.traps and record.lane in PACED_LANES
        if refuses and "Accept" not in exchange.request.headers:
            return await exchange.send(NOT_ACCEPTABLE)
        return await exchange.send(await exchange.normal())

    def _own(self, lane: str) -> str:
        """The URL of a channel's own port, or else of the main one."""
        listener = self.outages.own.get(lane)
        return listener.url if listener else self.url


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
            await _listen(replica.outages, runner, options)
            yield replica
        finally:
            await replica.outages.close()
            await runner.cleanup()


async def _listen(outages: Outages, runner: web.AppRunner, options: ReplicaOptions) -> None:
    """Open the main port and, if wanted, those of the channels."""
    outages.main = Listener(runner, options.host, options.port)
    await outages.main.open()
    for lane in LANES if options.port_per_channel else ():
        outages.own[lane] = Listener(runner, options.host, 0)
        await outages.own[lane].open()
