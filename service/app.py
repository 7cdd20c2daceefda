"""The one place where parts are built and joined, and where all settings are seen.

A process is an API, a worker, or both. They share nothing but the database, so
each is built here as if the other did not exist.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web

from service.api.auth import authentication
from service.api.body import BODY_SECONDS, MAX_BODY_BYTES
from service.api.callers import ActiveCallers
from service.api.documentation import THE_DESCRIPTION, Description
from service.api.health import READINESS, Readiness
from service.api.jobs import ADMISSION, DATABASE, READS
from service.api.jwks import PublishedKeys
from service.api.metrics import METRICS, Metrics
from service.api.pages import guard_pages
from service.api.paper_files import STORE
from service.api.problems import problems
from service.api.rate import Bounds, rate_limits, show_limits
from service.api.routes import PUBLIC_PATHS, add_routes
from service.api.server import SERVER_NAME
from service.api.stats import STATS, Stats
from service.api.streams import STREAMS, Streams
from service.api.tokens import TokenRules, Tokens
from service.api.traffic import TRAFFIC, Traffic
from service.api.waiting import WAITING, Waiting, WaitLimits
from service.arxiv.client import ArxivClient
from service.arxiv.http import client_session
from service.arxiv.limits import ClientLimits
from service.arxiv.pacing import FleetPace
from service.domain.outcome import Outcome
from service.ingest.admission import Admission
from service.ingest.fulltext import FetchPdf, PdfTools
from service.ingest.harvest import HarvestPage
from service.ingest.progress import Recorder
from service.ingest.readers import Readers
from service.ingest.schedules import keep_schedules
from service.ingest.tasks import HARVEST, PDF
from service.ingest.upkeep import keep_tidy
from service.lag import LoopLag
from service.pdf.extract import ExtractLimits, Extractor
from service.pdf.s3 import S3Store, bucket_of
from service.pdf.store import LocalStore, PdfStore
from service.settings import Settings, is_arxiv
from service.storage.engine import Database, create_engine
from service.storage.reads import JobReads
from service.worker.boundary import run_work
from service.worker.engine import Engine
from service.worker.task import Kind
from service.worker.watch import stop_final_jobs

LAG: web.AppKey[LoopLag] = web.AppKey("lag", LoopLag)

API_DEADLINE_SECONDS = 2.5  # an answer within three, whatever the database does
WORKER_DEADLINE_SECONDS = 30.0
QUEUE_DEADLINE_SECONDS = 5.0  # below the lease, so that a renewal may be repeated
HARVEST_CONCURRENCY = 4  # one asks arXiv at a time; the others store, or wait for their turn
HAND_BACK_SECONDS = 5.0  # of the drain, kept for writing down what did not end
CALM = timedelta(seconds=30)  # that a worker lives before it reads what may have killed others
LONGEST_POLL = timedelta(seconds=2)


def token_rules(settings: Settings, keys: Sequence[str]) -> TokenRules:
    """What tokens must fulfil, with the keys that are in force, the one that signs first."""
    return TokenRules(
        key=keys[0] if keys else None,
        other_keys=tuple(keys[1:]),
        key_ids=tuple((settings.jwt_key_ids or "").split()),
        jwks_url=settings.jwt_jwks_url,
        algorithm=settings.jwt_algorithm,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        leeway=settings.jwt_leeway_seconds,
        max_lifetime=settings.jwt_max_lifetime_seconds,
        write_scope=settings.jwt_write_scope,
        operator_scope=settings.jwt_operator_scope,
    )


def pdf_store(settings: Settings) -> PdfStore:
    """The storage of the PDFs."""
    if settings.bucket is not None:
        name, prefix = settings.bucket
        bucket = bucket_of(name, prefix=prefix, endpoint=settings.s3_endpoint_url)
        return S3Store(bucket, settings.storage_root, max_bytes=settings.max_pdf_bytes)
    return LocalStore(settings.storage_root, max_bytes=settings.max_pdf_bytes)


def bounds(settings: Settings) -> Bounds:
    """The bounds that are configured."""
    return Bounds(
        reads=settings.reads_per_minute,
        writes=settings.writes_per_minute,
        jobs_per_caller=settings.max_jobs_per_caller,
        jobs=settings.max_jobs,
    )


def build_api(
    rules: TokenRules,
    database: Database,
    store: PdfStore,
    bounds: Bounds | None = None,
    *,
    wait_limits: WaitLimits | None = None,
) -> web.Application:
    """The HTTP application; its background work starts and ends with it.

    `wait_limits`: bounds on those who wait for changes, if not the usual ones.
    """
    bounds = bounds or Bounds()
    callers, lag = ActiveCallers(database), LoopLag()
    published = PublishedKeys(rules.jwks_url, rules.algorithm) if rules.jwks_url else None
    tokens, metrics = Tokens(rules, published), Metrics(database, lag.figures)
    app = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=[
            metrics.measure,
            problems,
            authentication(tokens, public=PUBLIC_PATHS, is_active=callers.is_active),
            rate_limits(bounds, is_stuck=lambda: lag.is_stuck),
        ],
    )
    app[DATABASE] = database
    app[READS] = reads = JobReads(database)
    app[READINESS] = Readiness(database, store, published)
    app[STORE] = store
    app[STREAMS] = streams = Streams()
    app.on_shutdown.append(streams.stop)
    app[ADMISSION] = Admission(per_caller=bounds.jobs_per_caller, in_all=bounds.jobs)
    app[LAG] = lag
    app[THE_DESCRIPTION] = Description()
    app[METRICS] = metrics
    app[BODY_SECONDS] = bounds.body_seconds
    app[STATS] = stats = Stats(database)
    app.on_cleanup.append(lambda _: stats.close())
    _serve_waiters(app, Waiting(database, is_active=callers.is_active, limits=wait_limits))
    app[TRAFFIC] = Traffic()
    app.on_response_prepare.append(
        _dressing(_hide_versions, guard_pages, show_limits, _leave, app[TRAFFIC].note)
    )
    app.on_cleanup.append(lambda _: reads.close())
    for watch in (callers.watch, lag.watch, partial(app[ADMISSION].watch, database)):
        app.cleanup_ctx.append(_watching(watch))
    if published is not None:
        app.cleanup_ctx.append(_watching(published.watch))
    add_routes(app)
    return app


def _dressing(*steps: Callable[[web.Request, web.StreamResponse], None]) -> Any:  # noqa: ANN401 - aiohttp's signal
    """What every answer gets before it leaves, in one signal: each costs an await."""

    async def dress(request: web.Request, response: web.StreamResponse) -> None:
        for step in steps:
            step(request, response)

    return dress


def _hide_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER_NAME


def _serve_waiters(app: web.Application, waiting: Waiting) -> None:
    async def let_go(_: web.Application) -> None:
        waiting.close()

    app[WAITING] = waiting
    app.on_shutdown.append(let_go)
    app.cleanup_ctx.append(_watching(waiting.run))


def _leave(request: web.Request, response: web.StreamResponse) -> None:
    if request.app[READINESS].is_stopping:  # so that no request is on its way when we close
        response.headers["Connection"] = "close"
        response.force_close()


def _watching(watch: Callable[[], Coroutine[None, None, None]]) -> Any:  # noqa: ANN401 - aiohttp's cleanup context
    async def watching(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(watch())
        yield
        task.cancel()
        await asyncio.wait({task})

    return watching


@asynccontextmanager
async def database_of(
    url: str, *, name: str, deadline_seconds: float, pool_size: int
) -> AsyncIterator[Database]:
    """A database pool, closed at the end."""
    engine = create_engine(url, name=f"arxiv-ingestion {name}", pool_size=pool_size)
    database = Database(engine, deadline_seconds=deadline_seconds)
    try:
        yield database
    finally:
        await database.close()


@dataclass(slots=True)
class Worker:
    """A running worker: `drain` it to stop.

    `running` ends with a drain, the `companions` never: they serve what runs.
    """

    engine: Engine
    running: asyncio.Task[None]
    companions: Sequence[asyncio.Task[None]]

    async def drain(self, seconds: float) -> None:
        """Take nothing new, let work end, hand back what has not; all within `seconds`."""
        to_hand_back = min(HAND_BACK_SECONDS, seconds / 2)
        self.engine.stop_taking()
        done, _ = await asyncio.wait({self.running}, timeout=seconds - to_hand_back)
        if not done:
            self.engine.hand_back()
            await asyncio.wait({self.running}, timeout=to_hand_back)


@asynccontextmanager
async def running_worker(
    settings: Settings, url: str, *, limits: ClientLimits | None = None
) -> AsyncIterator[Worker]:
    """A worker with all it needs, at work until drained; then everything is closed.

    `limits`: deadlines and tries towards arXiv, if not the usual ones.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            database_of(url, name="worker", deadline_seconds=WORKER_DEADLINE_SECONDS, pool_size=12)
        )
        arxiv = await stack.enter_async_context(_arxiv_client(settings, database, limits))
        store = pdf_store(settings)
        extractor = Extractor(settings.extract_processes, ExtractLimits())
        stack.push_async_callback(extractor.close)
        recorder = Recorder(database)
        tools = PdfTools(
            database=database,
            arxiv=arxiv,
            store=store,
            extractor=extractor,
            recorder=recorder,
            readers=Readers(settings.extract_processes, calm=CALM),
        )
        queue = await stack.enter_async_context(
            database_of(url, name="queue", deadline_seconds=QUEUE_DEADLINE_SECONDS, pool_size=4)
        )
        engine = _engine(settings, queue, tools, arxiv, listen_url=url)
        companions = [
            await stack.enter_async_context(_beside(recorder.run())),
            await stack.enter_async_context(_beside(stop_final_jobs(engine, database))),
            await stack.enter_async_context(_beside(_upkeep(settings, database, store))),
            await stack.enter_async_context(_beside(keep_schedules(database))),
        ]
        running = await stack.enter_async_context(_beside(engine.run()))
        yield Worker(engine, running, companions)


