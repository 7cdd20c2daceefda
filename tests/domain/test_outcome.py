"""What follows from a run: each row of the table is a test."""

from datetime import timedelta

import pytest

from service.domain.errors import (
    BadPdf,
    DatabaseUnavailable,
    ExtractorCrashed,
    NotPdf,
    Quarantined,
    RateLimited,
    StorageUnavailable,
    Unavailable,
    UpstreamFaulty,
    UpstreamUnavailable,
)
from service.domain.outcomes import Fail, Retry, Snooze, Succeed, backoff, decide

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("error", "attempt", "expected"),
    [
        (None, 1, Succeed()),
        (None, 99, Succeed()),
        (RateLimited(7 * SECOND), 1, Snooze(7 * SECOND)),
        (RateLimited(7 * SECOND), 99, Snooze(7 * SECOND)),
        (RateLimited(9999 * SECOND), 1, Snooze(600 * SECOND)),
        (DatabaseUnavailable("away"), 99, Snooze(2 * SECOND)),
        (StorageUnavailable("full"), 99, Snooze(2 * SECOND)),
        (UpstreamFaulty("cut"), 1, Retry(1 * SECOND)),
        (UpstreamFaulty("cut"), 4, Retry(8 * SECOND)),
        (UpstreamFaulty("cut"), 5, Fail("upstream_faulty", "gave up after 5 attempts: cut")),
        (NotPdf("a page"), 2, Retry(2 * SECOND)),
        (NotPdf("a page"), 3, Fail("not_pdf", "gave up after 3 attempts: a page")),
        (ExtractorCrashed("died"), 3, Fail("quarantined", "gave up after 3 attempts: died")),
        (Unavailable("gone"), 1, Fail("unavailable", "gone")),
        (BadPdf("locked", code="encrypted"), 1, Fail("encrypted", "locked")),
        (Quarantined("killed"), 1, Fail("quarantined", "killed")),
        (UpstreamUnavailable("away", attempts=5), 1, Fail("upstream_unavailable", "away")),
        (KeyError("a bug"), 1, Retry(1 * SECOND)),
        (KeyError("a bug"), 5, Fail("internal", "gave up after 5 attempts: internal error")),
    ],
)
def test_decide(error, attempt, expected):
    assert decide(error, attempt=attempt, limit=5, jitter=0.0) == expected


def test_the_text_of_a_foreign_exception_is_never_shown():
    outcome = decide(ValueError("SELECT secret"), attempt=5, limit=5, jitter=0.0)

    assert isinstance(outcome, Fail)
    assert "secret" not in outcome.message


def test_backoff_doubles_up_to_ten_minutes_and_is_spread():
    waits = [backoff(attempt, 0.0) for attempt in range(1, 40)]

    assert waits[:4] == [1 * SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND]
    assert max(waits) == timedelta(minutes=10)
    assert backoff(3, 0.999) > backoff(3, 0.5) > backoff(3, 0.0)
    assert backoff(99, 0.999) <= timedelta(minutes=15)
