import json

import pytest

GIVEN = ("--category", "cs.AI", "--max-papers", "3", "--no-pdfs")
NEVER = "0 0 29 2 *"


@pytest.fixture
def schedule(service):
    """A schedule that will not run while the test does."""
    done = service.run("schedule", "add", "leap day", NEVER, *GIVEN, "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    yield made
    service.run("schedule", "remove", made["schedule_id"])


def test_a_schedule_is_made_listed_and_shown(service, schedule):
    listed = service.run("schedule", "list")
    as_json = json.loads(service.run("schedule", "list", "--json").stdout)
    shown = service.run("schedule", "show", schedule["schedule_id"])

    assert schedule["request"]["search_query"]["category"] == "cs.AI"
    assert schedule["request"]["process_pdfs"] is False
    assert as_json == [schedule]
    assert schedule["schedule_id"] in listed.stdout
    assert "leap day" in listed.stdout
    assert f"next run at  {schedule['next_run_at']}" in shown.stdout


def test_a_schedule_is_paused_resumed_and_removed(service, schedule):
    schedule_id = schedule["schedule_id"]

    paused = service.run("schedule", "pause", schedule_id)
    resumed = json.loads(service.run("schedule", "resume", schedule_id, "--json").stdout)
    removed = service.run("schedule", "remove", schedule_id)
    again = service.run("schedule", "remove", schedule_id)

    assert "yes" in paused.stdout
    assert resumed == schedule
    assert removed.stdout == f"Schedule {schedule_id} removed successfully\n"
    assert (again.returncode, again.stderr) == (1, "error: Schedule not found\n")


def test_a_schedule_runs_now_by_the_clocks_of_its_zone_and_lists_its_jobs(service):
    moving = ("--from-date", "last_success", "--to-date", "yesterday", "--timezone", "Asia/Tokyo")
    added = service.run("schedule", "add", "moving", NEVER, *GIVEN, *moving, "--json")
    made = json.loads(added.stdout)
    schedule_id = made["schedule_id"]

    ran = service.run("schedule", "run", schedule_id, "--watch")
    listed = json.loads(service.run("schedule", "jobs", schedule_id, "--json").stdout)
    service.run("schedule", "remove", schedule_id)

    assert made["next_run_at"].endswith("-28T15:00:00Z")
    assert made["request"]["search_query"]["from_date"] == "last_success"
    assert ran.returncode == 0, ran.stderr
    assert [one["status"] for one in listed] == ["completed"]
    assert "from_date" not in listed[0]["stats"]["request"]["search_query"]
    assert listed[0]["stats"]["request"]["search_query"]["to_date"].isdigit()


def test_a_wrong_expression_or_request_is_a_usage_error(service):
    cron = service.run("schedule", "add", "x", "0 0 30 2 *", *GIVEN)
    request = service.run("schedule", "add", "x", NEVER, "--category", "cs.AI", "--start", "-1")

    assert (cron.returncode, request.returncode) == (2, 2)
    assert "cron: Not a cron expression" in cron.stderr
    assert "--start" in request.stderr
    assert service.run("schedule", "list").stdout == "There is no schedule.\n"


def test_a_name_that_is_taken_is_said(service, schedule):
    done = service.run("schedule", "add", "leap day", NEVER, *GIVEN)

    assert done.returncode == 1
    assert done.stderr == "error: There is a schedule of this name already\n"
