"""What is printed: ids whole on any terminal, requests with all that was said."""

import io

import pytest
from click.testing import CliRunner

from service.cli import output
from service.cli.ingest import build_request, ingest
from service.cli.token import token

JOB = "01a204cd-c106-72e2-b77f-e5c1e5cac760"
COLUMNS = ("Job", "Status", "Request", "Papers", "PDFs", "Errors", "Created")
ROW = (JOB, "completed", "category cs.AI since 2023-01-01", "10/10", "10", 0, "2026-11-22T19:48Z")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("columns", [40, 50, 60, 80, 200])
def test_case_119_an_id_is_whole_however_narrow_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)

    output.print_table(COLUMNS, [ROW, ROW])

    assert terminal.getvalue().count(JOB) == 2


@pytest.mark.parametrize("option", ["--max-papers", "--batch-size", "--max-results"])
@pytest.mark.parametrize("value", ["0", "-1"])
def test_case_119_a_number_below_one_is_refused(option, value):
    done = CliRunner().invoke(ingest, ["--category", "cs.AI", option, value])

    assert done.exit_code == 2
    assert option in done.output


def test_case_119_a_zero_is_a_value_and_not_left_out():
    assert build_request({}, {"start": 0, "max_papers": None})["search_query"] == {"start": 0}


@pytest.mark.parametrize("subject", ["", "a\nb", "x" * 256])
def test_case_119_a_subject_that_the_service_would_refuse_is_refused(subject):
    done = CliRunner().invoke(token, ["--sub", subject])

    assert done.exit_code == 2
    assert "1 to 255 printable characters" in done.output


def test_case_119_a_lifetime_that_the_service_would_refuse_is_refused(monkeypatch):
    monkeypatch.setenv("JWT_MAX_LIFETIME_SECONDS", "60")

    done = CliRunner().invoke(token, ["--sub", "me", "--ttl", "61"])

    assert done.exit_code == 2
    assert "JWT_MAX_LIFETIME_SECONDS (60)" in done.output
