"""Blocked callers are out within a second, and back in as quickly."""

import asyncio

import pytest
from sqlalchemy import make_url

from service.auth.blocklist import Blocklist
from service.db.callers import CallerStore
from service.domain.errors import DatabaseUnavailable
from tests.api.conftest import JOB, RULES, STATUS, bearer, token

URL = "/api/v1/ingestion/jobs"


async def until(api, sub: str, status: int) -> None:
    """Return when a request of `sub` is answered with `status`."""
    async with asyncio.timeout(60):
        while (await api.get(URL, headers=bearer(token(sub=sub)))).status != status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def block(database, sub: str, *, is_blocked: bool) -> None:
    async with database.transaction() as conn:
        await CallerStore(conn).save(sub, is_blocked=is_blocked)


async def test_a_blocked_caller_is_out_within_a_second_and_others_are_not(serve, database):
    api = await serve(sub=None)
    await block(database, "mallory", is_blocked=True)

    await until(api, "mallory", 401)
    others = await api.get(URL, headers=bearer(token(sub="alice")))

    assert others.status == 200


async def test_an_unblocked_caller_is_back_within_a_second(serve, database):
    api = await serve(sub=None)
    await block(database, "mallory", is_blocked=True)
    await until(api, "mallory", 401)
    await block(database, "mallory", is_blocked=False)

    await until(api, "mallory", 200)


async def test_operators_block_in_sql(serve, sql):
    api = await serve(sub=None)
    await sql("INSERT INTO callers (sub) VALUES ('mallory')")

    await until(api, "mallory", 401)


@pytest.mark.needs_session("it logs in by a role of its own")
async def test_blocking_works_although_the_schema_came_after_the_start(
    serve, database_url, sql, open_database
):
    """An API process listens before the first migration has made the tables."""
    await sql("CREATE SCHEMA late")
    await sql("CREATE ROLE late LOGIN SUPERUSER")
    await sql("ALTER ROLE late SET search_path = late")
    callers = Blocklist(open_database(_as_role(database_url, "late"), deadline_seconds=2))
    watching = asyncio.create_task(callers.watch())
    try:
        with pytest.raises(DatabaseUnavailable):
            await callers.look()
        await sql("CREATE TABLE late.callers AS SELECT 'mallory' AS sub, true AS is_blocked")

        async with asyncio.timeout(30):
            while callers.is_active("mallory"):
                assert not watching.done()
                await asyncio.sleep(0.02)
    finally:
        watching.cancel()
        await asyncio.wait({watching})
        await sql("DROP SCHEMA late CASCADE")
        await sql("DROP ROLE late")


def _as_role(url: str, role: str) -> str:
    return make_url(url).set(username=role).render_as_string(hide_password=False)


async def test_the_last_known_list_stays_in_force_while_the_database_is_away(
    link, database, open_database
):
    callers = Blocklist(open_database(link.url, deadline_seconds=0.5))
    await block(database, "mallory", is_blocked=True)
    await callers.look()
    link.freeze()

    with pytest.raises(DatabaseUnavailable):
        await callers.look()

    assert not callers.is_active("mallory")
    link.thaw()


async def test_until_it_is_known_who_is_blocked_nobody_is_let_in(serve, database, sql, monkeypatch):
    await sql(f"INSERT INTO jobs (id) VALUES ('{JOB}')")
    await block(database, "mallory", is_blocked=True)
    may_look = asyncio.Event()
    monkeypatch.setattr(Blocklist, "look", only_after(may_look, Blocklist.look))
    api = await serve(sub="mallory")

    before = [await api.get(path) for path in (URL, STATUS, STATUS, URL)]  # the fast path as well
    forged = await api.get(URL, headers=bearer(token(key="another secret of more than 32 bytes!")))
    may_look.set()
    await until(api, "alice", 200)
    after = [(await api.get(path)).status for path in (URL, STATUS)]

    assert [answer.status for answer in before] == [503, 500, 500, 503]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in before)
    assert forged.status == 401
    assert after == [401, 401]


def only_after(event, look):
    """`look` fails until `event` is set."""

    async def look_then(callers, **options):
        if not event.is_set():
            raise DatabaseUnavailable("the database is not available")
        await look(callers, **options)

    return look_then


async def test_the_list_is_known_before_the_first_request(serve, database, monkeypatch):
    await block(database, "mallory", is_blocked=True)
    monkeypatch.setattr(Blocklist, "watch", lambda _: asyncio.Event().wait())
    api = await serve(sub="mallory")

    assert (await api.get(URL)).status == 401
    assert (await api.get(URL, headers=bearer(token(sub="alice")))).status == 200


def test_rules_are_those_of_the_spec():
    assert (RULES.leeway, RULES.max_lifetime) == (5, 86_400)
