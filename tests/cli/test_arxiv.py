"""`arxiv pause` and `arxiv resume`, against a service as processes."""

import json

import pytest


@pytest.fixture
def resumed(service):
    """Whatever a test has paused goes on after it."""
    yield
    service.run("arxiv", "resume")


def test_arxiv_is_paused_and_resumed(service, resumed):
    paused = json.loads(service.run("arxiv", "pause", "--json").stdout)
    again = service.run("arxiv", "pause")
    first = service.run("arxiv", "resume")
    second = json.loads(service.run("arxiv", "resume", "--json").stdout)

    assert paused["paused"] is True
    assert again.stdout == f"Requests to arXiv are paused since {paused['since']}.\n"
    assert first.stdout == "Requests to arXiv are not paused.\n"
    assert second == {"paused": False, "since": None}


def test_a_job_that_waits_says_what_for(service, tools, resumed):
    service.run("arxiv", "pause")
    job_id = service.run("ingest", "--category", "cs.AI", "--no-pdfs", "--detach").stdout.strip()

    def waiting():
        shown = service.run("job", "show", job_id).stdout
        return shown if "arxiv_paused since 2" in shown else None

    try:
        shown = tools.wait_for(waiting, what="the job's wait")
    finally:
        service.run("job", "cancel", job_id)

    assert "waiting for" in shown
