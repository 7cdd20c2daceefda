import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

OURS = ("ARXIV_", "JWT_", "DATABASE_", "STORAGE_", "LOG_", "HOST", "PORT", "DATA_DIR")
COMMAND_TIMEOUT = 60


def clean_environ(**changes):
    """The environment without any setting of the service, then with `changes`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, **{name: str(value) for name, value in changes.items()}}


def run_command(*arguments, environ, stdin=None):
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env=environ,
        input=stdin,
        check=False,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT,
    )


@contextmanager
def started(*arguments, environ, **popen):
    """A running command, ended in order and then by force."""
    command = [sys.executable, "-m", "service", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **popen}
    process = subprocess.Popen(command, env=environ, **pipes)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, *, seconds=30, what="it"):
    """Ask until `condition` holds; the thing asked about is another process."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)
    return found


def fetch(url, *, token=None, method="GET", body=None):
    """Status and JSON of an answer."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, json.loads(answer.read() or b"null")


@dataclass
class Running:
    """A service and a stand-in arXiv as processes."""

    url: str
    arxiv: str
    data_dir: Path
    environ: dict = field(repr=False)
    tokens: dict = field(default_factory=dict, repr=False)

    def run(self, *arguments, stdin=None, **changes):
        environ = {**self.environ, **{name: str(value) for name, value in changes.items()}}
        return run_command(*arguments, environ=environ, stdin=stdin)

    def start(self, *arguments, **popen):
        return started(*arguments, environ=self.environ, **popen)

    def token(self, sub="tests"):
        """A token of `sub`, made once: each command takes more than a second to start."""
        if sub not in self.tokens:
            self.tokens[sub] = self.run("token", "--sub", sub).stdout.strip()
        return self.tokens[sub]

    def submit(self, **request):
        """Record a small job; its id."""
        body = {"search_query": {"category": "cs.AI"}, "max_papers": 3, **request}
        url = f"{self.url}/api/v1/ingestion/arxiv"
        return fetch(url, token=self.token(), method="POST", body=body)[1]["job_id"]

    def job(self, job_id):
        url = f"{self.url}/api/v1/ingestion/job/{job_id}"
        return fetch(url, token=self.token())[1]

    @contextmanager
    def held_harvest(self):
        """The next page stays unanswered until the block ends."""
        script = [{"kind": "hold", "lane": "api", "seconds": 60}]
        assert fetch(f"{self.arxiv}/_replica/script", method="POST", body=script)[0] == 200
        try:
            yield
        finally:
            fetch(f"{self.arxiv}/_replica/script", method="DELETE")
            fetch(f"{self.arxiv}/_replica/release", method="POST")


def _is_ready(url):
    try:
        return fetch(f"{url}/readyz")[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    with running_service(tmp_path_factory.mktemp("cli") / "var") as running:
        yield running


@contextmanager
def running_service(data_dir, **changes):
    """A service and a stand-in for it, with these settings besides."""
    port = free_port()
    with ExitStack() as stack:
        replica = stack.enter_context(
            started("replica", "--port", "0", "--papers", "200", "--json", environ=clean_environ())
        )
        told = json.loads(replica.stdout.readline())
        environ = clean_environ(
            DATA_DIR=data_dir,
            PORT=port,
            ARXIV_API_URL=told["ARXIV_API_URL"],
            ARXIV_OAI_URL=told["ARXIV_OAI_URL"],
            ARXIV_PDF_URL=told["ARXIV_PDF_URL"],
            ARXIV_HTML_URL=told["ARXIV_HTML_URL"],
            ARXIV_MIN_INTERVAL_SECONDS=0,
            ARXIV_PDF_PER_SECOND=200,
            ARXIV_HTML_MIN_INTERVAL_SECONDS=0,
            DRAIN_SECONDS=5,
            **changes,
        )
        log = stack.enter_context((data_dir.parent / "serve.log").open("w"))
        stack.enter_context(started("serve", environ=environ, stdout=log, stderr=log))
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _is_ready(url), seconds=60, what="readiness")
        yield Running(url, told["url"], data_dir, environ)


@pytest.fixture
def tools():
    """Helpers that tests of this folder share."""
    return Tools


class Tools:
    clean_environ = staticmethod(clean_environ)
    run_command = staticmethod(run_command)
    started = staticmethod(started)
    free_port = staticmethod(free_port)
    wait_for = staticmethod(wait_for)
    fetch = staticmethod(fetch)
    SIGINT = signal.SIGINT
