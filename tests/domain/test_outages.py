"""What is told of an outage: its beginning, its lasting once a minute, and its end."""

import pytest
from structlog.testing import CapturingLogger

from service.domain.outages import OutageLog, Reason

REFUSED = Reason("refused", "no server listens")
LOST = Reason("lost", "the connection broke", is_doubtful=True)
BUSY = Reason("busy", "others hold it", is_outage=False)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log():
    return CapturingLogger()


@pytest.fixture
def outages(log, clock):
    return OutageLog("database", log, clock=clock)


def told(log):
    return [(call.args[0], call.kwargs) for call in log.calls]


def events(log):
    return [call.args[0] for call in log.calls]


def test_many_failures_are_told_once_and_once_a_minute(outages, log, clock):
    for _ in range(125 * 3):  # a little over two minutes, three times a second
        outages.failed(REFUSED)
        clock.now += 1 / 3

    facts = {"reason": "refused", "detail": "no server listens"}
    first, *lasting = told(log)
    assert first == ("database unavailable", facts)
    assert [event for event, _ in lasting] == ["database still unavailable"] * 2
    assert [round(facts["seconds"]) for _, facts in lasting] == [60, 120]


def test_its_end_tells_how_long_it_was_until_things_worked(outages, log, clock):
    outages.failed(REFUSED)
    clock.now = 60
    outages.worked()
    clock.now = 62.5
    outages.worked()
    outages.worked()

    assert told(log)[1:] == [("database available again", {"seconds": 60.0})]
    assert (outages.since, outages.reason) == (None, None)


def test_it_lasts_while_some_things_work_and_others_do_not(outages, log, clock):
    """Reads on a server that is read-only: no end and new beginning three times a second."""
    for _ in range(90):
        outages.failed(REFUSED)
        outages.worked()
        clock.now += 0.5

    assert events(log) == ["database unavailable"]
    assert outages.since is not None


def test_broken_connections_are_an_outage_when_nothing_else_works_for_a_second(outages, log, clock):
    """A restart breaks all connections of a pool, one after the other."""
    clock.now = 10
    for _ in range(5):
        outages.failed(LOST)
    clock.now = 11
    outages.worked()
    outages.failed(LOST)
    assert events(log) == []

    clock.now = 12.5
    outages.failed(LOST)
    clock.now = 13
    outages.worked()
    clock.now = 16
    outages.worked()
    assert told(log)[1:] == [("database available again", {"seconds": 2.0})]


def test_what_others_hold_is_no_outage(outages, log):
    for _ in range(10):
        outages.failed(BUSY)

    assert events(log) == []


def test_the_reason_that_is_known_best_is_told(outages, log, clock):
    outages.failed(LOST)
    clock.now = 1.5
    outages.failed(LOST)
    outages.failed(REFUSED)
    clock.now = 62
    outages.failed(LOST)

    assert [facts["reason"] for _, facts in told(log)] == ["lost", "refused"]
