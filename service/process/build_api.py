"""Composition of the HTTP application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from service.api.callbacks import WEBHOOKS
from service.api.change_watch import CHANGE_WATCH, ChangeWatch
from service.api.fast_path import UNUSUAL, FastPath
from service.api.handlers.docs import THE_DESCRIPTION, Description
from service.api.handlers.health import READINESS, Readiness
from service.api.handlers.jobs import DATABASE, DRY_RUNS, QUOTAS, REQUEST_RULES
from service.api.handlers.metrics import METRICS, Metrics
from service.api.handlers.ops import ARXIV_LIMITS, ArxivLimits
from service.api.handlers.paper_files import STORE
from service.api.handlers.stats import STATS, Stats
from service.api.job_status import JOB_STATUS_READER, JobStatusReader
from service.api.job_watch import JOB_WATCH, JobWatch
from service.api.middlewares.auth import authentication
from service.api.middlewares.compression import compression
from service.api.middlewares.conflict_retry import retry_conflicts
from service.api.middlewares.errors import problems
from service.api.middlewares.rate_limit import Bounds, RateLimits
from service.api.middlewares.tracing import traced
from service.api.request_body import BODY_SECONDS, MAX_BODY_BYTES
from service.api.request_context import request_context
from service.api.response_headers import ResponseHeaders
from service.api.root_path import ROOT_PATH
from service.api.routes import add_routes, is_public, status_route
from service.api.server import FIRST_HANDLER
from service.api.shutdown_delay import SHUTDOWN_DELAY, ShutdownDelay
from service.api.streaming import STREAMS, Streams
from service.api.view_watch import VIEW_WATCH, ViewWatch
from service.api.watch_room import WatchLimits
from service.arxiv.rate_limiter import API_MARGIN, PDF_MARGIN
from service.auth.blocklist import Blocklist
from service.auth.jwks import KeySet
from service.auth.tokens import TokenRules, Tokens
from service.config.settings import Settings
from service.db.engine import Database
from service.domain.tracing import TRACEPARENT, tracer
from service.domain.webhooks import WebhookSettings
from service.files.store import PdfStore
from service.jobs.dry_run import DryRuns, Intervals
from service.jobs.quotas import Quotas
from service.jobs.request_rules import RequestRules
from service.process.background import beside
from service.process.logging import lines_dropped
from service.process.loop_lag import LoopLag
from service.sources.paging import PageSource

LAG: web.AppKey[LoopLag] = web.AppKey("lag", LoopLag)
WATCHES: web.AppKey[list[asyncio.Task[None]]] = web.AppKey("watches", list)

Watch = Callable[[], Coroutine[None, None, None]]

MIN_INTERVAL_SECONDS = 0.001  # an interval of 0 permits any rate
API_DEADLINE_SECONDS = 2.5  # an answer within three, whatever the database does


def request_rules(settings: Settings) -> RequestRules:
    """What may be asked for, as configured."""
    return RequestRules(
        search_window=settings.arxiv_search_window,
        has_snapshots=settings.snapshot_dir is not None,
    )


def arxiv_limits(settings: Settings) -> ArxivLimits:
    """The rate limits towards arXiv, by the minute."""

    def per_minute(interval: float) -> float:
        return 60 / max(interval, MIN_INTERVAL_SECONDS)

    return ArxivLimits(
        api_requests_per_minute=per_minute(settings.arxiv_min_interval_seconds),
        pdfs_per_minute=60 * settings.arxiv_pdf_per_second,
        html_requests_per_minute=per_minute(settings.arxiv_html_min_interval_seconds),
    )


def bounds(settings: Settings) -> Bounds:
    """The bounds that are configured."""
    return Bounds(
        reads=settings.reads_per_minute,
        writes=settings.writes_per_minute,
        jobs_per_caller=settings.max_jobs_per_caller,
        jobs=settings.max_jobs,
    )


def give_dry_runs(app: web.Application, settings: Settings, arxiv: PageSource) -> None:
    """Let `app` answer dry runs, which ask `arxiv`; an application that is not begun yet."""
    intervals = Intervals(
        api=timedelta(seconds=settings.arxiv_min_interval_seconds) + API_MARGIN,
        pdf=timedelta(seconds=1 / settings.arxiv_pdf_per_second) * PDF_MARGIN,
        html=timedelta(seconds=settings.arxiv_html_min_interval_seconds) + API_MARGIN,
    )
    app[DRY_RUNS] = DryRuns(arxiv, intervals)


def build_api(  # noqa: PLR0913 - the parts of a process, each its own
    rules: TokenRules,
    database: Database,
    store: PdfStore,
    bounds: Bounds | None = None,
    *,
    wait_limits: WatchLimits | None = None,
    root_path: str = "",
    webhooks: WebhookSettings | None = None,
    request_rules: RequestRules | None = None,
    metrics_folder: Path | None = None,
    arxiv_limits: ArxivLimits | None = None,
) -> web.Application:
    """The HTTP application; its background work starts and ends with it.

    `wait_limits`: bounds on those who wait for changes, if not the usual ones. `root_path`:
    the path prefix that a proxy puts in front, without a slash at its end. `request_rules`:
    what may be asked for here, if not what may be by default. `metrics_folder`: where the
    processes that share the port keep their metrics, if this is one of several. `webhooks`:
    how callers are called back; without it they are not. `arxiv_limits`: what arXiv permits,
    for operators to compare with. Dry runs are for `give_dry_runs`.
    """
    bounds = bounds or Bounds()
    callers, lag = Blocklist(database), LoopLag()
    published = KeySet(rules.jwks_url, rules.algorithm) if rules.jwks_url else None
    tokens = Tokens(rules, published)
    metrics = Metrics(database, lag.figures, lines_dropped, folder=metrics_folder)
    database.measurements = metrics.work
    rates = RateLimits(bounds, is_stuck=lambda: lag.is_stuck)
    app = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=[
            *([traced] if tracer() is not None else []),
            request_context,
            metrics.http.measure,
            compression,
            problems,
            authentication(
                tokens,
                is_public=is_public,
                require_active=callers.require_active,
                admit=rates.admit,
            ),
            retry_conflicts,
        ],
    )
    app[ROOT_PATH] = root_path
    if webhooks is not None:
        app[WEBHOOKS] = webhooks
    app[LAG], app[METRICS], app[WATCHES] = lag, metrics, []
    app[BODY_SECONDS] = bounds.body_seconds
    app[REQUEST_RULES] = request_rules or RequestRules()
    app[ARXIV_LIMITS] = arxiv_limits or ArxivLimits()
    app[QUOTAS] = Quotas(per_caller=bounds.jobs_per_caller, in_all=bounds.jobs)
    app[READINESS] = Readiness(database, store, callers, published)
    app.on_cleanup.append(lambda app: app[READINESS].close())
    app[SHUTDOWN_DELAY] = ShutdownDelay()
    _look_at(app, database, store)
    app[JOB_WATCH] = JobWatch(database, is_active=callers.is_active, limits=wait_limits)
    app[CHANGE_WATCH] = ChangeWatch(database, is_active=callers.is_active, limits=wait_limits)
    app[VIEW_WATCH] = ViewWatch(is_active=callers.is_active, limits=wait_limits)
    app.on_shutdown.append(release_watchers)
    app.on_cleanup.append(lambda app: app[VIEW_WATCH].join())
    response_headers = ResponseHeaders(
        lambda: app[READINESS].is_stopping, rates, app[SHUTDOWN_DELAY]
    )
    app.on_response_prepare.append(response_headers.apply)
    watches: list[Watch] = [
        callers.watch,
        lag.watch,
        partial(app[QUOTAS].watch, database),
        app[JOB_WATCH].run,
        app[CHANGE_WATCH].run,
    ]
    if metrics_folder is not None:
        watches.append(metrics.keep_published)
    if published is not None:
        watches.append(published.watch)
    app.cleanup_ctx.append(_watching(watches, first=callers.load))
    add_routes(app)
    app[THE_DESCRIPTION] = Description(app)
    app[FIRST_HANDLER] = FastPath(
        route=status_route(app),
        statuses=app[JOB_STATUS_READER],
        tokens=tokens,
        is_active=callers.is_active,
        response_headers=response_headers,
        metrics=metrics.http,
        unusual=UNUSUAL if tracer() is None else (*UNUSUAL, TRACEPARENT),
    )
    return app


def _look_at(app: web.Application, database: Database, store: PdfStore) -> None:
    """Give the handlers what they read from, and let go of it at the end."""
    app[DATABASE], app[STORE] = database, store
    app[JOB_STATUS_READER], app[STATS], app[STREAMS] = (
        JobStatusReader(database),
        Stats(database),
        Streams(),
    )
    app.on_shutdown.append(app[STREAMS].stop)
    app.on_cleanup.append(lambda app: app[STATS].close())
    app.on_cleanup.append(lambda app: app[JOB_STATUS_READER].close())


async def release_watchers(app: web.Application) -> None:
    """Let all go who wait for a change: the process is about to stop."""
    app[JOB_WATCH].close()
    app[CHANGE_WATCH].close()
    app[VIEW_WATCH].close()


def _watching(watches: Sequence[Watch], *, first: Watch) -> Any:  # noqa: ANN401 - aiohttp's
    async def watching(app: web.Application) -> AsyncIterator[None]:
        await first()
        async with beside(*(watch() for watch in watches)) as tasks:
            app[WATCHES].extend(tasks)
            yield

    return watching
