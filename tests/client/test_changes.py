"""The change feed through the client: to its end, followed, from its end on."""

import asyncio

import pytest
from arxiv_ingestion_client import ProblemError

from tests.db.test_paper_changes import INSERT


async def all_of(changes):
    return [one async for one in changes]


async def test_the_feed_is_read_to_its_end_and_from_a_token_on(client, sql):
    for number in range(3):
        await sql(INSERT, id=f"x/{number}")
    await sql("DELETE FROM papers WHERE arxiv_id = 'x/1'")

    found = await all_of(client.changes())
    latest = await client.latest_change()
    await sql(INSERT, id="x/9")

    assert [one["kind"] for one in found] == ["created"] * 3 + ["removed"]
    behind = await all_of(client.changes(found[2]["token"], kind="removed"))
    assert [one["arxiv_id"] for one in behind] == ["x/1"]
    assert [one["arxiv_id"] for one in await all_of(client.changes(latest))] == ["x/9"]


async def test_who_follows_gets_what_comes(client, sql):
    await sql(INSERT, id="x/0")
    seen = []

    async def follow():
        async for one in client.changes(follow=True):
            seen.append(one["arxiv_id"])
            if len(seen) == 3:
                return

    following = asyncio.create_task(follow())
    async with asyncio.timeout(60):
        for number in (1, 2):
            while len(seen) < number:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
            await sql(INSERT, id=f"x/{number}")
        await following

    assert seen == ["x/0", "x/1", "x/2"]


async def test_a_token_from_before_what_is_kept_is_told(client, sql):
    await sql(INSERT, id="x/0")
    (change,) = await all_of(client.changes())
    await sql("UPDATE paper_change_feed SET trimmed_position = 7, last_position = 7")

    with pytest.raises(ProblemError) as refused:
        await all_of(client.changes(change["token"]))

    assert refused.value.status == 410
