"""Process lifecycle: connect, migrate, serve, work, drain, exit.

The listener opens first and answers probes from then on; the database may come
later, or come back. Work begins once the schema is the one this code is for.
"""

import asyncio
import contextlib
import errno
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from aiohttp import web

from service.api.access_log import AccessLog
from service.api.handlers.health import READINESS
from service.api.handlers.metrics import METRICS, Metrics
from service.api.server import ConnectionLimits, Runner, affordable, base_url
from service.api.shutdown_delay import SHUTDOWN_DELAY
from service.config.settings import Settings, SettingsError
from service.db.engine import Database, outage_log
from service.domain.outages import OutageLog
from service.jobs.dry_run import MOST_AT_ONCE
from service.process import pid_one
from service.process.arxiv import arxiv_client
from service.process.build_api import (
    API_DEADLINE_SECONDS,
    WATCHES,
    arxiv_limits,
    bounds,
    build_api,
    give_dry_runs,
    release_watchers,
    request_rules,
)
from service.process.build_worker import Worker, running_worker
from service.process.resources import database_of, pdf_store
from service.process.shared_metrics import shared_metrics
from service.process.startup import prepared
from service.process.supervisor import siblings
from service.process.token_rules import token_rules
from service.process.trace_start import started_tracing
from service.process.worker_port import worker_port

