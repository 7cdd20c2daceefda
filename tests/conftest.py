"""What every test may use: a real PostgreSQL, a clean database, requests to submit."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db import migrate
from service.db.addresses import libpq_url
from service.db.engine import Database, create_engine
from service.devtools.embedded_postgres import EmbeddedPostgres
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, IngestionRequest
from service.domain.papers import Paper
from tests.pooler import PGBOUNCER, pgbouncer

TESTS = Path(__file__).parent
START_PROCESSES = ("faults", "jobs", "cli", "process", "devtools", "files")  # the longest first
EMPTIED = (
    "jobs, papers, paper_texts, paper_search, documents, html_pages, paper_versions,"
    " older_texts, coverage, job_papers, job_errors, callers, schedules, workers,"
    " fleet_counters, webhooks,"
    " webhook_deliveries, job_events, job_intervals,"
    " paper_changes, paper_change_batches, paper_change_feed,"
    " pgqueuer, pgqueuer_log, pgqueuer_statistics, pgqueuer_schedules"
)
# Only what was written to since it was emptied last: each table costs a few files.
TRUNCATE = f"""
    DO $$
    DECLARE written text;
    BEGIN
        SELECT string_agg(name, ', ') INTO written
            FROM unnest(string_to_array('{EMPTIED}', ', ')) AS name
            WHERE pg_relation_size(name::regclass) > 0;
        IF written IS NOT NULL THEN
            EXECUTE 'TRUNCATE ' || written || ' CASCADE';
        END IF;
    END $$
"""
RESET_PACE = (
    "UPDATE upstream_pace SET next_at = now(), silent_until = NULL, holder = NULL,"
    " held_until = NULL, strikes = 0, failing = '{}', failing_since = NULL, failures = 0,"
    " reason = NULL, retry_at = NULL, cooldown_since = NULL, is_blocked = false,"
    " answered_at = NULL, paused_since = NULL, waiting_from = NULL, waiter = NULL,"
    " waiter_rank = NULL, waiter_until = NULL"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--through-pgbouncer",
        action="store_true",
        help="reach the database through PgBouncer in transaction mode",
    )
    parser.addoption(
        "--screenshots",
        action="store_true",
        help="write the screenshots of the operators' page into docs/images",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse at once what could not be done; let SIGINT end what the tests start."""
    begin_with_default_signals()
    if config.getoption("--through-pgbouncer") and PGBOUNCER is None:
        raise pytest.UsageError("--through-pgbouncer: pgbouncer is not installed")


def begin_with_default_signals() -> None:
    """Take SIGINT as by default, though who started us ignores it (a shell, for a job behind `&`).

    What is ignored stays so in all that we start; a handler of ours does not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests; skip what a pooler makes impossible, naming its reason."""
    first_what_takes_long(items)
    if not config.getoption("--through-pgbouncer"):
        return
    for item in items:
        if marker := item.get_closest_marker("needs_session"):
            item.add_marker(pytest.mark.skip(reason=f"needs a session: {marker.args[0]}"))


def first_what_takes_long(items: list[pytest.Item]) -> None:
    """Put modules with a slow test first, then the folders whose tests start processes.

    A long module that begins last would keep one process of the run busy and the others idle.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    rank = {folder: place for place, folder in enumerate(START_PROCESSES)}

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(TESTS).parts[0]
        return -1 if item.path in slow else rank.get(folder, len(rank))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over the modules and tests, which stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undo what a command that ran in this process has configured: others look at the log."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root.handlers[:], root.level = handlers, level


async def hurry(url: str) -> None:
    """Let the server not wait for its disk: the machine does not crash in the middle of the suite.

    What must outlive a crash of PostgreSQL is tested on servers of its own (tests/faults).
    """
    connection = await asyncpg.connect(libpq_url(url))
    try:
        for setting in ("fsync", "full_page_writes"):
            await connection.execute(f"ALTER SYSTEM SET {setting} TO off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server for this run: TEST_DATABASE_URL, or an embedded one."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    server = EmbeddedPostgres.under(tmp_path_factory.mktemp("data"))
    server.start()
    asyncio.run(hurry(server.url))
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def database_url(postgres: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a database at the newest revision; tests share it, each finds it empty."""

    async def prepare() -> None:
        engine = create_engine(postgres, name="tests", pool_size=1)
        await migrate.upgrade(engine)
        await engine.dispose()

    asyncio.run(prepare())
    if not request.config.getoption("--through-pgbouncer"):
        yield postgres
        return
    with pgbouncer(postgres, pool_size=50) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on the empty database."""
    engine = create_engine(database_url, name="tests", pool_size=10)
    async with engine.begin() as conn:
        await conn.execute(text(TRUNCATE))
        await conn.execute(text(RESET_PACE))
    yield Database(engine, deadline_seconds=20)
    await engine.dispose()


OpenDatabase = Callable[..., Database]


@pytest.fixture
async def open_database() -> AsyncIterator[OpenDatabase]:
    """Further pools, closed when whatever a test has begun on them has ended.

    A pool that is closed earlier makes new connections for who goes on using it.
    """
    engines: list[AsyncEngine] = []

    def open_database(
        url: str, *, deadline_seconds: float, name: str = "tests further", pool_size: int = 10
    ) -> Database:
        engines.append(create_engine(url, name=name, pool_size=pool_size))
        return Database(engines[-1], deadline_seconds=deadline_seconds)

    yield open_database
    for engine in engines:
        await returned(engine.pool)
        await engine.dispose()


async def returned(pool: Any) -> None:
    """Wait until connections of cancelled tasks are back: SQLAlchemy returns them beside them."""
    async with asyncio.timeout(30):
        while pool.checkedout():  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0)


@pytest.fixture
def sql(database: Database) -> Callable[..., Awaitable[list[Any]]]:
    """Run one statement, committed, as an operator would; returns its rows, if any."""

    async def run(statement: str, **parameters: object) -> list[Any]:
        async with database.engine.begin() as conn:
            result = await conn.execute(text(statement), parameters)
            return list(result.all()) if result.returns_rows else []

    return run


def make_request(**changes: object) -> IngestionRequest:
    """A request for ten papers of cs.AI, changed as the test wants it."""
    criteria = changes.pop("criteria", None) or Criteria(category="cs.AI", page_size=5)
    return IngestionRequest(**{"criteria": criteria, "max_papers": 10, **changes})  # type: ignore[arg-type]


def make_paper(arxiv_id: str = "2301.00001v1", **changes: object) -> Paper:
    """A paper with plain metadata, changed as the test wants it."""
    values = {
        "arxiv_id": ArxivId.parse(arxiv_id),
        "title": "A title",
        "abstract": "An abstract.",
        "authors": ("Ada Lovelace", "Alan Turing"),
        "categories": ("cs.AI", "cs.LG"),
        "primary_category": "cs.AI",
        "published_at": datetime(2023, 1, 1, tzinfo=UTC),
        "updated_at": datetime(2023, 1, 2, tzinfo=UTC),
    }
    return Paper(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def unchecked_moments(sql):
    """Rows of `jobs` may hold any moment, as they could before there was a rule against it."""
    name, table = "jobs_moments_in_range", "jobs"
    (row,) = await sql(
        "SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint WHERE conname = :name",
        name=name,
    )
    await sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    await sql(f"DELETE FROM {table}")
    await sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {row.rule}")
