"""Cron expressions: what they mean, and which are refused."""

from datetime import UTC, datetime

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
