"""The operators' page in a real browser, on a fleet at work."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.web.fleet import FAILED, HOSTILE, PENDING, RUNNING, SCHEDULE

pytestmark = pytest.mark.asyncio(loop_scope="module")

VIEWS = {
    "jobs": "#/jobs?status=all",
    "job": f"#/job?id={RUNNING}&stage=pdf_processing&code=corrupt",
    "submit": f"#/submit?from={RUNNING}",
    "fleet": "#/fleet",
}
# view and theme: the picture of it in the documents
PICTURES = {
    ("jobs", "light"): "ops.png",
    ("job", "light"): "ops-job.png",
    ("fleet", "dark"): "ops-fleet.png",
}
OUT_OF_DATE = "document.body.dataset.stale !== undefined"


async def show(tab, view: str) -> None:
    """Show a view and wait for its data."""
    await tab.open(view)
    await tab.page.locator("#view section").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_view_and_nothing_is_wider_than_a_phone(tab, images, scheme):
    page = tab.page
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await tab.open("")
    found = {"sign in": await violations_of(page)}
    await tab.sign_in()
    wide = {}
    for name, view in VIEWS.items():
        await show(tab, view)
        await page.locator(f"#view.{name}").wait_for()
        found[name] = await violations_of(page)
        if (name, scheme) in PICTURES:
            await page.screenshot(path=images / PICTURES[name, scheme])
        await page.set_viewport_size({"width": 390, "height": 844})
        wide[name] = await page.evaluate("document.documentElement.scrollWidth")
        await page.set_viewport_size({"width": 1280, "height": 900})

    assert {name: violations for name, violations in found.items() if violations} == {}
    assert set(wide.values()) == {390}


async def violations_of(page: Page) -> list[str]:
    """What axe finds amiss: its rules, each with the elements that break it."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}" for one in found]


async def test_a_token_signs_in_for_this_tab_alone_and_out(tab):
    page = tab.page
    await tab.open("")
    await page.get_by_label("Token").fill("no.such.token")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("The token is invalid or has expired").wait_for()
    refused = [tab.complaints.pop()]
    await tab.sign_in()
    await page.locator("#view section").first.wait_for()
    kept = await page.evaluate(
        "[sessionStorage.length, localStorage.length, document.cookie, location.href]"
    )
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_text("Signed out").wait_for()

    assert "401" in refused[0]
    assert kept[:3] == [1, 0, ""]
    assert "token" not in kept[3]
    assert await page.evaluate("sessionStorage.length") == 0
    assert await page.locator("#view").count() == 0


async def test_jobs_say_in_words_what_they_are_and_are_found_by_filters_words_and_id(tab):
    page = tab.page
    await tab.open("")
    await tab.sign_in()
    rows = page.locator("#view tbody tr")
    await expect(rows).to_have_count(3)  # those that are active
    running = await rows.filter(has_text=RUNNING).inner_text()
    await page.get_by_label("State").select_option("failed")
    await expect(rows).to_have_text([re.compile("3 papers by id, with PDFs.*failed", re.DOTALL)])
    await page.get_by_label("State").select_option("all")
    await expect(rows).to_have_count(5)
    await page.get_by_role("searchbox").fill("noether")
    await page.get_by_role("searchbox").press("Enter")
    by_words = [re.compile("Papers by Noether, E, 100 papers with PDFs")]
    await expect(rows).to_have_text(by_words)
    await page.reload()  # the URL has the view
    await expect(rows).to_have_text(by_words)
    await page.get_by_role("searchbox").fill(FAILED)
    await page.get_by_role("searchbox").press("Enter")
    await expect(rows).to_have_text([re.compile("3 papers by id, with PDFs")])
    await page.get_by_text("More filters").click()
    await page.get_by_label("Requested by").fill("nobody")
    await page.get_by_role("searchbox").fill("")
    await page.get_by_role("button", name="Search").click()
    await expect(rows).to_have_text(["No job matches these filters"])
    await page.get_by_role("link", name="Clear filters").click()
    await expect(rows).to_have_count(3)
    await page.get_by_text("More filters").click()
    await page.get_by_label("Created from (UTC)").fill("2030-01-02T03:04")
    await page.get_by_role("button", name="Search").click()
    await expect(rows).to_have_text(["No job matches these filters"])
    moment = await page.get_by_label("Created from (UTC)").input_value()

    for words in ("running", "search-indexer", "62 %", "400 of 500 papers", "team:search", "/s"):
        assert words in running
    assert moment == "2030-01-02T03:04"
    assert "created_after=2030-01-02T03%3A04%3A00Z" in page.url


