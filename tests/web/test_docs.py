"""The page that shows the description of the API, in a real browser."""

from aiohttp import web

from tests.web.browser import opened

PROBE = "#operations-operations-isAlive"


async def test_the_page_shows_the_api_and_sends_requests_and_the_browser_is_content(
    serve, chromium, tmp_path
):
    url = str((await serve(sub=None)).server.make_url("/docs"))

    async with opened(chromium, tmp_path, url) as page:
        await page.until("document.querySelectorAll('.opblock').length > 40")
        title = await page.evaluate("document.querySelector('.info .title').innerText")
        await page.evaluate("document.querySelector('button.authorize').click()")
        await page.until("document.querySelector('.auth-container input')")
        await page.evaluate("document.querySelector('.close-modal').click()")
        for step in ("button", ".try-out button", "button.execute"):
            await page.until(f"document.querySelector('{PROBE} {step}')")
            await page.evaluate(f"document.querySelector('{PROBE} {step}').click()")
        await page.until(f"document.querySelector('{PROBE} .live-responses-table')")
        answer = await page.evaluate(
            f"document.querySelector('{PROBE} .live-responses-table').innerText"
        )

    asked = [one for one in page.urls if not one.startswith("data:")]
    assert "OAS 3.1" in title
    assert "alive" in answer
    assert page.complaints == []
    assert all(one.startswith(url.removesuffix("/docs")) for one in asked), asked


async def test_what_the_policy_forbids_is_noticed(aiohttp_server, chromium, tmp_path):
    async def page_with_a_style(_: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": "default-src 'none'"}
        text = "<p style='color: red'>Hello"
        return web.Response(text=text, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/", page_with_a_style)
    server = await aiohttp_server(app)

    async with opened(chromium, tmp_path, str(server.make_url("/"))) as page:
        await page.until("document.querySelector('p')")

    assert "Content Security Policy" in page.complaints[0]
