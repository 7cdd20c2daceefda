"""Cron expressions: what they mean, and which are refused."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.jobs.cron import next_run

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("cron", "then"),
    [
        ("0 0 * * *", (2026, 1, 2)),
        ("*/15 * * * *", (2026, 1, 1, 0, 15)),
        ("30 4 1,15 * *", (2026, 1, 1, 4, 30)),
        ("0 12 * * MON-FRI", (2026, 1, 1, 12)),
        ("0 0 * * sun", (2026, 1, 4)),
        ("0 0 * * 7", (2026, 1, 4)),
        ("0 0 L * *", (2026, 1, 31)),
        ("0 0 13 * FRI", (2026, 1, 2)),
        ("0 0 29 2 *", (2028, 2, 29)),
        ("59 23 31 DEC *", (2026, 12, 31, 23, 59)),
    ],
)
def test_the_next_moment_is_the_first_one_later(cron, then):
    assert next_run(cron, NEW_YEAR) == datetime(*then, tzinfo=UTC)


@pytest.mark.parametrize(
    "cron",
    [
        *("", " ", "* * * *", "* * * * * *", "* * * * * * *", "@hourly", "@reboot", "60 * * * *"),
        *("* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "R * * * *"),
        *("H * * * *", "0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "*/0 * * * *", "a b c d e"),
        *("* * * * *\n", "*  * * * *", "٥ * * * *", "-1 * * * *", "1/2/3 * * * *", "; DROP"),
        "1," * 60 + "1 * * * *",
    ],
)
def test_what_is_no_expression_of_five_fields_or_never_comes_is_refused(cron):
    with pytest.raises(ValueError, match=r"cron|next date|not acceptable|out of"):
        next_run(cron, NEW_YEAR)


@given(st.lists(st.text("0123456789*,/-#LFRIMONJ", min_size=1, max_size=6), min_size=5, max_size=5))
def test_any_text_has_a_next_moment_or_is_refused(fields):
    try:
        then = next_run(" ".join(fields), NEW_YEAR)
    except ValueError:
        return

    assert then > NEW_YEAR
    assert then.second == then.microsecond == 0


@pytest.mark.parametrize(
    ("cron", "zone", "after", "then"),
    [
        # 02:30 does not exist on that night: clocks go from 02:00 to 03:00
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["03-29T01:00", "03-30T00:30"]),
        # nor does midnight, where clocks go from 00:00 to 01:00
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00Z", ["09-06T04:00", "09-07T03:00"]),
        # half an hour, on Lord Howe Island: 02:15 comes at 02:30
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z", ["10-03T15:30", "10-04T15:15"]),
        # four times that do not exist come together, at once with the one that does
        ("*/15 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00Z", ["03-29T01:00", "03-29T01:15"]),
        # 02:30 comes twice, and counts the first time
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["10-25T00:30", "10-26T01:30"]),
        # in the hour that comes twice, of which this is the second
        ("*/20 * * * *", "Europe/Berlin", "2026-10-25T01:10Z", ["10-25T02:00", "10-25T02:20"]),
        ("0 9 * * MON", "America/New_York", "2026-06-01T12:00Z", ["06-01T13:00", "06-08T13:00"]),
        ("0 9 * * MON", "Asia/Kathmandu", "2026-06-01T12:00Z", ["06-08T03:15", "06-15T03:15"]),
    ],
)
def test_a_zone_counts_by_the_clocks_there(cron, zone, after, then):
    moment, found = datetime.fromisoformat(after), []
    for _ in then:
        moment = next_run(cron, moment, zone)
        found.append(f"{moment:%m-%dT%H:%M}")

    assert found == then
    assert moment.tzinfo is UTC


def test_a_day_that_a_zone_has_skipped_comes_with_the_next():
    before = datetime(2011, 12, 29, 12, tzinfo=UTC)  # Samoa went from the 29th to the 31st

    assert next_run("0 12 30 12 *", before, "Pacific/Apia") == datetime(
        2011, 12, 30, 10, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../../etc/passwd", "europe/berlin", "GMT+25"]
)
def test_what_is_no_zone_is_refused(zone):
    with pytest.raises(ValueError, match="not an IANA time zone"):
        next_run("* * * * *", NEW_YEAR, zone)


@given(
    st.sampled_from(["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.sampled_from(["*/10 * * * *", "30 2 * * *", "0 0 * * *", "15 0-3 * * *"]),
)
def test_moments_go_forward_and_each_local_time_comes_once(zone, after, cron):
    moment, seen = after, set()
    for _ in range(20):
        following = next_run(cron, moment, zone)
        assert following > moment
        assert following.second == following.microsecond == 0
        wall = following.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert wall not in seen
        seen.add(wall)
        moment = following