STOP_SECONDS = 5.0  # for requests in flight, once the listener is closed
CLOSE_SECONDS = 2.0  # of the drain, kept for closing connections

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What one process does."""

    api: bool
    worker: bool
    number: int = 0  # of several API processes: those from 1 on were begun by the first

    @property
    def is_sibling(self) -> bool:
        """Whether another process has begun this one, to share its port."""
        return self.number > 0


@dataclass(frozen=True, slots=True)
class _ApiParts:
    """What only an API needs: see `run`."""

    keys: Sequence[str]
    metrics_folder: Path | None
    announce: Callable[[str], None] | None


def run(
    settings: Settings,
    role: Role,
    *,
    database: AbstractContextManager[str],
    keys: Sequence[str] = (),
    announce: Callable[[str], None] | None = None,
) -> None:
    """Run the process until SIGTERM or SIGINT; returns when it has drained.

    `database` gives the URL of the database, for as long as the process runs; `keys`
    are those that tokens are verified with, the signing one first. `announce` is
    called with the base URL once the listener is open.
    """
    pid_one.run_as_child_of_pid_one()
    signal.signal(signal.SIGTERM, _leave)  # until the event loop takes the signals over
    processes = settings.api_processes if role.api else 1
    with (
        started_tracing(settings),
        database as url,
        shared_metrics(processes=processes, number=role.number) as folder,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        api = _ApiParts(keys, folder, announce)
        runner.run(_live(settings, role, url=url, api=api))


def _leave(*_: object) -> None:
    """Unwind at once, so that an embedded PostgreSQL that was just started is stopped again."""
    raise SystemExit(0)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with contextlib.suppress(ImportError):  # not on every platform
        import uvloop  # noqa: PLC0415

        return uvloop.new_event_loop
    return None


async def _live(
    settings: Settings,
    role: Role,
    *,
    url: str,
    api: "_ApiParts",
) -> None:
    stopping, outages = _stop_signals(), outage_log()
    async with AsyncExitStack() as stack:
        app = None
        if not role.api:
            metrics = await stack.enter_async_context(_worker_listening(settings))
        else:
            database = await stack.enter_async_context(_api_pool(url, outages))
            app = await stack.enter_async_context(_listening(settings, role, database, api))
            metrics = app[METRICS]
            leaving = siblings(settings.api_processes - 1, stop_seconds=settings.drain_seconds)
            stop_siblings = await stack.enter_async_context(leaving)
        if not await prepared(settings, url, stopping, outages):
            return
        _log.info("database ready")
        worker: Worker | None = None
        if role.worker:
            working = running_worker(settings, url, outages=outages, measurements=metrics.work)
            worker = await stack.enter_async_context(working)
            metrics.system.databases.extend(worker.databases)
            _log.info("worker started", pdf_concurrency=settings.pdf_concurrency)
        await _until_stopped(stopping, app, worker)
        _log.info("draining")
        if app is not None:
            stop_siblings()
        await _drain(settings, app, worker)
    _log.info("stopped")


async def _drain(settings: Settings, app: web.Application | None, worker: Worker | None) -> None:
    async with asyncio.TaskGroup() as group:
        if app is not None:
            app[READINESS].is_stopping = True
            await release_watchers(app)
            group.create_task(app[SHUTDOWN_DELAY].wait_until_idle(_drain_delay(settings)))
        if worker is not None:
            group.create_task(worker.drain(settings.drain_seconds - _to_close(settings)))
    if app is not None:
        for watch in app[WATCHES]:
            watch.cancel()  # now, and not after the worker's: each may take its time to end


def _to_close(settings: Settings) -> float:
    """Seconds of the drain for requests in flight and for closing what is open."""
    return min(STOP_SECONDS + CLOSE_SECONDS, settings.drain_seconds / 2)


def _drain_delay(settings: Settings) -> float:
    return min(settings.drain_delay_seconds, settings.drain_seconds - _to_close(settings))


def _stop_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def _until_stopped(
    stopping: asyncio.Event, app: web.Application | None, worker: Worker | None
) -> None:
    """Wait for a signal, or for a part of the process to end, which none must do by itself."""
    stop = asyncio.create_task(stopping.wait())
    watches = () if app is None else app[WATCHES]
    work = () if worker is None else (worker.running, *worker.companions)
    done, _ = await asyncio.wait({stop, *watches, *work}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    for task in done - {stop}:
        task.result()


def _api_pool(url: str, outages: OutageLog) -> AbstractAsyncContextManager[Database]:
    return database_of(
        url, name="api", deadline_seconds=API_DEADLINE_SECONDS, pool_size=10, outages=outages
    )


@asynccontextmanager
async def _listening(
    settings: Settings,
    role: Role,
    database: Database,
    api: "_ApiParts",
) -> AsyncIterator[web.Application]:
    rules = token_rules(settings, api.keys)
    app = build_api(
        rules,
        database,
        pdf_store(settings),
        bounds(settings),
        root_path=settings.root_path,
        webhooks=settings.webhooks,
        request_rules=request_rules(settings),
        arxiv_limits=arxiv_limits(settings),
        metrics_folder=api.metrics_folder,
    )
    app.on_cleanup.insert(0, partial(_abort, database))
    async with arxiv_client(settings, database, connections=MOST_AT_ONCE) as arxiv:
        give_dry_runs(app, settings, arxiv)
        async with _served(settings, role, app, api.announce):
            yield app


@asynccontextmanager
async def _served(
    settings: Settings, role: Role, app: web.Application, announce: Callable[[str], None] | None
) -> AsyncIterator[None]:
    runner = Runner(
        app,
        ConnectionLimits(most=affordable(settings.max_connections)),
        access_log_class=AccessLog,
        shutdown_timeout=max(0.0, _to_close(settings) - CLOSE_SECONDS / 2),
    )
    try:
        shares_port = role.is_sibling or settings.api_processes > 1
        with _naming_the_port("PORT", settings.port):
            await runner.listen(settings.host, settings.port, is_shared=shares_port)
        base = base_url(runner)
        _log.info("listening", url=base)
        if announce is not None:
            announce(base)
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _worker_listening(settings: Settings) -> AsyncIterator[Metrics]:
    async with AsyncExitStack() as stack:
        with _naming_the_port("WORKER_PORT", settings.worker_port or 0):
            opening = worker_port(settings.host, settings.worker_port)
            metrics = await stack.enter_async_context(opening)
        yield metrics


@contextlib.contextmanager
def _naming_the_port(name: str, port: int) -> Iterator[None]:
    """Raise SettingsError, naming the variable, where the listener cannot be opened."""
    try:
        yield
    except OSError as err:
        if err.errno == errno.EADDRINUSE:
            problem = {name: f"is taken: another program listens on {port}"}
        elif err.errno == errno.EACCES:
            problem = {name: f"is not ours to open: {port} needs more rights"}
        else:
            problem = {"HOST": "is no address of this machine"}
        raise SettingsError(problem) from None


async def _abort(database: Database, _: web.Application) -> None:
    """Requests have ended or were cut off: nothing else is worth waiting for a hung server."""
    database.abort()
