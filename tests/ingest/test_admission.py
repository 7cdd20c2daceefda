"""Saying no is cheap: a queue that is full must not cost the database anything more."""

import pytest

from service.domain.errors import Overloaded
from service.ingest.admission import Admission
from service.ingest.submit import submit
from tests.conftest import make_request


class Unasked:
    """A database that nobody may ask."""

    def transaction(self):
        raise AssertionError("the database was asked")


async def test_a_full_queue_is_told_without_asking_the_database():
    admission = Admission(in_all=1)
    admission.note_accepted()

    with pytest.raises(Overloaded, match="Too many jobs are waiting"):
        await submit(Unasked(), make_request(), caller="alice", admission=admission)


async def test_a_key_is_looked_up_all_the_same():
    admission = Admission(in_all=1)
    admission.note_accepted()

    with pytest.raises(AssertionError, match="was asked"):
        await submit(Unasked(), make_request(), caller="alice", key="k", admission=admission)
