"""The folder that the processes behind one port keep their metrics in."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from prometheus_client import values

from service.api.handlers.metrics import Metrics
from service.domain.jobs import JobStatus
from service.process.shared_metrics import VARIABLE, forget, shared_metrics

JOBS = "arxiv_ingestion_jobs_finished_total"
LAG = "arxiv_ingestion_event_loop_lag_seconds"
START = "process_start_time_seconds"


def process(number, folder, *, lag):
    """The metrics of one of the processes, as it would have made them."""
    with shared_metrics(processes=1, number=number) as joined:
        assert joined == folder
        metrics = Metrics(None, lambda: {"latest": lag}, folder=folder)
    metrics.work.job_ended(JobStatus.FAILED, 1.0)
    metrics.system.publish()
    return metrics


def figures(metrics):
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return {(one.name, *sorted(one.labels.values())): one.value for one in samples}


def test_what_lives_is_summed_and_what_a_dead_process_counted_stays():
    with shared_metrics(processes=3, number=0) as folder:
        first, second = process(1, folder, lag=1.0), process(2, folder, lag=5.0)
        assert figures(first) == figures(second)
        both = figures(first)
        forget(2)
        one = figures(first)
        again = process(2, folder, lag=0.5)
        files = len(list(folder.iterdir()))
        after = figures(again)

    assert (both[JOBS, "failed"], both[LAG, "latest"]) == (2, 5.0)
    assert (one[JOBS, "failed"], one[LAG, "latest"]) == (2, 1.0)
    assert (after[JOBS, "failed"], after[LAG, "latest"]) == (3, 1.0)
    assert one["process_cpu_seconds_total",] >= both["process_cpu_seconds_total",]
    assert files <= 10  # by number, and so not by how often one was started
    assert both[START,] == one[START,]
    assert not folder.exists()


def test_one_process_needs_no_folder_whatever_the_environment_names(monkeypatch):
    monkeypatch.setenv(VARIABLE, "/nowhere")

    with shared_metrics(processes=1, number=0) as folder:
        assert folder is None
        assert VARIABLE not in os.environ
        assert values.ValueClass is values.MutexValue


HOLDER = """
from service.process.shared_metrics import shared_metrics
with shared_metrics(processes=2, number=0) as folder:
    print(folder, flush=True)
    input()
"""


def test_the_folder_of_a_killed_process_is_removed_by_the_next_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    holders = [subprocess.Popen([sys.executable, "-c", HOLDER], **pipes) for _ in range(2)]
    killed, alive = (Path(holder.stdout.readline().strip()) for holder in holders)
    holders[0].send_signal(signal.SIGKILL)
    holders[0].communicate(timeout=60)
    assert killed.exists()

    with shared_metrics(processes=2, number=0) as folder:
        assert set(tmp_path.iterdir()) == {alive, folder}

    holders[1].communicate("\n", 60)
    assert set(tmp_path.iterdir()) == set()