def _upkeep(settings: Settings, database: Database, store: PdfStore) -> Coroutine[None, None, None]:
    days = settings.job_retention_days
    return keep_tidy(
        database,
        store,
        lease=timedelta(seconds=settings.lease_seconds),
        jobs_kept=timedelta(days=days) if days else None,
    )


@asynccontextmanager
async def _arxiv_client(
    settings: Settings, database: Database, limits: ClientLimits | None
) -> AsyncIterator[ArxivClient]:
    pace = FleetPace(
        database=database,
        api_interval=timedelta(seconds=settings.arxiv_min_interval_seconds),
        pdf_interval=timedelta(seconds=1 / settings.arxiv_pdf_per_second),
        lease=timedelta(seconds=settings.lease_seconds),
    )
    hosts = {
        urlsplit(url).hostname or "" for url in (settings.arxiv_api_url, settings.arxiv_pdf_url)
    }
    is_stand_in = not all(is_arxiv(host) for host in hosts)
    async with client_session(allow_private=is_stand_in) as session:
        yield ArxivClient(
            session,
            api_url=settings.arxiv_api_url,
            pdf_url=settings.arxiv_pdf_url,
            contact=settings.arxiv_contact,
            pace=pace,
            limits=limits,
        )


def _engine(
    settings: Settings, queue: Database, tools: PdfTools, arxiv: ArxivClient, *, listen_url: str
) -> Engine:
    async def harvest(job_id: UUID, payload: Mapping[str, Any]) -> Outcome:
        work = HarvestPage(job_id, payload.get("page", {}), tools.database, arxiv)
        return await run_work(work, jitter=random.random)

    async def pdf(job_id: UUID, payload: Mapping[str, Any]) -> Outcome:
        work = FetchPdf(job_id, payload["paper"], payload["again"], tools)
        return await run_work(work, jitter=random.random)

    lease = timedelta(seconds=settings.lease_seconds)
    return Engine(
        database=queue,
        listen_url=listen_url,
        kinds=[
            Kind(name=HARVEST, handler=harvest, concurrency=HARVEST_CONCURRENCY),
            Kind(
                name=PDF,
                handler=pdf,
                concurrency=settings.pdf_concurrency,
                fleet_concurrency=settings.pdf_fleet_concurrency or 0,
            ),
        ],
        lease=lease,
        poll=min(LONGEST_POLL, lease / 3),
    )


@asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[asyncio.Task[None]]:  # noqa: ANN401 - a coroutine
    task: asyncio.Task[None] = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
