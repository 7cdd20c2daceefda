"""Answers that ask for silence: told to the whole fleet, and not tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from service.arxiv.pace import Channel
from service.domain.errors import RateLimited
from tests.arxiv.asking import ask


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "wish"),
    [
        ("7", timedelta(seconds=7)),
        ("1000000000", timedelta(minutes=10)),
        ("banana", None),
        ("-1", None),
    ],
)
async def test_throttling_silences_the_fleet_and_is_not_tried_again(
    client, upstream, pace, http, status, value, wish
):
    upstream.script(http.answer(status=status, Retry_After=value))

    with pytest.raises(RateLimited) as caught:
        await ask(client)

    assert caught.value.delay == (wish or pace.own_backoff)
    assert pace.silences == [(Channel.API, wish)]
    assert (len(upstream.asked), pace.clearings) == (1, [])


async def test_a_block_silences_the_fleet_and_is_not_tried_again(client, upstream, pace, http):
    upstream.script(http.answer(b"<html>Access denied</html>", status=403))

    with pytest.raises(RateLimited):
        await ask(client)

    assert (len(upstream.asked), pace.silences) == (1, [(Channel.API, None)])


async def test_a_date_to_come_back_at_is_meant_by_the_clock_of_the_sender(
    client, upstream, pace, http
):
    sent = datetime(2020, 1, 1, tzinfo=UTC)  # years behind ours
    upstream.script(
        http.answer(
            status=429,
            Date=format_datetime(sent, usegmt=True),
            Retry_After=format_datetime(sent + timedelta(seconds=7), usegmt=True),
        )
    )

    with pytest.raises(RateLimited):
        await ask(client)

    assert pace.silences == [(Channel.API, timedelta(seconds=7))]


async def test_a_429_without_a_time_is_answered_by_our_own_backoff(client, upstream, pace, http):
    upstream.script(http.answer(status=429))

    with pytest.raises(RateLimited):
        await ask(client)

    assert pace.silences == [(Channel.API, None)]


@pytest.mark.parametrize("body", [b"Rate exceeded.", b"\nRate exceeded.\n", b"RATE EXCEEDED"])
async def test_rate_exceeded_with_status_200_is_throttling(client, upstream, pace, http, body):
    upstream.script(http.answer(body, Content_Type="text/plain"))

    with pytest.raises(RateLimited):
        await ask(client)

    assert (pace.silences, len(upstream.asked)) == ([(Channel.API, None)], 1)
