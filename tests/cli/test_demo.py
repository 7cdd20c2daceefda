import json
import os
import re
import signal
import socket
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import psutil
import pytest

from service.cli import explain
from service.cli.demo import SOURCES
from service.cli.demo_scenarios import SCENARIOS
from service.cli.story import ready
from service.devtools.children import ChildFailed, running

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@pytest.fixture
def environ(tools, tmp_path):
    return tools.clean_environ(DATA_DIR=tmp_path / "var", PORT=tools.free_port(), DRAIN_SECONDS=5)


def processes_of(data_dir):
    """Processes that work below `data_dir` or have it in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), process.environ().get("DATA_DIR", ""), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(data_dir) in one for one in told):
            found.append(process)
    return found


def test_demo_ends_with_a_completed_job_and_leaves_nothing_running(tools, environ, tmp_path):
    first = tools.run_command("demo", "--stand-in", "--json", environ=environ)
    second = tools.run_command("demo", "--stand-in", environ=environ)

    document = json.loads(first.stdout)
    assert first.returncode == 0, first.stderr
    assert document["status"] == "completed"
    assert document["progress"]["papers_created"] == 25
    assert document["progress"]["pdfs_processed"] == 25
    assert "stand-in" in first.stderr
    assert second.returncode == 0, second.stderr
    assert "held already" in second.stdout
    assert "text 25/25" in second.stdout
    assert "curl -s http://127.0.0.1:" in second.stdout
    assert CONTROL.search(second.stdout + second.stderr) is None
    assert processes_of(tmp_path / "var") == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("oai", {"listed": 200}),
        pytest.param("ids", {"pdfs_processed": 4}, marks=pytest.mark.slow_faults),
        pytest.param("snapshot", {"papers_skipped": 200}, marks=pytest.mark.slow_faults),
    ],
)
def test_demo_shows_each_source(tools, environ, source, told):
    done = tools.run_command("demo", "--source", source, "--json", environ=environ)

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    figures = {**document["progress"], **document["stats"]}
    assert {name: figures[name] for name in told} == told
    assert figures["request"]["source"] in ("search", "audit", "snapshot")
    assert f"as --source {source} wants" in done.stderr


def test_the_sources_of_the_demo_are_those_that_it_offers():
    assert tuple(SCENARIOS) == SOURCES


async def test_the_rows_that_it_shows_are_there_to_be_asked_for(sql):
    statements = {rows for make in SCENARIOS.values() for rows in make().rows} | {explain.ROWS}

    for statement in statements:
        await sql(statement.format(job_id=UUID(int=7)))


def test_a_port_in_use_is_said_before_anything_starts(tools, environ, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = tools.run_command("demo", environ={**environ, "PORT": str(port)})

    assert done.returncode == 2
    assert f"PORT {port} is in use" in done.stderr
    assert not (tmp_path / "var" / "postgres").exists()


class Foreign(BaseHTTPRequestHandler):
    """Another program, which says yes to everything."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


async def test_case_135_a_program_that_took_the_port_meanwhile_is_not_taken_for_the_service(
    tools, tmp_path
):
    environ = tools.clean_environ(DATA_DIR=tmp_path / "var", LOG_LEVEL="INFO")
    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        port = other.server_address[1]
        log, within = tmp_path / "serve.log", timedelta(seconds=40)
        environ |= {"PORT": str(port)}
        async with running(("serve",), environ=environ, log=log, stop_within=within) as serve:
            with pytest.raises(ChildFailed) as failed:
                await serve.beside(ready(f"http://127.0.0.1:{port}", serve))
        other.shutdown()

    assert "ended with exit code" in str(failed.value)
    assert "PORT" in "".join(failed.value.last_lines())


def test_an_upstream_that_refuses_fails_the_demo_with_the_reason_and_the_log(
    tools, environ, tmp_path
):
    with tools.started("replica", "--port", "0", "--json", environ=environ) as replica:
        told = json.loads(replica.stdout.readline())
        refusal = {"kind": "body", "lane": "api", "status": 400, "body": "no", "times": 50}
        script = f"{told['url']}/_replica/script"
        assert tools.fetch(script, method="POST", body=[refusal])[0] == 200
        urls = {name: told[name] for name in told if name.startswith("ARXIV_")}
        pace = {"ARXIV_MIN_INTERVAL_SECONDS": "0"}

        done = tools.run_command("demo", environ={**environ, **urls, **pace})

    assert done.returncode == 1
    assert "as configured" in done.stdout
    assert "error: the job is failed" in done.stderr
    assert "serve.log" in done.stderr


def test_demo_stays_up_until_it_is_told_to_end(tools, environ, tmp_path):
    url = f"http://127.0.0.1:{environ['PORT']}"
    with tools.started("demo", "--stand-in", "--stay", environ=environ) as demo:
        line = next(line for line in demo.stdout if line.startswith("Up on "))
        told = [next(demo.stdout) for _ in range(8)]
        status, _ = tools.fetch(f"{url}/readyz")
        token = next(line.split()[-1] for line in told if line.split()[:1] == ["token"])
        listed, _ = tools.fetch(f"{url}/api/v1/ingestion/jobs", token=token)
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=40)

    assert line.startswith(f"Up on {url} ")
    assert (status, listed) == (200, 200)
    assert any(f"{url}/ops" in line for line in told)
    assert any(f"{url}/docs" in line for line in told)
    assert [line.split(" service ")[1].split()[0] for line in told[-3:]] == ["ingest", "job", "db"]
    assert demo.returncode == 0
    assert processes_of(tmp_path / "var") == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children")
def test_a_killed_demo_takes_its_children_along(tools, environ, tmp_path):
    with tools.started("demo", "--stand-in", environ=environ) as demo:
        next(line for line in demo.stdout if line.startswith("Submitted"))
        before = processes_of(tmp_path / "var")
        demo.kill()
        demo.wait(10)

        tools.wait_for(lambda: not processes_of(tmp_path / "var"), what="the end of the children")

    assert len(before) > 2
