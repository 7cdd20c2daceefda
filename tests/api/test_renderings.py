"""What is remembered of rendered states never stands for another state."""

from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest

from service.api.status import Renderings, status_document
from service.domain.job import Job, JobError, JobStatus, Priority, Stage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NUMBERS = {name: 0 for name, kind in Job.__annotations__.items() if kind is int}


@pytest.fixture
def job() -> Job:
    values = dict.fromkeys(Job._fields) | NUMBERS
    return Job(
        **values
        | {
            "id": uuid4(),
            "status": JobStatus.RUNNING,
            "priority": Priority.NORMAL,
            "request": {"source": "search"},
            "created_at": NOON,
            "taken_up_at": NOON,
            "started_at": NOON,
            "updated_at": NOON,
            "errors": (),
        }
    )


def other_states(job: Job) -> list[Job]:
    error = JobError(stage=Stage.STORE, message="it failed", code=None, occurred_at=NOON)
    return [
        job._replace(status=JobStatus.COMPLETED, completed_at=NOON),
        job._replace(request={"source": "oai"}),
        job._replace(errors=(error,)),
        *(job._replace(**{name: 7}) for name in NUMBERS if name.startswith(("papers", "pdfs"))),
    ]


def test_the_same_state_is_rendered_once(job):
    renderings = Renderings()

    assert renderings.of(job) is renderings.of(job._replace())


def test_any_other_state_of_the_job_is_rendered_as_it_is(job):
    renderings = Renderings()

    for state in (job, *other_states(job), job):  # all of one version: only equality counts
        assert renderings.of(state) == orjson.dumps(status_document(state))


def test_only_so_many_are_remembered_and_none_that_is_long(job):
    renderings = Renderings(most=2, max_bytes=1000)
    first, *more = (job._replace(id=uuid4()) for _ in range(3))
    long = job._replace(request={"query": "q" * 1000})

    bodies = [renderings.of(one) for one in (first, *more, long)]

    assert [renderings.of(one) is body for one, body in zip(more, bodies[1:3], strict=True)] == [
        True,
        True,
    ]
    assert renderings.of(long) is not bodies[3]
    assert renderings.of(first) is not bodies[0]
