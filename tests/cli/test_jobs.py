import json
import re
import signal

import pytest

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
SMALL = ("--category", "cs.AI", "--max-papers", "3", "--rewrite-duplicates")
COUNTS = re.compile(r"completed: pages (\d+)/\1, papers (\d+)/\2, PDFs (\d+)/\3, text (\d+)/\4")


@pytest.fixture
def waiting_job(service):
    """Id of a job whose first page is not answered while the test runs."""
    with service.held_harvest():
        yield service.submit(skip_duplicates=False)


def test_ingest_tells_pages_papers_pdfs_and_text_in_plain_lines(service):
    done = service.run("ingest", *SMALL)

    assert done.returncode == 0, done.stderr
    counts = COUNTS.search(done.stdout)
    assert counts is not None, done.stdout
    assert counts.groups() == ("1", "3", "3", "3")
    assert CONTROL.search(done.stdout + done.stderr) is None


def test_ingest_with_json_prints_the_final_status_and_nothing_else(service):
    done = service.run("ingest", *SMALL, "--no-pdfs", "--json")

    document = json.loads(done.stdout)
    assert done.returncode == 0
    assert document["status"] == "completed"
    assert document["progress"]["papers_fetched"] == 3
    assert document["progress"]["pdfs_downloaded"] == 0


def test_a_request_on_standard_input_can_be_changed_by_options(service):
    body = json.dumps({"search_query": {"category": "cs.AI"}, "max_papers": 9})

    done = service.run(
        "ingest", "--request", "-", "--max-papers", "2", "--no-pdfs", "--json", stdin=body
    )

    request = json.loads(done.stdout)["stats"]["request"]
    assert request["max_papers"] == 2
    assert request["search_query"]["category"] == "cs.AI"


def test_a_dry_run_tells_what_would_be_fetched_and_creates_nothing(service):
    told = service.run("ingest", *SMALL, "--dry-run")
    refused = service.run("ingest", "--source", "oai", "--dry-run")

    assert told.returncode == 0, told.stderr
    assert re.search(r"^to ingest +3$", told.stdout, re.MULTILINE)
    assert re.search(r"^requests +1$", told.stdout, re.MULTILINE)
    assert (refused.returncode, "dry_run" in refused.stderr) == (2, True)
    assert service.run("job", "list", "--json").stdout.strip() == "[]"


def test_the_same_idempotency_key_names_the_same_job(service):
    options = ("ingest", *SMALL, "--no-pdfs", "--detach", "--idempotency-key", "once")

    first, second = service.run(*options), service.run(*options)

    assert first.returncode == 0
    assert first.stdout == second.stdout


def test_ctrl_c_ends_the_watching_and_not_the_job(service, waiting_job):
    with service.start("job", "watch", waiting_job) as process:
        process.stdout.readline()  # it watches
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)

    assert process.returncode == 130
    assert f"arxiv-ingestion job watch {waiting_job}" in told
    assert service.job(waiting_job)["status"] in ("pending", "running")


def test_ctrl_c_on_ingest_leaves_its_job_running(service):
    with service.held_harvest(), service.start("ingest", *SMALL) as process:
        job_id = process.stdout.readline().split()[1]
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        status = service.job(job_id)["status"]

    assert process.returncode == 130
    assert status in ("pending", "running")


def test_list_and_show_tell_of_an_active_job(service, waiting_job):
    listed = service.run("job", "list")
    as_json = json.loads(service.run("job", "list", "--json").stdout)
    shown = service.run("job", "show", waiting_job)
    document = json.loads(service.run("job", "show", waiting_job, "--json").stdout)

    assert waiting_job in listed.stdout
    assert waiting_job in [one["job_id"] for one in as_json]
    assert waiting_job in shown.stdout
    assert list(document) == list(service.job(waiting_job))
    assert CONTROL.search(listed.stdout + shown.stdout) is None


def test_a_cancelled_job_is_a_failure_to_its_watcher_and_cannot_be_cancelled_again(
    service, waiting_job
):
    cancelled = service.run("job", "cancel", waiting_job)
    watched = service.run("job", "watch", waiting_job)
    again = service.run("job", "cancel", waiting_job)

    assert cancelled.returncode == 0
    assert cancelled.stdout == f"Job {waiting_job} cancelled successfully\n"
    assert watched.returncode == 1
    assert "error: the job is cancelled" in watched.stderr
    assert again.returncode == 1
    assert again.stderr.startswith("error: The job is")


@pytest.mark.parametrize("command", ["show", "watch", "cancel"])
@pytest.mark.parametrize("job_id", ["123e4567-e89b-12d3-a456-426614174000", "no/../uuid"])
def test_an_unknown_job_is_one_line_and_exit_code_1(service, command, job_id):
    done = service.run("job", command, job_id)

    assert done.returncode == 1
    assert done.stderr == "error: Job not found\n"