async def test_pages_lead_on_by_the_link_that_the_service_gives(tab, service):
    await service.sql(
        "INSERT INTO jobs (status, completed_at, requested_by)"
        " SELECT 'cancelled', now(), 'pager' FROM generate_series(1, 60)"
    )
    page = tab.page
    await tab.open("#/jobs?status=cancelled&requested_by=pager")
    await tab.sign_in()
    await page.get_by_text("50 jobs on this page").wait_for()
    await page.get_by_role("link", name="Next page").click()
    await page.get_by_text("10 jobs on this page").wait_for()
    was_last = await page.get_by_role("link", name="Next page").count() == 0
    await page.go_back()
    await page.get_by_text("50 jobs on this page").wait_for()
    await service.sql("DELETE FROM jobs WHERE requested_by = 'pager'")

    assert was_last


async def test_a_change_is_shown_and_leaves_selection_focus_and_scroll_alone(tab, service):
    page = tab.page
    await tab.open(f"#/job?id={RUNNING}")
    await tab.sign_in()
    link = page.get_by_role("link", name="Again with changes")
    await link.focus()
    await page.evaluate(
        "scrollTo(0, 300); getSelection().selectAllChildren(document.querySelector('.head .code'))"
    )
    await service.sql(f"UPDATE jobs SET papers_fetched = 437 WHERE id = '{RUNNING}'")
    await page.get_by_text("437 of 500").wait_for()
    async with page.expect_response(lambda response: "/papers?" in response.url):
        await page.evaluate("dispatchEvent(new Event('online'))")  # everything is read anew
    await page.get_by_text("Elapsed").wait_for()

    assert await page.evaluate("getSelection().toString()") == RUNNING
    assert await page.evaluate("document.activeElement.textContent") == "Again with changes"
    assert await page.evaluate("scrollY") == 300


async def test_a_job_shows_what_happened_what_failed_and_its_papers(tab):
    page = tab.page
    await tab.open(f"#/job?id={RUNNING}")
    await tab.sign_in()
    await page.get_by_role("link", name="List the errors pdf_processing corrupt").click()
    await page.get_by_role("heading", name="Errors: pdf_processing corrupt").wait_for()
    behind = await page.locator("[data-key=chosen] tbody tr").count()
    timeline = await page.locator(".timeline").inner_text()
    plot = await page.get_by_role("img", name="In each 10 s").get_attribute("aria-label")
    await page.get_by_role("link", name="failed 4").click()
    papers = page.get_by_role("table", name="Papers of this job").locator("tbody tr")
    await expect(papers).to_have_count(4)
    states = await papers.locator("td[data-title=State]").all_inner_texts()

    assert behind == 4
    assert "Waited: arXiv cooldown for" in timeline
    assert "Pages 3 to 4 stored, 400 papers so far" in timeline
    assert "papers fetched: at most 80" in plot
    assert states == ["failed"] * 4


async def test_a_paper_whose_title_is_a_script_is_text_and_nothing_else(tab):
    page = tab.page
    await tab.open(f"#/job?id={RUNNING}")
    await tab.sign_in()
    await page.get_by_text(HOSTILE).first.wait_for()
    await page.get_by_role("button", name="Show paper 2401.00001v1").click()
    heading = page.get_by_role("dialog").get_by_role("heading")
    shown = await heading.inner_text()
    await page.keyboard.press("Escape")
    await heading.wait_for(state="detached")

    assert shown == HOSTILE
    assert "owned" not in await page.title()
    assert await page.locator("#view script, #view img:not([role])").count() == 0


