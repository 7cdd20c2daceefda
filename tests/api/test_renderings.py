"""What is remembered of rendered states never stands for another state."""

import gc
import tracemalloc
from typing import get_type_hints
from uuid import uuid4

import orjson
import pytest

from service.api.job_status import MAX_LENGTH, REMEMBERED, _remembered, rendered, status_document
from service.db.job_rows import to_job
from service.domain.jobs import Job

NOON, ONE = "2026-01-01T12:00:00+00:00", "2026-01-01T13:00:00+00:00"
COUNTERS = [name for name, kind in get_type_hints(Job).items() if kind is int]
ERROR = [NOON, "store", "it failed", None, None, None, None]


def state_of(job_id, *, status="running", request=None, papers=0, completed_at=None, errors=None):
    """What PostgreSQL hands over for a job, all of one version."""
    told = {
        "id": str(job_id),
        "status": status,
        "priority": "normal",
        "request": request or {"source": "search"},
        "papers_fetched": papers,
        "papers_created": papers,
        "created_at": NOON,
        "taken_up_at": NOON,
        "started_at": NOON,
        "completed_at": completed_at,
        "updated_at": NOON,
        "version": 1,
        "facts": {},
        "errors": errors,
    }
    zero = dict.fromkeys(COUNTERS, 0)
    return orjson.dumps([(zero | told).get(name) for name in Job._fields]).decode()


@pytest.fixture
def job_id():
    return uuid4()


def test_the_same_state_is_rendered_once(job_id):
    assert rendered(state_of(job_id)) is rendered(state_of(job_id))


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
        body = rendered(state).body
        assert body == orjson.dumps(status_document(to_job(state)))
        assert (body == rendered(first).body) is (state == first)


def test_a_long_state_is_rendered_anew_each_time(job_id):
    long = state_of(job_id, request={"query": "q" * MAX_LENGTH})

    assert rendered(long) == rendered(long)
    assert rendered(long) is not rendered(long)


SHORT = [
    "infinity",
    "store",
    "",
    "",
    "",
    1,
    None,
]  # is rendered longer than it is stored, and twice
SHAPES = {
    "plain": [{}],
    "as large as may be": [
        {"request": {"query": "q" * n}, "errors": [ERROR] * 8} for n in range(400, 1000, 3)
    ],
    "a few errors": [{"errors": [ERROR] * n} for n in range(8)],
    "many short errors": [{"errors": [SHORT] * 40}],
    "wide characters": [{"request": {"query": "\N{MATHEMATICAL BOLD SMALL Q}" * 400}}],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_remembered_stays_within_its_bound(shape):
    _remembered.cache_clear()
    gc.collect()
    tracemalloc.start()
    for number in range(200):
        changes = SHAPES[shape][number % len(SHAPES[shape])]
        rendered(state_of(uuid4(), **changes))
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    kept = _remembered.cache_info().currsize
    share = 20_000_000 / REMEMBERED
    assert taken <= share * max(kept, 10)  # where none is kept, the interpreter keeps something
    assert bool(kept) is (shape not in ("many short errors", "wide characters"))
    _remembered.cache_clear()
