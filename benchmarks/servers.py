"""Programs to be measured: started, waited for, and ended by their process id."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import jwt
import psutil

from service.devtools.embedded_postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 20.0


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str | Path], *, log: Path, environment: Mapping[str, str]
) -> Iterator[int]:
    """Run `command` in the checkout until the end of the block; gives its process id."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """User and system time of these processes and of those that they started, so far."""
    times = [one.cpu_times() for process in processes for one in [process, *process.children(True)]]
    return sum(time.user + time.system for time in times)


def token(secret: str, caller: str = "bench") -> str:
    """A token for `caller`, good for an hour."""
    claims = {"sub": caller, "exp": int(time.time()) + 3600}
    return jwt.encode(claims, secret, algorithm="HS256")


@dataclass(frozen=True, slots=True)
class Service:
    """One API process of ours, ready, on a database that has no jobs yet."""

    base: str
    database_url: str
    process: psutil.Process
    database: psutil.Process


@contextmanager
def our_service(
    folder: Path, secret: str, *, settings: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """`serve --no-worker` on an embedded PostgreSQL under `folder`, until the end of the block.

    `settings`: variables for it, where not the defaults are meant.
    """
    postgres = EmbeddedPostgres.under(folder)
    postgres.start()
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environment = {"DATA_DIR": str(folder), "PORT": str(port), "JWT_SECRET": secret}
    environment |= {"HOST": "127.0.0.1", **(settings or {})}
    command = [sys.executable, "-m", "service", "serve", "--no-worker"]
    try:
        with running(command, log=folder / "ours.log", environment=environment) as pid:
            answered(f"{base}/readyz", headers={})
            postmaster = int((folder / "postgres/data/postmaster.pid").read_text().split()[0])
            yield Service(base, postgres.url, psutil.Process(pid), psutil.Process(postmaster))
    finally:
        postgres.stop()


def answered(url: str, *, headers: Mapping[str, str]) -> bytes:
    """The body of a 200 from `url`, asked for until it comes; raises TimeoutError."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urlopen(Request(url, headers=dict(headers)), timeout=5) as response:
                body: bytes = response.read()
                return body
        except HTTPError as err:
            err.close()
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"nothing but errors from {url}")
