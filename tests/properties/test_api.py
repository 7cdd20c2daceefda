"""The API against a model of it: any order of requests, work, deaths and restarts.

The model knows which jobs there are, which are finished and which request bears
which key; of work it knows what must be true of the numbers afterwards. It runs
short and always alike; `HYPOTHESIS_PROFILE=long` looks for more.
"""

import os
from time import time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from service.domain.papers import PaperState
from tests.properties.model import FINAL, Known, demand_sums
from tests.properties.rig import MATCHES, Rig

BODIES = (
    {"search_query": {"category": "cs.AI", "max_results": 3}},
    {"search_query": {"category": "cs.AI", "max_results": 3}, "max_papers": 4, "priority": "high"},
    {"search_query": {"author": "Lovelace"}, "process_pdfs": False},
)
WRONG = ({}, {"search_query": {}}, {**BODIES[0], "max_papers": "10"}, {**BODIES[0], "status": 1})

FEW = 4  # jobs at a time, so that much happens to each of them

callers = st.sampled_from(["alice", "bob"])
keys = st.sampled_from([None, "k1", "k2"])
bodies = st.integers(0, len(BODIES) - 1)
numbers = st.integers(1, MATCHES)
settled = st.sampled_from(
    [PaperState.DOWNLOADED, PaperState.PROCESSED, PaperState.FAILED, PaperState.UNAVAILABLE]
)


