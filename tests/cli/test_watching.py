import io
from datetime import timedelta

import pytest
from arxiv_ingestion_client import JobReport

from service.cli.output import console, duration, safe
from service.cli.watching import Lines, describe, display_for


def report(status="running", **counters):
    progress = {name: value for name, value in counters.items() if name != "stats"}
    stats = {"papers_total": 25, **counters.get("stats", {})}
    return JobReport({"job_id": "1", "status": status, "progress": progress, "stats": stats})


def test_a_line_is_shown_at_most_once_an_interval_but_the_end_always():
    out, now = io.StringIO(), [0.0]
    lines = Lines(console(out), interval=timedelta(seconds=1), clock=lambda: now[0])

    for moment, job in [
        (0.0, report(papers_fetched=1)),
        (0.5, report(papers_fetched=2)),
        (1.0, report(papers_fetched=3)),
        (2.5, report(papers_fetched=3)),
        (2.6, report("completed", papers_fetched=25)),
    ]:
        now[0] = moment
        lines.show(job)

    shown = [line.split(",")[1].strip() for line in out.getvalue().splitlines()]
    assert shown == ["papers 1/25", "papers 3/25", "papers 25/25"]


def test_what_is_not_known_yet_has_no_total():
    job = JobReport({"job_id": "1", "status": "pending", "progress": {}, "stats": {}})

    assert describe(job) == "pending: pages 0, papers 0, PDFs 0/0, text 0/0"


def test_failures_rate_and_eta_are_told():
    stats = {"pdfs_failed": 2, "errors_total": 3, "elapsed_seconds": 5.0, "eta_seconds": 65}

    line = describe(report(papers_fetched=10, stats=stats))

    assert line.endswith("2 PDFs failed, 3 errors, 2.0 papers/s, ETA 1:05")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (3723, "1:02:03"), (None, None)]
)
def test_durations_are_read_as_clocks(seconds, shown):
    assert duration(seconds) == shown


def test_text_of_others_cannot_move_the_cursor():
    assert safe("a\x1b[2Jb\rc\x9bd") == "a?[2Jb?c?d"


def test_a_file_gets_lines_and_a_quiet_command_nothing():
    out = io.StringIO()

    with display_for(quiet=True, to=console(out)) as silence:
        silence.show(report(papers_fetched=1))
    nothing = out.getvalue()
    with display_for(quiet=False, to=console(out)) as lines:
        lines.show(report(papers_fetched=1))

    assert nothing == ""
    assert out.getvalue().startswith("running: ")
