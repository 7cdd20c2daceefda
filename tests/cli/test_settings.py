import json
import socket

import pytest
from click.testing import CliRunner

from service.cli.main import cli

SECRET = "s3cr3t-but-short"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "70000"),
        ("JWT_SECRET", SECRET),
        ("JWT_SECRET", ""),
        ("DATABASE_URL", "mysql://somebody:password@host/db"),
        ("ARXIV_MIN_INTERVAL_SECONDS", "0.07"),
        ("LOG_FORMAT", "yaml-ish"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "config"])
def test_a_wrong_setting_is_exit_code_2_and_names_the_variable_not_the_value(
    tools, tmp_path, command, name, value
):
    environ = tools.clean_environ(DATA_DIR=tmp_path, **{name: value})

    done = tools.run_command(command, environ=environ)

    assert done.returncode == 2
    assert done.stderr.startswith((f"error: {name} ", f"error: {name}: "))
    assert done.stderr.count("\n") == 1
    assert not value or value not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_likely_typo_is_pointed_out(tools, tmp_path):
    environ = tools.clean_environ(DATA_DIR=tmp_path, ARXIV_MIN_INTERVAL="3")

    done = tools.run_command("config", environ=environ)

    assert done.returncode == 0
    assert "ARXIV_MIN_INTERVAL is not a setting" in done.stderr
    assert "did you mean ARXIV_MIN_INTERVAL_SECONDS?" in done.stderr


def test_a_warning_at_the_start_of_a_service_is_one_json_line(tools, tmp_path):
    """Spec 6.9. The port is taken, so that the process ends by itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = tools.clean_environ(
            DATA_DIR=tmp_path,
            DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
            JWT_SECRET="a secret of the tests, longer than 32 bytes",
            HOST="127.0.0.1",
            PORT=taken.getsockname()[1],
            ARXIV_MIN_INTERVAL="3",
        )
        done = tools.run_command("serve", "--no-worker", environ=environ)

    assert done.returncode == 2
    *logged, error = done.stderr.splitlines()
    assert error.startswith("error: PORT is taken")
    (warning,) = [line for line in map(json.loads, logged) if line["event"] == "unknown setting"]
    assert warning["level"] == "warning"
    assert warning["setting"] == "ARXIV_MIN_INTERVAL"
    assert warning["meant"] == "ARXIV_MIN_INTERVAL_SECONDS"


def test_a_service_that_is_not_there_is_exit_code_1(tools, tmp_path):
    environ = tools.clean_environ(DATA_DIR=tmp_path, PORT=tools.free_port())

    done = tools.run_command("job", "list", environ=environ)

    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no answer from http://127.0.0.1:")
    assert done.stderr.count("\n") == 1


def test_without_a_secret_a_client_command_asks_for_a_token(tools, tmp_path):
    environ = tools.clean_environ(DATA_DIR=tmp_path, DATABASE_URL="postgresql://u:pw@localhost/d")

    done = tools.run_command("job", "list", environ=environ)

    assert done.returncode == 2
    assert "--token" in done.stderr
    assert "pw@" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["job", "list", "--url", "ftp://x"], "--url"),
        (["job", "list", "--token", "two words"], "--token"),
        (["ingest", "--max-papers", "many"], "--max-papers"),
        (["ingest", "--priority", "urgent"], "--priority"),
        (["ingest", "--request", "/nowhere/at/all"], "--request"),
        (["caller", "block", ""], "NAME"),
        (["job", "requeue", "x"], "requeue"),
    ],
)
def test_wrong_usage_names_the_option(arguments, said):
    result = CliRunner().invoke(cli, arguments)

    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("text", ["[]", "{", '{"search_query": 3}'])
def test_a_request_that_is_no_object_is_a_usage_error(text):
    result = CliRunner().invoke(cli, ["ingest", "--request", "-"], input=text)

    assert result.exit_code == 2
    assert "--request" in result.output
