"""What is remembered of rendered states never stands for another state."""

from uuid import uuid4

import orjson
import pytest

from service.api.looks import MAX_LENGTH, shown_in
from service.api.status import status_document
from service.storage.job_rows import to_job

NOON, ONE = "2026-01-01T12:00:00+00:00", "2026-01-01T13:00:00+00:00"
ERROR = [NOON, "store", "it failed", None, None, None]


def state_of(job_id, *, status="running", request=None, papers=0, completed_at=None, errors=None):
    """What PostgreSQL hands over for a job, all of one version."""
    names = [status, "normal", request or {"source": "search"}, None, None, None]
    moments = [NOON, NOON, NOON, completed_at, NOON]
    row = [str(job_id), *names, 100, *[papers] * 12, *moments, 1, errors]
    return orjson.dumps(row).decode()


@pytest.fixture
def job_id():
    return uuid4()


def test_the_same_state_is_rendered_once(job_id):
    assert shown_in(state_of(job_id)) is shown_in(state_of(job_id))


def test_any_other_state_of_the_job_is_rendered_as_it_is(job_id):
    first = state_of(job_id)
    others = [
        state_of(job_id, status="completed", completed_at=ONE),
        state_of(job_id, request={"source": "oai"}),
        state_of(job_id, papers=7),
        state_of(job_id, errors=[ERROR]),
        state_of(job_id, errors=[ERROR, ERROR]),
    ]

    for state in (first, *others, first):  # all of one version: only equality counts
        body = shown_in(state).body
        assert body == orjson.dumps(status_document(to_job(state)))
        assert (body == shown_in(first).body) is (state == first)


def test_a_long_state_is_rendered_anew_each_time(job_id):
    long = state_of(job_id, request={"query": "q" * MAX_LENGTH})

    assert shown_in(long) == shown_in(long)
    assert shown_in(long) is not shown_in(long)