def test_a_wrong_field_is_a_usage_error_that_names_the_option(service):
    done = service.run("ingest", "--category", "cs.AI", "--from-date", "yesterday")

    assert done.returncode == 2
    assert "--from-date" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_token_of_somebody_else_is_refused(service):
    forged = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"

    done = service.run("job", "list", "--token", forged)

    assert done.returncode == 1
    assert "Not authenticated" in done.stderr
    assert forged not in done.stderr


def test_a_token_of_the_token_command_is_accepted_from_the_environment(service, tmp_path):
    environ = {"ARXIV_INGESTION_TOKEN": service.token("me"), "DATA_DIR": tmp_path / "elsewhere"}

    done = service.run("job", "list", "--json", "--url", service.url, **environ)

    assert done.returncode == 0
    assert done.stderr == ""
    assert not (tmp_path / "elsewhere").exists()


def test_a_blocked_caller_is_refused_within_a_second_and_an_unblocked_one_let_in(service, tools):
    jobs, token = f"{service.url}/api/v1/ingestion/jobs", service.token("mallory")

    def has_status(status):
        return lambda: tools.fetch(jobs, token=token)[0] == status

    before = has_status(200)()
    blocked = service.run("caller", "block", "mallory", "--reason", "too many jobs")
    assert blocked.returncode == 0, blocked.stderr
    tools.wait_for(has_status(401), seconds=1, what="the block")
    listed = json.loads(service.run("caller", "list", "--json").stdout)
    table = service.run("caller", "list").stdout
    service.run("caller", "unblock", "mallory")
    tools.wait_for(has_status(200), seconds=1, what="the unblock")

    assert before
    assert blocked.returncode == 0
    assert [(one["sub"], one["is_blocked"], one["reason"]) for one in listed] == [
        ("mallory", True, "too many jobs")
    ]
    assert "too many jobs" in table


def test_a_cancelled_job_is_retried_as_a_new_one(service, waiting_job):
    service.run("job", "cancel", waiting_job)
    options = ("job", "retry", waiting_job, "--idempotency-key", "again")

    retried, repeated = service.run(*options), service.run(*options, "--json")
    new_job = retried.stdout.strip()
    listed = json.loads(
        service.run("job", "list", "--status", "cancelled", "--limit", "1", "--json").stdout
    )

    assert retried.returncode == 0, retried.stderr
    assert json.loads(repeated.stdout)["job_id"] == new_job
    assert json.loads(repeated.stdout)["retry_of"] == waiting_job
    assert [one["job_id"] for one in listed] == [waiting_job]


def test_a_job_without_failed_papers_cannot_be_retried(service):
    done = service.run("ingest", *SMALL, "--no-pdfs", "--json")

    retried = service.run("job", "retry", json.loads(done.stdout)["job_id"])

    assert retried.returncode == 1
    assert retried.stderr == "error: The job has no failed papers\n"


def test_a_retry_is_watched_to_its_end(service):
    with service.held_harvest():
        job_id = service.run("ingest", *SMALL, "--detach").stdout.strip()
        service.run("job", "cancel", job_id)

    watched = service.run("job", "retry", job_id, "--watch", "--json")

    document = json.loads(watched.stdout)
    assert watched.returncode == 0, watched.stderr
    assert document["status"] == "completed"
    assert document["stats"]["retry_of"] == job_id
    assert document["progress"]["papers_fetched"] == 3


def test_a_timeline_tells_what_happened_and_how_fast(service):
    job_id = service.run("ingest", *SMALL, "--no-pdfs", "--json")
    job_id = json.loads(job_id.stdout)["job_id"]

    shown = service.run("job", "timeline", job_id)
    events = json.loads(service.run("job", "timeline", job_id, "--json").stdout)
    series = json.loads(
        service.run("job", "timeline", job_id, "--series", "throughput", "--json").stdout
    )

    assert shown.returncode == 0, shown.stderr
    assert "page=1 papers_fetched=3" in shown.stdout
    assert [one["event"] for one in events] == ["created", "started", "page", "finished"]
    assert sum(point["papers"] for point in series["points"]) == 3


def test_jobs_are_listed_by_filters_and_papers_exported(service, tmp_path):
    done = service.run("ingest", *SMALL, "--no-pdfs", "--label", "team=x", "--json")
    job_id = json.loads(done.stdout)["job_id"]

    listed = service.run(
        "job", "list", "--status", "all", "--label", "team=x", "--words", "cs.ai", "--json"
    )
    none = service.run("job", "list", "--requested-by", "nobody")
    errors = service.run("job", "errors", job_id, "--group")
    entries = service.run("paper", "export", "--format", "bibtex", "--job", job_id)
    file = tmp_path / "papers.csv"
    written = service.run("paper", "export", "--format", "csv", "--output", str(file))

    assert job_id in [one["job_id"] for one in json.loads(listed.stdout)], listed.stderr
    assert none.stdout == "No job matches.\n"
    assert errors.stdout == "There is no error.\n"
    assert entries.stdout.count("@misc{arxiv:") == 3
    assert written.returncode == 0, written.stderr
    assert file.read_text().startswith("arxiv_id,")
