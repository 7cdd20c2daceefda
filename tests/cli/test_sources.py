"""Requests that options make for each source."""

import click
import pytest

from service.cli.ingest import build_request


@pytest.mark.parametrize(
    ("options", "request_"),
    [
        (
            {"source": "oai", "set_spec": "cs", "from_date": "20240301"},
            {"oai": {"set": "cs", "from_date": "20240301"}, "source": "oai"},
        ),
        (
            {"source": "oai", "metadata_format": "arXiv", "max_papers": 5},
            {"oai": {"metadata_format": "arXiv"}, "source": "oai", "max_papers": 5},
        ),
        (
            {"source": "snapshot", "snapshot_file": "a.json"},
            {"snapshot": {"file": "a.json"}, "source": "snapshot"},
        ),
        ({"source": "audit", "heal": True}, {"audit": {"heal": True}, "source": "audit"}),
        (
            {"source": "documents", "ids": ("2301.00001",)},
            {"documents": {"ids": ("2301.00001",)}, "source": "documents"},
        ),
        ({"source": "documents"}, {"documents": {}, "source": "documents"}),
        ({"category": "cs.AI"}, {"search_query": {"category": "cs.AI"}}),
        (
            {"category": "cs.AI", "with_html": True, "no_pdfs": True},
            {
                "search_query": {"category": "cs.AI"},
                "process_pdfs": False,
                "process_html": True,
            },
        ),
    ],
)
def test_options_become_the_object_of_the_source(options, request_):
    assert build_request({}, options) == request_


@pytest.mark.parametrize(
    "options",
    [{"source": "oai", "category": "cs.AI"}, {"set_spec": "cs"}, {"source": "audit", "start": 3}],
)
def test_what_does_not_go_with_the_source_is_refused(options):
    with pytest.raises(click.UsageError, match="does not go with"):
        build_request({}, options)


def test_a_request_of_a_file_keeps_its_source():
    base = {"source": "oai", "oai": {"set": "cs"}}

    assert build_request(base, {"from_date": "20240301"}) == {
        "source": "oai",
        "oai": {"set": "cs", "from_date": "20240301"},
    }
