"""Composition of a worker: queue engine, task handlers, background tasks."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from service.api.callbacks import webhook_body
from service.arxiv.client import ArxivClient
from service.arxiv.limits import ClientLimits, Waits
from service.arxiv.oai_client import OaiClient
from service.arxiv.outage_log import log_outages
from service.config.settings import Settings
from service.db.engine import Database, outage_log
from service.domain.measurements import UNMEASURED, Measurements
from service.domain.outages import OutageLog
from service.domain.outcomes import Outcome
from service.domain.webhooks import WebhookSettings
from service.extraction.pool import ExtractLimits, Extractor
from service.extraction.quarantine import Readers
from service.files.store import PdfStore
from service.jobs.fulltext import FetchPdf, PdfTools
from service.jobs.harvest import HarvestStep
from service.jobs.html_page import FetchHtml, HtmlTools
from service.jobs.maintenance.maintenance import run_maintenance
from service.jobs.quotas import Quotas
from service.jobs.results import ResultWriter
from service.jobs.schedules import keep_schedules
from service.jobs.tasks import HARVEST, HARVEST_VERSIONS, HTML, PDF, WEBHOOK
from service.jobs.webhooks.delivery import WebhookDelivery
from service.jobs.webhooks.sender import webhook_sender
from service.process.arxiv import arxiv_client
from service.process.background import beside
from service.process.resources import database_of, pdf_store
from service.sources.audit import AuditSource
from service.sources.documents import DocumentsSource
from service.sources.id_list import IdListSource
from service.sources.oai import OaiSource
from service.sources.paging import USUAL_REPEATS, Repeats
from service.sources.registry import Sources
from service.sources.search import SearchSource
from service.sources.search_parts import SearchPartsSource
from service.sources.snapshot import SnapshotSource
from service.worker.cancellation import stop_final_jobs
from service.worker.engine import Engine
from service.worker.heartbeat import keep_heartbeat
from service.worker.runner import measured, run_work
from service.worker.task import Kind

WORKER_DEADLINE_SECONDS = 30.0
QUEUE_DEADLINE_SECONDS = 5.0  # below the lease, so that a renewal may be repeated
# The fleet asks arXiv once at a time: while one task waits for that, the other stores. More
# would only keep tasks with expired leases waiting behind tasks that wait themselves.
HARVEST_CONCURRENCY = 2
# One page at a time, over the whole fleet: while one task asks, the other stores.
HTML_CONCURRENCY = 2
WEBHOOK_CONCURRENCY = 16
HAND_BACK_SECONDS = 5.0  # of the drain, kept for writing down what did not end
CALM = timedelta(seconds=30)  # that a worker lives before it reads what may have killed others
LONGEST_POLL = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Deadlines and waits towards arXiv; the defaults suit it, tests make them short."""

    limits: ClientLimits = field(default_factory=ClientLimits)
    waits: Waits = field(default_factory=Waits)
    repeats: Repeats = USUAL_REPEATS


@dataclass(slots=True)
class Worker:
    """A running worker: `drain` it to stop.

    `running` ends with a drain, the `companions` never: they serve what runs.
    """

    engine: Engine
    running: asyncio.Task[None]
    companions: Sequence[asyncio.Task[None]]
    databases: Sequence[Database]

    async def drain(self, seconds: float) -> None:
        """Take nothing new, let work end, release what has not; all within `seconds`."""
        to_hand_back = min(HAND_BACK_SECONDS, seconds / 2)
        self.engine.stop_taking()
        done, _ = await asyncio.wait({self.running}, timeout=seconds - to_hand_back)
        if not done:
            self.engine.release()
            done, _ = await asyncio.wait({self.running}, timeout=to_hand_back)
        if not done:  # the database hangs: nothing more can be written, and nobody waits for it
            for database in self.databases:
                database.abort()


@asynccontextmanager
async def running_worker(
    settings: Settings,
    url: str,
    *,
    timing: Timing | None = None,
    outages: OutageLog | None = None,
    measurements: Measurements = UNMEASURED,
) -> AsyncIterator[Worker]:
    """A worker with all it needs, at work until drained; then everything is closed.

    `timing`: deadlines and waits towards arXiv, if not the usual ones; `outages`: who
    is told of the database's, if there are others in this process; `measurements` keep what
    is measured.
    """
    timing = timing or Timing()
    outages = outages or outage_log()
    pool = partial(database_of, url, outages=outages, measurements=measurements)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            pool(name="worker", deadline_seconds=WORKER_DEADLINE_SECONDS, pool_size=12)
        )
        arxiv = await stack.enter_async_context(
            arxiv_client(
                settings,
                database,
                connections=settings.pdf_concurrency + HARVEST_CONCURRENCY + HTML_CONCURRENCY,
                limits=timing.limits,
                waits=timing.waits,
            )
        )
        store = pdf_store(settings)
        extractor = Extractor(settings.extract_processes, ExtractLimits())
        stack.push_async_callback(extractor.close)
        recorder = ResultWriter(database, keep_versions=settings.keep_versions)
        tools = PdfTools(
            database=database,
            arxiv=arxiv,
            store=store,
            extractor=extractor,
            recorder=recorder,
            readers=Readers(settings.extract_processes, calm=CALM),
        )
        html_tools = HtmlTools(
            database=database,
            arxiv=arxiv,
            store=store,
            extractor=extractor,
            readers=tools.readers,
        )
        queue = await stack.enter_async_context(
            pool(name="queue", deadline_seconds=QUEUE_DEADLINE_SECONDS, pool_size=4)
        )
        kinds = _kinds(settings, tools, html_tools, _sources(settings, arxiv, timing))
        if (webhooks := settings.webhooks) is not None:
            kinds.append(await stack.enter_async_context(_webhooks(settings, webhooks, database)))
        engine = _engine(settings, queue, kinds, listen_url=url)
        running, *companions = await stack.enter_async_context(
            beside(
                engine.run(),
                recorder.run(),
                stop_final_jobs(engine, database),
                keep_heartbeat(engine, database),
                _upkeep(settings, database, store),
                log_outages(database),
                keep_schedules(database, _admission(settings)),
            )
        )
        yield Worker(engine, running, companions, (database, queue))


