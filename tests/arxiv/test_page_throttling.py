"""Answers that ask to wait: told to the whole fleet, and not tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from service.arxiv.pace import Channel
from service.domain.channels import WaitReason
from service.domain.errors import ChannelClosed
from tests.arxiv.asking import ask


@pytest.mark.parametrize("status", [429, 406, 503])
@pytest.mark.parametrize(
    ("value", "wish"),
    [
        ("7", timedelta(seconds=7)),
        ("1000000000", timedelta(minutes=10)),
        ("banana", None),
        ("-1", None),
        ("0", None),
    ],
)
async def test_throttling_cools_the_fleet_down_and_is_not_tried_again(
    client, upstream, pace, http, status, value, wish
):
    upstream.script(http.answer(status=status, Retry_After=value))

    with pytest.raises(ChannelClosed) as caught:
        await ask(client)

    assert caught.value.reason is WaitReason.ARXIV_COOLDOWN
    assert caught.value.delay == (wish or pace.own_backoff)
    assert pace.cooldowns == [(Channel.API, wish)]
    assert pace.refusals == [status]
    assert (len(upstream.asked), pace.clearings) == (1, [])


async def test_a_block_is_a_cooldown_of_another_kind(client, upstream, pace, http):
    upstream.script(http.answer(b"<html>Access denied</html>", status=403))

    with pytest.raises(ChannelClosed) as caught:
        await ask(client)

    assert caught.value.is_block
    assert (len(upstream.asked), pace.blocks) == (1, [(Channel.API, None)])
    assert (pace.cooldowns, pace.clearings, pace.refusals) == ([], [], [403])


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

    with pytest.raises(ChannelClosed):
        await ask(client)

    assert pace.cooldowns == [(Channel.API, timedelta(seconds=7))]


@pytest.mark.parametrize("status", [429, 406])
async def test_one_without_a_time_is_answered_by_our_own_backoff(
    client, upstream, pace, http, status
):
    upstream.script(http.answer(status=status))

    with pytest.raises(ChannelClosed):
        await ask(client)

    assert pace.cooldowns == [(Channel.API, None)]


@pytest.mark.parametrize("body", [b"Rate exceeded.", b"\nRate exceeded.\n", b"RATE EXCEEDED"])
async def test_rate_exceeded_with_status_200_is_throttling(client, upstream, pace, http, body):
    upstream.script(http.answer(body, Content_Type="text/plain"))

    with pytest.raises(ChannelClosed):
        await ask(client)

    assert (pace.cooldowns, len(upstream.asked)) == ([(Channel.API, None)], 1)
    assert pace.clearings == []


async def test_each_request_says_what_it_accepts(client, upstream, http):
    """Without the header arXiv answers 406."""
    upstream.script(http.answer(http.feed()))

    await ask(client)

    assert upstream.asked[0].headers["Accept"]
