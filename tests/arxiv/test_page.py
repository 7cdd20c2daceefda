"""A page over real HTTP: how it is asked for, and what a good answer is made into."""

from urllib.parse import parse_qs

import pytest

from service import __version__
from service.arxiv.pace import Channel
from service.domain.jobs import Criteria
from tests.arxiv.asking import ask, query_of


async def test_a_page_is_one_request_in_one_turn(client, upstream, pace, http):
    upstream.script(http.answer(http.feed(http.entry(), total=70)))

    page = await ask(client, offset=20)

    (asked,) = upstream.asked
    assert [str(paper.arxiv_id) for paper in page.papers] == ["2401.00001v1"]
    assert page.total == 70
    assert query_of(asked)["start"] == "20"
    assert query_of(asked)["search_query"] == "cat:cs.AI"
    assert (pace.turns, pace.cooldowns, pace.clearings) == (["api"], [], [Channel.API])


async def test_we_say_who_we_are_and_keep_no_cookies(client, upstream, http):
    upstream.script(http.answer(http.feed(), Set_Cookie="a=b"))

    await ask(client)
    await ask(client)

    for asked in upstream.asked:
        agent = asked.headers["User-Agent"]
        assert agent == f"arxiv-ingestion/{__version__} (+mailto:ops@example.org)"
        assert "Cookie" not in asked.headers


async def test_without_a_contact_none_is_named(build_client, upstream, http):
    upstream.script(http.answer(http.feed()))
    client = await build_client(contact=None)

    await ask(client)

    assert upstream.asked[0].headers["User-Agent"] == f"arxiv-ingestion/{__version__}"


@pytest.mark.parametrize("total", [0, 500])
async def test_an_empty_page_is_returned_as_it_is(client, upstream, http, total):
    upstream.script(http.answer(http.feed(total=total)))

    page = await ask(client, offset=100)

    assert (page.entries, page.total, len(upstream.asked)) == (0, total, 1)


async def test_a_query_too_long_for_a_url_is_posted(client, upstream, http):
    upstream.script(http.answer(http.feed()))

    await ask(client, Criteria(query="漢" * 1000))

    (asked,) = upstream.asked
    form = parse_qs(asked.body.decode())
    assert (asked.method, asked.target) == ("POST", "/api/query")
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form["search_query"] == ["all:" + "漢" * 1000]


async def test_what_nobody_wants_any_more_is_not_asked_for(client, upstream, pace):
    async def check():
        assert pace.turns == ["api"]
        raise LookupError

    with pytest.raises(LookupError):
        await ask(client, check=check)

    assert upstream.asked == []
    assert pace.begun == 0


async def test_a_page_that_may_not_be_asked_for_takes_no_turn(client, upstream, pace):
    with pytest.raises(ValueError, match="window"):
        await ask(client, offset=10_000)

    assert (upstream.asked, pace.turns) == ([], [])
