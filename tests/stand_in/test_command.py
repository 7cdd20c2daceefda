import json
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from service.cli.replica import replica
from tests.cli.conftest import wait_for

COMMAND = (sys.executable, "-c", "from service.cli.replica import replica; replica()")


@contextmanager
def running(*options):
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def test_one_line_of_json_says_where_it_listens():
    with running("--port", "0", "--papers", "20", "--json") as process:
        told = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"{told['ARXIV_API_URL']}?search_query=cat:cs.LG") as answer:
            body = answer.read()

    assert told["ARXIV_PDF_URL"] == told["url"] + "/pdf"
    assert told["ARXIV_OAI_URL"] == told["url"] + "/oai"
    assert told["ARXIV_HTML_URL"] == told["url"] + "/html"
    assert b"<feed" in body


def test_traps_and_page_sizes_of_the_command_line_hold():
    options = ("--port", "0", "--json", "--papers", "50", "--trap", "oai-token-once")
    with running(*options, "--oai-records", "20", "--port-per-channel") as process:
        told = json.loads(process.stdout.readline())
        url = f"{told['ARXIV_OAI_URL']}?verb=ListRecords&metadataPrefix=arXiv"
        with urllib.request.urlopen(url) as answer:
            body = answer.read()

    assert body.count(b"<record>") == 20
    assert b"verb=ListRecords&amp;metadataPrefix=arXiv&amp;" in body
    assert len(set(told.values())) == len(told)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(number):
    with running("--port", "0", "--papers", "20") as process:
        sentence = process.stdout.readline()
        process.send_signal(number)

        assert process.wait(30) == 0
        for name in ("ARXIV_API_URL=", "ARXIV_OAI_URL=", "ARXIV_PDF_URL="):
            assert f"{name}http://127.0.0.1:" in sentence


def test_a_reset_is_a_reset_under_the_loop_of_the_command(tmp_path):
    log = tmp_path / "log.jsonl"
    options = ("--port", "0", "--json", "--fault", "kind=reset", "--log", str(log))
    with running(*options) as process:
        url = json.loads(process.stdout.readline())["ARXIV_API_URL"]
        with pytest.raises(ConnectionResetError):
            urllib.request.urlopen(url)

        wait_for(lambda: log.read_text().endswith("\n"), what="a line of the log")
        assert json.loads(log.read_text())["fault"] == "reset"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fault", "rate=2,kind=503"], "rate must be 0 to 1"),
        (["--fault", "kind=teapot"], "unknown fault kind teapot"),
        (["--trap", "mouse"], "unknown trap mouse"),
        (["--trap", "accept-406=5"], "takes no number"),
        (["--oai-records", "0"], "--oai-records"),
        (["--papers", "0"], "--papers"),
        (["--port", "x"], "--port"),
        (["--bandwidth", "0"], "--bandwidth"),
        (["--latency", "-1"], "--latency"),
        (["--from", "/nowhere/at/all"], "--from"),
    ],
)
def test_a_wrong_option_is_a_usage_error_that_names_it(options, said):
    result = CliRunner().invoke(replica, options)

    assert result.exit_code == 2
    assert said in result.output


def test_a_folder_without_recordings_is_an_error(tmp_path):
    result = CliRunner().invoke(replica, ["--from", str(tmp_path)])

    assert result.exit_code == 1
    assert "no *.xml" in result.output
