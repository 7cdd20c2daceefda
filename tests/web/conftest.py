"""The service as a browser sees it.

The tests of the operators' page share one service, one database and one browser for each
module: all of them run on the module's event loop.
"""

import shutil
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright
from sqlalchemy import text

from service.config.settings import Settings
from service.db.engine import Database, create_engine
from service.devtools.stand_in.server import ReplicaOptions, running_replica
from service.domain.webhooks import WebhookSettings
from service.files.local import LocalStore
from service.process.arxiv import arxiv_client
from service.process.build_api import API_DEADLINE_SECONDS, build_api, give_dry_runs
from tests.api.conftest import RULES, OurServer, api_database, serve, store, token
from tests.conftest import RESET_PACE, TRUNCATE
from tests.web import fleet

__all__ = ["api_database", "serve", "store"]

DEADLINE_MS = 30_000
SECRET = "whsec_" + b64encode(bytes(32)).decode()
IMAGES = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser, where there is one."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium here")
    return found


@pytest.fixture(scope="session")
def images(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are written: into the documents with --screenshots."""
    if request.config.getoption("--screenshots"):
        return IMAGES
    return tmp_path_factory.mktemp("images")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A browser for all tests of the module."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started
        await started.close()


@dataclass(frozen=True)
class Service:
    """A service with a fleet at work, and its database."""

    server: TestServer
    database: Database

    @property
    def url(self) -> str:
        """Of the operators' page."""
        return str(self.server.make_url("/ops"))

    async def sql(self, statement: str, **parameters: object) -> list[Any]:
        """Run one statement, committed, as an operator would; returns its rows, if any."""
        async with self.database.engine.begin() as conn:
            result = await conn.execute(text(statement), parameters)
            return list(result.all()) if result.returns_rows else []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """The application on a fleet at work; operators' changes need the scope `operate`."""
    files = LocalStore(tmp_path_factory.mktemp("web") / "files", max_bytes=1_000_000)
    await files.prepare()
    engine = create_engine(database_url, name="tests web", pool_size=10)
    try:
        async with engine.begin() as conn:
            await conn.execute(text(TRUNCATE))
            await conn.execute(text(RESET_PACE))
            await fleet.populate(conn)
        async with _serving(Database(engine, deadline_seconds=API_DEADLINE_SECONDS), files) as one:
            yield one
    finally:
        await engine.dispose()


@asynccontextmanager
async def _serving(database: Database, files: LocalStore) -> AsyncIterator[Service]:
    app = build_api(
        replace(RULES, write_scope="write", operator_scope="operate"),
        database,
        files,
        webhooks=WebhookSettings(secrets=(SECRET,)),
    )
    async with running_replica(ReplicaOptions(papers=60)) as arxiv:
        settings = Settings.from_environ(
            {
                "ARXIV_API_URL": arxiv.api_url,
                "ARXIV_OAI_URL": arxiv.oai_url,
                "ARXIV_PDF_URL": arxiv.pdf_url,
                "ARXIV_MIN_INTERVAL_SECONDS": "0.05",
                "JWT_SECRET": RULES.key,
                "DATABASE_URL": "postgresql://localhost/unused",
            }
        )
        async with arxiv_client(settings, database, connections=2) as client:
            give_dry_runs(app, settings, client)
            server = OurServer(app)
            await server.start_server()
            yield Service(server, database)
            await server.close()


class Complaints(list[str]):
    """What a page had to say: errors, warnings, refusals of the policy."""

    def listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.append(message.text)


@dataclass(frozen=True)
class Tab:
    """A page of the browser that is signed in, unless it says otherwise."""

    page: Page
    url: str
    complaints: Complaints

    async def open(self, view: str) -> None:
        """Show a view, such as `#/jobs`."""
        await self.page.goto(f"{self.url}{view}")

    async def sign_in(self, scope: str = "write operate", sub: str = "olga") -> None:
        """Paste a token."""
        await self.page.get_by_label("Token").fill(token(sub=sub, scope=scope))
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("button", name="Sign out").wait_for()


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser, service: Service) -> AsyncIterator[Tab]:
    """A tab of its own; what its page complains of fails the test, unless it is taken out."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(DEADLINE_MS)
    page = await context.new_page()
    complaints = Complaints()
    complaints.listen(page)
    yield Tab(page, service.url, complaints)
    await context.close()
    assert complaints == []
