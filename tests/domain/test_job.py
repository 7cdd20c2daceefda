"""A request survives being stored, and knows how many papers it can bring."""

from datetime import date

import pytest

from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, IngestionRequest, JobStatus, Priority

EVERYTHING = IngestionRequest(
    criteria=Criteria(
        query="quantum",
        category="cs.AI",
        author="Lovelace",
        title="engines",
        abstract="notes",
        from_date=date(2024, 1, 2),
        to_date=date(2024, 3, 4),
        ids=(ArxivId("2401.00001", 2), ArxivId("hep-th/9901001")),
        page_size=7,
        start=3,
        sort_by="relevance",
        sort_order="ascending",
    ),
    batch_size=9,
    max_papers=11,
    process_pdfs=False,
    skip_duplicates=False,
    priority=Priority.HIGH,
)
SMALLEST = IngestionRequest(criteria=Criteria(category="cs.AI"))


@pytest.mark.parametrize("request_", [EVERYTHING, SMALLEST])
def test_a_stored_request_is_the_same_when_read(request_):
    assert IngestionRequest.load(request_.dump()) == request_


def test_the_stored_request_speaks_the_callers_words():
    document = EVERYTHING.dump()

    assert document["search_query"]["from_date"] == "20240102"
    assert document["search_query"]["ids"] == ["2401.00001v2", "hep-th/9901001"]
    assert document["search_query"]["max_results"] == 7
    assert "author" not in SMALLEST.dump()["search_query"]


def test_three_states_are_final():
    final = [status for status in JobStatus if status.is_final]

    assert final == [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]