def _admission(settings: Settings) -> Quotas:
    return Quotas(per_caller=settings.max_jobs_per_caller, in_all=settings.max_jobs)


def _upkeep(settings: Settings, database: Database, store: PdfStore) -> Coroutine[None, None, None]:
    kept = [
        timedelta(days=days) if days else None
        for days in (settings.job_retention_days, settings.change_retention_days)
    ]
    return run_maintenance(
        database,
        store,
        lease=timedelta(seconds=settings.lease_seconds),
        jobs_kept=kept[0],
        changes_kept=kept[1],
    )


def _sources(settings: Settings, arxiv: ArxivClient, timing: Timing) -> Sources:
    """All sources of papers that jobs may name: each new one is a line here."""
    oai = OaiClient(arxiv.api, settings.arxiv_oai_url)
    return Sources(
        [
            SearchPartsSource(arxiv, timing.repeats, settings.arxiv_search_window),
            SearchSource(arxiv, timing.repeats, settings.arxiv_search_window),
            IdListSource(arxiv, timing.repeats),
            OaiSource(oai),
            AuditSource(oai),
            SnapshotSource(settings.snapshot_dir),
            DocumentsSource(),
        ]
    )


def _kinds(
    settings: Settings, tools: PdfTools, html_tools: HtmlTools, sources: Sources
) -> list[Kind]:
    measurements = tools.database.measurements

    async def harvest(job_id: UUID, payload: Mapping[str, Any]) -> Outcome:
        work = HarvestStep(job_id, payload.get("page", {}), tools.database, sources)
        return await measured(HARVEST, run_work(work, jitter=random.random), measurements)

    async def pdf(job_id: UUID, payload: Mapping[str, Any]) -> Outcome:
        is_local = payload.get("local", False)
        work = FetchPdf(job_id, payload["paper"], payload["again"], tools, is_local=is_local)
        return await measured(PDF, run_work(work, jitter=random.random), measurements)

    async def html(job_id: UUID, payload: Mapping[str, Any]) -> Outcome:
        work = FetchHtml(
            job_id,
            payload["paper"],
            payload["again"],
            html_tools,
            is_local=payload.get("local", False),
            rank=payload["rank"],
        )
        return await measured(HTML, run_work(work, jitter=random.random), measurements)

    return [
        Kind(
            name=HARVEST,
            handler=harvest,
            concurrency=HARVEST_CONCURRENCY,
            versions=HARVEST_VERSIONS,
        ),
        Kind(
            name=PDF,
            handler=pdf,
            concurrency=settings.pdf_concurrency,
            fleet_concurrency=settings.pdf_fleet_concurrency or 0,
        ),
        Kind(
            name=HTML,
            handler=html,
            concurrency=HTML_CONCURRENCY,
        ),
    ]


@asynccontextmanager
async def _webhooks(
    settings: Settings, webhooks: WebhookSettings, database: Database
) -> AsyncIterator[Kind]:
    async with webhook_sender(webhooks.targets, connections=WEBHOOK_CONCURRENCY) as sender:
        delivery = WebhookDelivery(
            database=database,
            sender=sender,
            settings=webhooks,
            render=partial(webhook_body, root_path=settings.root_path),
            jitter=random.random,
        )

        async def deliver(job_id: UUID, payload: Mapping[str, Any]) -> Outcome:
            return await measured(WEBHOOK, delivery.run(job_id, payload), database.measurements)

        yield Kind(
            name=WEBHOOK,
            handler=deliver,
            concurrency=WEBHOOK_CONCURRENCY,
            is_for_jobs=False,
        )


def _engine(
    settings: Settings, queue: Database, kinds: Sequence[Kind], *, listen_url: str
) -> Engine:
    lease = timedelta(seconds=settings.lease_seconds)
    return Engine(
        database=queue,
        listen_url=listen_url,
        kinds=kinds,
        lease=lease,
        poll=min(LONGEST_POLL, lease / 3),
    )
