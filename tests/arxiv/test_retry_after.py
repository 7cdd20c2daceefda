from datetime import UTC, datetime, timedelta

import pytest

from service.arxiv.retry_after import http_date, retry_after

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("600", 600),
        ("601", 600),
        ("1000000000", 600),
        ("9" * 18, 600),
        ("Sun, 22 Nov 2026 12:00:07 GMT", 7),
        ("Sun, 22 Nov 2026 14:00:07 +0200", 7),
        ("Sunday, 22-Nov-26 12:00:07 GMT", 7),
        ("Wed, 22 Nov 2999 12:00:00 GMT", 600),
    ],
)
def test_seconds_and_dates_become_a_bounded_wait(value, seconds):
    assert retry_after(value, now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "banana",
        "-1",
        "0",
        "1.5",
        "1e3",
        "７",
        "9" * 5000,
        "Sun, 22 Nov 2026 11:59:59 GMT",
        "Sun, 32 Nov 2026 12:00:00 GMT",
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
    ],
)
def test_what_says_nothing_usable_leaves_the_wait_to_the_caller(value):
    assert retry_after(value, now=NOW) is None


def test_a_date_without_a_zone_is_meant_as_utc():
    assert http_date("Sun, 22 Nov 2026 12:00:00 -0000") == NOW
