"""Callers as locust plays them: status, list, submit, wait for a change, stream of events.

Each has jobs in mind: those that it has submitted, or the latest of the list. Waiting
answers take as long as they wait, so that only the others have a threshold in time.
"""

import json
import os
import random
import uuid
from collections import deque

from locust import FastHttpUser, between, events, task

TOKEN_VARIABLE = "ARXIV_INGESTION_TOKEN"
JOBS = "/api/v1/ingestion/jobs"
JOB = "/api/v1/ingestion/job/{}"
KEPT_JOBS = 50
WAIT_SECONDS = 5
STREAM_SECONDS = 30
WAITING = ("wait for a change", "stream of events")
FAILURE = 1


@events.init_command_line_parser.add_listener
def _options(parser):
    own = parser.add_argument_group("Thresholds, by exit code")
    own.add_argument("--submit", action="store_true", help="Submit jobs too: arXiv is asked.")
    own.add_argument("--max-failures", type=float, default=0.01, help="Share of requests (0.01).")
    own.add_argument("--p95-ms", type=float, default=500, help="95 of 100 are faster (500).")
    own.add_argument("--submit-p95-ms", type=float, default=2000, help="For submissions (2000).")
    own.add_argument("--min-requests", type=int, default=20, help="In all, or it counts for none.")


@events.quitting.add_listener
def _judge(environment, **_):
    """Exit code 1 when a threshold is not kept; says which."""
    wrong = list(broken(environment.stats, environment.parsed_options))
    for one in wrong:
        print(f"THRESHOLD: {one}")
    if not wrong:
        print("all thresholds kept")
    environment.process_exit_code = FAILURE if wrong else 0


def broken(stats, options):
    """What is wrong with the figures, in words."""
    total = stats.total
    if total.num_requests < options.min_requests:
        yield f"{total.num_requests} requests, fewer than {options.min_requests}"
    if total.fail_ratio > options.max_failures:
        yield f"{total.fail_ratio:.2%} of the requests failed, more than {options.max_failures:.2%}"
    for entry in stats.entries.values():
        slow = entry.get_response_time_percentile(0.95) or 0
        most = options.submit_p95_ms if entry.name == "submit" else options.p95_ms
        if entry.name not in WAITING and slow > most:
            yield f"{entry.name}: 95 of 100 within {slow:.0f} ms, not {most:.0f} ms"


class Caller(FastHttpUser):
    """One service that calls this one."""

    wait_time = between(0.05, 0.5)
    network_timeout = connection_timeout = STREAM_SECONDS + 10.0

    def on_start(self):
        """Sign in, and look for jobs."""
        options = self.environment.parsed_options
        self.submits = options.submit
        self.signed = {"Authorization": f"Bearer {os.environ[TOKEN_VARIABLE]}"}
        self.jobs = deque(maxlen=KEPT_JOBS)
        if self.submits:
            self.submit()
        else:
            self.list_jobs()

    @task(60)
    def status(self):
        """Of one of the jobs."""
        if self.jobs:
            path = JOB.format(random.choice(self.jobs))
            self.client.get(path, headers=self.signed, name="status")

    @task(10)
    def list_jobs(self):
        """The latest of any state."""
        path = f"{JOBS}?status=pending,running,completed,failed,cancelled&limit=20"
        with self.client.get(path, headers=self.signed, name="list", catch_response=True) as answer:
            if answer.status_code == 200:
                self.jobs.extend(job["job_id"] for job in answer.json())

    @task(3)
    def submit(self):
        """A small job, unless only looking is wanted."""
        if not self.submits:
            return
        wanted = {"search_query": {"category": "cs.AI"}, "max_papers": 5, "process_pdfs": False}
        headers = {**self.signed, "Idempotency-Key": str(uuid.uuid4())}
        path = "/api/v1/ingestion/arxiv"
        with self.client.post(
            path, json=wanted, headers=headers, name="submit", catch_response=True
        ) as answer:
            if answer.status_code == 202:
                self.jobs.append(answer.json()["job_id"])
            else:
                answer.failure(f"status {answer.status_code}")

    @task(5)
    def wait_for_a_change(self):
        """Of the latest job, from what was seen of it."""
        if not self.jobs:
            return
        path = JOB.format(self.jobs[-1])
        seen = self.client.get(path, headers=self.signed, name="status")
        headers = {**self.signed, "Prefer": f"wait={WAIT_SECONDS}"}
        headers["If-None-Match"] = seen.headers.get("ETag", '"0"')
        self.client.get(path, headers=headers, name=WAITING[0])

    @task(2)
    def stream_of_events(self):
        """Of the latest job, until its end."""
        if not self.jobs:
            return
        path = f"{JOB.format(self.jobs[-1])}/events"
        with self.client.get(
            path, headers=self.signed, name=WAITING[1], catch_response=True
        ) as answer:
            lines = (answer.text or "").splitlines()
            data = [line.removeprefix("data:") for line in lines if line.startswith("data:")]
            if not data or "status" not in json.loads(data[-1]):
                answer.failure("no state came")
