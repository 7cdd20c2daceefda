"""Pages are given the headers that keep a browser from harm, unless they set their own."""

from aiohttp import web

from service.api.response_headers import PAGE_HEADERS
from service.process.build_api import build_api
from tests.api.conftest import RULES, bearer, token

OWN = "default-src 'self'"


async def page(_: web.Request) -> web.Response:
    return web.Response(text="<p>Hello", content_type="text/html")


async def page_of_its_own(_: web.Request) -> web.Response:
    headers = {"Content-Security-Policy": OWN}
    return web.Response(text="<p>Hello", content_type="text/html", headers=headers)


async def test_a_page_is_guarded_and_may_say_otherwise(api_database, store, aiohttp_client):
    app = build_api(RULES, api_database, store)
    app.router.add_get("/page", page)
    app.router.add_get("/own", page_of_its_own)
    browser = await aiohttp_client(app, headers=bearer(token()))

    guarded = await browser.get("/page")
    own = await browser.get("/own")
    data = await browser.get("/api/v1/ingestion/jobs")

    assert {name: guarded.headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS
    assert own.headers["Content-Security-Policy"] == OWN
    assert own.headers["X-Frame-Options"] == "DENY"
    assert "Content-Security-Policy" not in data.headers
    assert data.headers["X-Content-Type-Options"] == "nosniff"
