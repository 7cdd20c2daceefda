"""Answers that are no page: a refusal ends the question, a redirect leads within the host only."""

import pytest

from service.domain.errors import RedirectRefused, UpstreamRejected
from tests.arxiv.asking import ask

ERROR_FEED = (
    "<entry><id>https://arxiv.org/api/errors#x</id><title>Error</title>"
    "<summary>start must be non-negative</summary></entry>"
)


@pytest.mark.parametrize("status", [200, 400])
async def test_the_error_feed_is_a_refusal_with_any_status(client, upstream, pace, http, status):
    upstream.script(http.answer(http.feed(ERROR_FEED), status=status))

    with pytest.raises(UpstreamRejected, match="start must be non-negative"):
        await ask(client)

    assert len(upstream.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 405, 410, 414, 451])
async def test_any_other_4xx_is_a_refusal_at_once(client, upstream, http, status):
    upstream.script(http.answer(b"<html>no</html>", status=status))

    with pytest.raises(UpstreamRejected, match=str(status)):
        await ask(client)

    assert len(upstream.asked) == 1


async def test_a_redirect_within_the_host_takes_a_turn_of_its_own(client, upstream, pace, http):
    upstream.script(
        http.answer(status=301, Location="/api/v2/query?x=y"), http.answer(http.feed(http.entry()))
    )

    page = await ask(client)

    assert len(page.papers) == 1
    assert upstream.asked[1].target == "/api/v2/query?x=y"
    assert pace.turns == ["api", "api"]


async def test_a_redirect_elsewhere_is_refused_and_nobody_is_asked(
    client, upstream, other_host, http
):
    upstream.script(http.answer(status=302, Location=f"{other_host.origin}/api/query"))

    with pytest.raises(RedirectRefused) as caught:
        await ask(client)

    assert caught.value.code == "redirect_refused"
    assert (len(upstream.asked), other_host.asked) == (1, [])


async def test_a_redirect_loop_ends_after_five_hops(client, upstream, http):
    upstream.script(http.answer(status=307, Location="/api/query"))

    with pytest.raises(RedirectRefused):
        await ask(client)

    assert len(upstream.asked) == 6