class Api(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.rig = rig
        self.known: dict[str, Known] = {}  # in the order of their making
        self.named: dict[tuple[str, str], tuple[object, dict[str, Any]]] = {}
        rig.restart(empty=True)

    def teardown(self):
        self.rig.stop()

    # -- what callers do

    @precondition(lambda self: len(self.known) < FEW)
    @rule(target=jobs, caller=callers, key=keys, body=bodies)
    def submit(self, caller, key, body):
        return self._record(caller, key, ("body", body), "ingestion/arxiv", BODIES[body])

    @rule(body=st.sampled_from(WRONG), key=keys)
    def submit_what_is_wrong(self, body, key):
        headers = {} if key is None else {"Idempotency-Key": key}
        status, _, found = self.rig.ask("POST", "ingestion/arxiv", headers=headers, body=body)

        assert status == 422
        assert found["errors"]

    @rule(target=jobs, job=jobs, caller=callers, key=keys)
    def retry(self, job, caller, key):
        path = f"ingestion/job/{job}/retry"
        if self.known[job].is_final or (caller, key) in self.named:
            return self._record(caller, key, ("retry", job), path, None, conflict=True)
        status, _, _ = self.rig.ask("POST", path, caller=caller)
        assert status == 409
        return multiple()

    def _record(self, caller, key, what, path, body, *, conflict=False):
        """Ask for a job: a new one, that of the key, or none if the key names something else."""
        headers = {} if key is None else {"Idempotency-Key": key}
        status, _, found = self.rig.ask("POST", path, caller=caller, headers=headers, body=body)
        if earlier := self.named.get((caller, key)):
            if earlier[0] == what:
                assert (status, found) == (202, earlier[1])
            else:
                assert status == 422
            return multiple()
        if conflict and status == 409:
            return multiple()
        assert status == 202, found
        assert found["job_id"] not in self.known
        self.known[found["job_id"]] = Known()
        if key is not None:
            self.named[caller, key] = (what, found)
        return found["job_id"]

    @rule(job=jobs)
    def cancel(self, job):
        known = self.known[job]
        status, _, found = self.rig.ask("DELETE", f"ingestion/job/{job}")

        if known.is_final:
            assert (status, found["detail"]) == (409, f"The job is already {known.status}")
        else:
            assert (status, found) == (200, {"message": f"Job {job} cancelled successfully"})
            known.status = "cancelled"

    @rule()
    def list_active(self):
        _, _, found = self.rig.ask("GET", "ingestion/jobs")

        active = [job for job, known in self.known.items() if not known.is_final]
        assert [one["job_id"] for one in found] == active[::-1]

    @rule(statuses=st.sets(st.sampled_from(["pending", "running", *FINAL]), min_size=1))
    def list_in_pages(self, statuses):
        path, found = f"ingestion/jobs?limit=2&status={','.join(sorted(statuses))}", []
        while path:
            _, headers, page = self.rig.ask("GET", path)
            found += [one["job_id"] for one in page]
            link = headers.get("Link", "")
            path = link.partition(">")[0].removeprefix("</api/v1/")

        assert found == [job for job, one in self.known.items() if one.status in statuses][::-1]

    @rule(job=jobs, held_back=st.booleans())
    def ask_for_changes(self, job, held_back):
        known = self.known[job]
        prefer = {"Prefer": "wait=0"} if held_back else {}
        for tag in known.tags | {known.etag}:
            headers = {"If-None-Match": tag, **prefer}
            status, _, _ = self.rig.ask("GET", f"ingestion/job/{job}", headers=headers)
            assert status == (304 if tag == known.etag else 200)

    @rule(job=jobs, method=st.sampled_from(["GET", "DELETE"]))
    def come_with_an_expired_token(self, job, method):
        expired = int(time()) - 60
        status, _, _ = self.rig.ask(method, f"ingestion/job/{job}", expires=expired)

        assert status == 401

    # -- what happens beside them

    @rule(job=jobs, die=st.booleans())
    def harvest(self, job, die):
        known = self.known[job]
        had_work = self.rig.harvest(job, die=die)

        assert not (had_work and known.is_final)
        self._worked(job, is_taken_up=had_work)

    @rule(job=jobs)
    def give_up_on_arxiv(self, job):
        if self.rig.harvest(job, fail=True):
            assert not self.known[job].is_final
            self.known[job].status = "failed"

    @rule(job=jobs, number=numbers, state=settled)
    def settle_a_paper(self, job, number, state):
        """Perhaps one that the job does not have, or has settled, or of a finished job."""
        papers = [paper["arxiv_id"] for paper in self._papers(job)]
        chosen = papers[number % len(papers)] if papers and number > 1 else "2301.00001"
        self.rig.settle(job, chosen, state)
        self._worked(job, is_taken_up=False)

    @rule(job=jobs)
    def download_all_pdfs(self, job):
        for paper in self._papers(job):
            self.rig.settle(job, paper["arxiv_id"], PaperState.DOWNLOADED)

    @rule(job=jobs)
    def bring_all_pdfs_in(self, job):
        for paper in self._papers(job):
            for state in (PaperState.DOWNLOADED, PaperState.PROCESSED):
                self.rig.settle(job, paper["arxiv_id"], state)
        self._worked(job, is_taken_up=False)

    @rule(job=jobs)
    def cancel_in_sql(self, job):
        known = self.known[job]
        ((said,),) = self.rig.sql("SELECT cancel_job(CAST(:job AS uuid))", job=job)

        assert said == (f"already {known.status}" if known.is_final else "cancelled")
        known.status = known.status if known.is_final else "cancelled"

    @precondition(lambda self: len(self.known) < FEW)
    @rule(target=jobs, body=bodies)
    def a_schedule_comes_due(self, body):
        name = f"schedule {len(self.known)} {time()}"
        wanted = {"name": name, "cron": "0 3 * * *", "request": BODIES[body]}
        status, _, made = self.rig.ask("POST", "schedules", body=wanted)
        assert status == 201
        self.rig.sql("UPDATE schedules SET next_run_at = now() WHERE name = :name", name=name)

        (job,) = self.rig.run_schedules()

        assert self.rig.run_schedules() == []
        _, _, shown = self.rig.ask("GET", f"schedules/{made['schedule_id']}")
        assert shown["last_job_id"] == job
        assert job not in self.known
        self.known[job] = Known()
        return job

    @rule()
    def restart(self):
        self.rig.restart()

    def _worked(self, job, *, is_taken_up):
        """A worker has done something: the job runs, or is completed if that was the rest."""
        known = self.known[job]
        if known.is_final:
            return
        known.status = "running" if is_taken_up else known.status
        _, _, found = self.rig.ask("GET", f"ingestion/job/{job}")
        if found["status"] == "completed":
            assert known.status == "running"
            assert found["stats"]["pdfs_pending"] == 0
            assert found["progress"]["papers_fetched"] == found["stats"]["papers_total"]
            known.status = "completed"

    def _papers(self, job):
        _, _, found = self.rig.ask("GET", f"ingestion/job/{job}/papers?limit=200")
        return found

    # -- what is always true

    @invariant()
    def every_job_is_as_it_has_to_be(self):
        for job, known in self.known.items():
            status, headers, found = self.rig.ask("GET", f"ingestion/job/{job}")
            assert status == 200  # no acknowledged job is lost
            assert found["status"] == known.status
            if known.document is not None:
                known.demand_successor(found, headers["ETag"])
            if found != known.document:
                demand_sums(found, self._papers(job))
            known.tags.add(known.etag)
            known.document, known.etag = found, headers["ETag"]
            known.tags -= {known.etag, ""}


@pytest.fixture
def rig(database_url, tmp_path):
    rig = Rig(database_url, tmp_path)
    yield rig
    rig.close()


IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@pytest.mark.timeout(3600 if IS_LONG else 300)
def test_the_api_does_what_its_model_does(rig):
    run_state_machine_as_test(
        lambda: Api(rig),
        settings=settings(
            max_examples=100 if IS_LONG else 10,
            stateful_step_count=60 if IS_LONG else 40,
            derandomize=not IS_LONG,
            deadline=None,
            database=None,
            print_blob=True,
            phases=(Phase.generate, Phase.shrink) if IS_LONG else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
