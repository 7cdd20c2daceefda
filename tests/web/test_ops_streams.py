"""The operators' page follows lists and the fleet by their streams, and polls without them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.async_api import Page, Request

from service.api.view_watch import VIEW_WATCH
from tests.web.fleet import RUNNING

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOBS = "#/jobs?status=all"
OUT_OF_DATE = "document.body.dataset.stale !== undefined"
HIDDEN = (
    "hidden => {"
    "  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    "  document.dispatchEvent(new Event('visibilitychange'));"
    "}"
)


def requests_of(page: Page) -> list[str]:
    """Paths that the page asks the service for, from now on."""
    paths: list[str] = []

    def note(request: Request) -> None:
        if "/ops" not in request.url:
            paths.append(request.url.partition("/api/v1/")[2] or request.url)

    page.on("request", note)
    return paths


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


def room(service):
    """Of the streams that the service serves."""
    return service.server.app[VIEW_WATCH]


async def test_a_change_in_the_list_appears_without_a_poll_and_leaves_the_reader_alone(
    tab, service
):
    page = tab.page
    await page.set_viewport_size({"width": 390, "height": 844})
    await tab.open(JOBS)
    await tab.sign_in()
    row = page.get_by_role("link", name="cs.AI since 2024-01-01, 500 papers with PDFs")
    await row.wait_for()
    await row.focus()
    await page.evaluate(
        "scrollTo(0, 260); getSelection().selectAllChildren(document.querySelector('td .code'))"
    )
    before = await page.evaluate("[scrollY, getSelection().toString()]")
    asked = requests_of(page)
    await service.sql(f"UPDATE jobs SET papers_fetched = 471 WHERE id = '{RUNNING}'")
    await page.get_by_text("471 of 500").wait_for()

    assert asked == []
    assert before[0] == 260
    assert await page.evaluate("[scrollY, getSelection().toString()]") == before
    assert await row.evaluate("link => link === document.activeElement")


async def test_a_new_job_and_a_line_in_the_search_field_live_side_by_side(tab, service):
    page = tab.page
    await tab.open(JOBS)
    await tab.sign_in()
    await page.get_by_role("table", name="Jobs").wait_for()
    field = page.get_by_label("Search")
    await field.fill("half a wo")
    asked = requests_of(page)
    await service.sql(
        "INSERT INTO jobs (requested_by, request) SELECT 'stella', request FROM jobs"
        f" WHERE id = '{RUNNING}'"
    )
    await page.get_by_role("cell", name="stella").wait_for()

    assert asked == []
    assert await field.input_value() == "half a wo"
    assert await field.evaluate("one => one === document.activeElement")


async def test_a_change_in_the_fleet_appears_without_a_poll_and_leaves_the_reader_alone(
    tab, service
):
    page = tab.page
    await tab.open("#/fleet")
    await tab.sign_in()
    button = page.get_by_role("button", name="Pause nightly")
    await button.focus()
    await page.evaluate(
        "scrollTo(0, 300);"
        "getSelection().selectAllChildren([...document.querySelectorAll('h2')].at(-1))"
    )
    asked = requests_of(page)
    await service.sql("UPDATE workers SET host = 'ingest-9' WHERE host = 'ingest-2'")
    await page.get_by_role("cell", name="ingest-9").wait_for()

    assert asked == []
    assert await page.evaluate("scrollY") == 300
    assert await page.evaluate("getSelection().toString()") == "Failed papers"
    assert await button.evaluate("one => one === document.activeElement")


async def test_the_moment_goes_on_while_nothing_changes(tab):
    page = tab.page
    await tab.open("#/jobs?status=completed")
    await tab.sign_in()
    await page.get_by_role("table", name="Jobs").wait_for()
    asked = requests_of(page)
    moment = await page.locator("#as-of").inner_text()
    await page.wait_for_function(
        "known => document.querySelector('#as-of').textContent !== known", arg=moment
    )

    assert moment.startswith("As of ")
    assert asked == []


async def test_without_room_for_streams_the_page_polls(tab, service, monkeypatch):
    full = room(service)
    monkeypatch.setattr(full._room, "_limits", replace(full.limits, waiters=0))
    page = tab.page
    await tab.open(JOBS)
    asked = requests_of(page)
    await tab.sign_in()
    await page.get_by_role("table", name="Jobs").wait_for()
    await service.sql(f"UPDATE jobs SET papers_fetched = 482 WHERE id = '{RUNNING}'")
    await page.get_by_text("482 of 500").wait_for()
    complaints = list(tab.complaints)
    tab.complaints.clear()

    assert len([path for path in asked if path.startswith("ingestion/jobs/events")]) == 1
    assert len([path for path in asked if path.startswith("ingestion/jobs?")]) >= 2
    assert ["503" in one for one in complaints] == [True]
    assert (await page.locator("#as-of").inner_text()).startswith("As of ")
    assert not await page.evaluate(OUT_OF_DATE)


async def test_a_stream_that_breaks_off_is_opened_again(tab, service):
    page = tab.page
    await tab.open(JOBS)
    await tab.sign_in()
    await page.get_by_role("table", name="Jobs").wait_for()
    asked = requests_of(page)
    (viewer,) = room(service)._viewers()
    viewer.request.transport.abort()
    await page.get_by_text("Offline: the connection was lost").wait_for()
    dimmed = await page.evaluate(OUT_OF_DATE)
    kept = await page.get_by_text("cs.AI since 2024-01-01").count()
    await page.get_by_text("Connected again").wait_for()
    tab.complaints.clear()  # of the connection that was cut

    assert dimmed
    assert kept
    assert [path.partition("?")[0] for path in asked] == ["ingestion/jobs/events"]
    assert not await page.evaluate(OUT_OF_DATE)


async def test_a_tab_that_is_hidden_gives_its_place_back_until_it_is_shown(tab, service):
    page = tab.page
    await tab.open(JOBS)
    await tab.sign_in()
    await page.get_by_role("table", name="Jobs").wait_for()
    asked = requests_of(page)
    open_before = len(room(service))
    await page.evaluate(f"({HIDDEN})(true)")
    await until(lambda: len(room(service)) == 0)
    await service.sql(f"UPDATE jobs SET papers_fetched = 493 WHERE id = '{RUNNING}'")
    asked_hidden = list(asked)
    await page.evaluate(f"({HIDDEN})(false)")
    await page.get_by_text("493 of 500").wait_for()

    assert open_before == 1
    assert asked_hidden == []
    assert [path.partition("?")[0] for path in asked] == ["ingestion/jobs/events"]


async def test_a_view_that_is_left_and_a_token_that_is_given_back_end_their_stream(tab, service):
    page = tab.page
    await tab.open(JOBS)
    await tab.sign_in()
    await page.get_by_role("table", name="Jobs").wait_for()
    await page.get_by_role("link", name="Fleet", exact=True).click()
    await page.get_by_role("table", name="arXiv channels").wait_for()
    await until(lambda: len(room(service)) == 1)
    await page.get_by_role("button", name="Sign out").click()
    await until(lambda: len(room(service)) == 0)

    assert await page.locator("#as-of").inner_text() == ""