async def test_a_job_is_cancelled_after_a_question(tab, service):
    page = tab.page
    await tab.open(f"#/job?id={PENDING}")
    await tab.sign_in()
    await page.get_by_role("button", name="Cancel job").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Back").press("Enter")
    await dialog.wait_for(state="detached")
    before = await service.sql(f"SELECT status FROM jobs WHERE id = '{PENDING}'")
    await page.get_by_role("button", name="Cancel job").click()
    await dialog.get_by_role("button", name="Cancel job").click()
    await page.locator(".badge", has_text="cancelled").wait_for()
    again = page.get_by_role("link", name="Again with changes")
    await again.click()
    await page.get_by_label("Author").wait_for()

    assert before == [("pending",)]
    assert await page.get_by_label("Author").input_value() == "Noether, E"


async def test_what_failed_is_retried_as_a_job_that_names_the_first(tab, service):
    page = tab.page
    await tab.open(f"#/job?id={FAILED}")
    await tab.sign_in()
    await page.get_by_role("button", name="Retry failed papers").click()
    await page.get_by_role("link", name=FAILED).wait_for()
    rows = await service.sql("SELECT id FROM jobs WHERE retry_of IS NOT NULL")

    assert f"id={rows[0].id}" in page.url


async def test_a_job_that_does_not_exist_is_a_clear_error(tab):
    page = tab.page
    await tab.open("#/job?id=123e4567-e89b-12d3-a456-426614174000")
    await tab.sign_in()
    await page.get_by_text("Job not found").wait_for()
    await page.get_by_role("link", name="All active jobs").click()

    await page.get_by_role("link", name="cs.AI since 2024-01-01").first.wait_for()


async def test_a_preview_says_how_many_papers_come_and_a_mistake_names_its_field(tab, service):
    await service.sql("SELECT resume_arxiv()")
    await service.sql("UPDATE upstream_pace SET silent_until = NULL, cooldown_since = NULL")
    page = tab.page
    await tab.open("#/submit")
    await tab.sign_in()
    await page.get_by_label("Category").fill("cs.ai")
    await page.get_by_role("button", name="Create job").click()
    await page.get_by_text("search_query.category", exact=True).wait_for()
    invalid = await page.get_by_label("Category").get_attribute("aria-invalid")
    refused = tab.complaints.pop()
    await page.get_by_label("Category").fill("cs.AI")
    await page.get_by_label("Most papers").fill("12")
    await page.get_by_role("button", name="Preview").click()
    preview = await page.get_by_text("the job would bring 12 papers").inner_text()
    await page.get_by_label("Labels").fill("by:browser, team:search and rescue, Oslo")
    await page.get_by_role("button", name="Create job").click()
    await page.get_by_text("by:browser").first.wait_for()
    rows = await service.sql("SELECT request FROM jobs WHERE request -> 'labels' ? 'by'")

    assert invalid == "true"
    assert "422" in refused
    assert "1 request for pages" in preview
    assert len(rows) == 1
    assert rows[0].request["search_query"]["category"] == "cs.AI"
    assert rows[0].request["max_papers"] == 12
    assert rows[0].request["labels"] == {"by": "browser", "team": "search and rescue, Oslo"}


async def test_traffic_is_paused_and_resumed_and_the_warning_is_on_every_view(tab, service):
    page = tab.page
    await tab.open("#/fleet")
    await tab.sign_in()
    await page.get_by_role("button", name="Pause arXiv traffic").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Pause arXiv traffic").click()
    await page.get_by_text("All traffic to arXiv is paused since").wait_for()
    paused = await service.sql("SELECT count(*) FROM upstream_pace WHERE paused_since IS NOT NULL")
    await page.get_by_role("link", name="Jobs", exact=True).click()
    await page.locator("#warnings", has_text="arXiv traffic is paused").wait_for()
    await page.get_by_role("link", name="Fleet", exact=True).click()
    await page.get_by_role("button", name="Resume arXiv traffic").click()
    await page.get_by_role("button", name="Pause arXiv traffic").wait_for()

    assert paused[0].count >= 2


