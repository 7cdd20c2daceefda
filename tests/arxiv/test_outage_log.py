"""The outage log of arXiv: one line when it begins, one a minute, one when it is over."""

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from service.arxiv.outage_log import ChannelOutages
from service.domain.channels import Availability, Channel, ChannelState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def state(availability, channel=Channel.API):
    is_available = availability is Availability.AVAILABLE
    return ChannelState(
        channel=channel,
        state=availability,
        since=None if is_available else NOW,
        next_slot_at=NOW,
        cooldown_until=None,
        reason=None if is_available else "arXiv did not answer in time",
    )


def lines(*looks):
    """What is logged by reads at these seconds, at channels in these states."""
    now = 0.0
    log = ChannelOutages(clock=lambda: now)
    with capture_logs() as logged:
        for now, *availabilities in looks:  # noqa: B007 - the clock reads it
            log.note([state(one) for one in availabilities])
    return [(line["event"], line.get("seconds")) for line in logged]


UP, DOWN, COOLING = Availability.AVAILABLE, Availability.UNAVAILABLE, Availability.COOLDOWN


def test_an_outage_is_told_when_it_begins_once_a_minute_and_when_it_is_over():
    looks = [(0, UP), *((second, DOWN) for second in range(1, 150)), (150, UP), (151, UP)]

    assert lines(*looks) == [
        ("arxiv unavailable", None),
        ("arxiv still unavailable", 60),
        ("arxiv still unavailable", 120),
        ("arxiv available again", 149.0),
    ]


def test_a_cooldown_in_between_is_not_the_end_of_it():
    assert lines((0, DOWN), (5, COOLING), (9, DOWN), (10, UP)) == [
        ("arxiv unavailable", None),
        ("arxiv available again", 10.0),
    ]


@pytest.mark.parametrize("channel", list(Channel))
def test_the_lines_say_which_channel_and_why(channel):
    with capture_logs() as logged:
        ChannelOutages().note([state(DOWN, channel)])

    (line,) = logged
    assert (line["channel"], line["log_level"]) == (str(channel), "warning")
    assert line["reason"] == "arXiv did not answer in time"