async def test_the_fleet_is_shown_with_its_numbers(tab):
    page = tab.page
    await tab.open("#/fleet")
    await tab.sign_in()
    cells = page.get_by_role("table", name="arXiv channels").locator("tbody tr").first
    await cells.wait_for()
    refused = [await cells.locator(f'td[data-title="{one}"]').inner_text() for one in (429, 503)]
    text = await page.locator("#view").inner_text()
    plot = await page.get_by_role("img", name="By day").get_attribute("aria-label")

    await page.get_by_role("button", name="Send job.failed to https://hooks.example.org").click()
    await page.get_by_text("Queued once more").wait_for()
    await page.get_by_role("cell", name="pending").wait_for()

    assert refused == ["2", "1"]
    for words in ("ingest-1", "ingest-2", "pgqueuer", "hourly", "nightly", "3 h", "HTTP 503"):
        assert words in text
    assert "stale" in plot


async def test_a_schedule_is_paused_where_the_token_may_change_it(tab, service):
    page = tab.page
    await tab.open("#/fleet")
    await tab.sign_in()
    await page.get_by_role("button", name="Pause hourly").click()
    await page.get_by_role("button", name="Resume hourly").wait_for()
    (row,) = await service.sql(f"SELECT is_paused FROM schedules WHERE id = '{SCHEDULE}'")
    await page.get_by_role("button", name="Resume hourly").click()
    await page.get_by_role("button", name="Pause hourly").wait_for()

    assert row.is_paused


async def test_a_schedule_runs_now_unless_its_last_job_is_unfinished(tab, service):
    page = tab.page
    await tab.open("#/fleet")
    await tab.sign_in()
    await page.get_by_role("button", name="Run hourly now").click()
    await page.locator("#said.bad").wait_for()
    refused = tab.complaints.pop()
    await page.get_by_role("button", name="Run nightly now").click()
    await page.get_by_role("button", name="Cancel job").wait_for()
    await page.get_by_role("link", name="a schedule").wait_for()
    rows = await service.sql("SELECT id FROM jobs WHERE schedule_id IS NOT NULL")

    assert "409" in refused
    assert f"id={rows[0].id}" in page.url


async def test_without_the_scopes_there_is_a_look_and_nothing_to_press(tab):
    page = tab.page
    await tab.open("#/fleet")
    await tab.sign_in(scope="read", sub="reader")
    await page.get_by_text("this token lacks the operator scope").wait_for()
    buttons = await page.locator("#view button:not(.link)").count()
    views = await page.locator("#views a").all_inner_texts()
    await show(tab, f"#/job?id={RUNNING}")
    await page.get_by_text("Read-only: this token may not change jobs").wait_for()

    assert buttons == 0
    assert views == ["Jobs", "Fleet"]
    assert await page.locator("#view button:not(.link)").count() == 0


async def test_offline_the_old_numbers_stay_dimmed_and_come_back_to_life(tab):
    page = tab.page
    await tab.open("#/jobs?status=all")
    await tab.sign_in()
    await page.get_by_text("cs.AI since 2024-01-01").first.wait_for()
    await page.context.set_offline(True)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.get_by_text("Offline: no connection").wait_for()
    as_of = await page.locator("#as-of").inner_text()
    dimmed = await page.evaluate(OUT_OF_DATE)
    kept = await page.get_by_text("cs.AI since 2024-01-01").count()
    await page.context.set_offline(False)
    await page.get_by_text("Connected again").wait_for()

    assert dimmed
    assert kept
    assert as_of.startswith("As of 20")
    assert not await page.evaluate(OUT_OF_DATE)
    assert {"ERR_INTERNET_DISCONNECTED" in one for one in tab.complaints} == {True}
    tab.complaints.clear()


async def test_the_keyboard_reaches_the_content_and_the_views(tab):
    page = tab.page
    await tab.open("#/jobs")
    await tab.sign_in()
    await page.locator("#view section").wait_for()
    await page.reload()
    await page.locator("#view section").wait_for()
    await page.keyboard.press("Tab")
    first = await page.evaluate("document.activeElement.textContent")
    await page.keyboard.press("Enter")
    main = await page.evaluate("document.activeElement.id")
    await page.locator("#views a", has_text="Fleet").press("Enter")
    await page.get_by_role("heading", name="Fleet", exact=True).wait_for()

    assert first == "Skip to content"
    assert main == "main"
    assert page.url.endswith("#/fleet")
    assert await page.evaluate("document.activeElement.id") == "title"
