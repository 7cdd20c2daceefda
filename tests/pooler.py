"""PgBouncer in transaction mode before the database of the tests."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url

from service.devtools.embedded_postgres import SYSTEM_USER

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
START_SECONDS = 20
needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")
POOLED = """
[databases]
* = {place}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
{options}
"""
SILENT = "ignore_startup_parameters = " + ", ".join(
    ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
)


@contextmanager
def pgbouncer(url: str, options: str = "", *, pool_size: int = 5) -> Iterator[str]:
    """A pooler before the database of `url`, for the block; yields its URL."""
    parsed, port = make_url(url), _free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        config = _written(Path(folder), parsed, port, options, pool_size)
        command = [str(PGBOUNCER), "-q", str(config)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **_as_another())
        try:
            _wait_until_accepting(port)
            plain = parsed.set(host="127.0.0.1", port=port, query={}, password=None)
            yield plain.render_as_string(hide_password=False)
        finally:
            process.kill()
            process.wait(20)


def _written(folder: Path, url: URL, port: int, options: str, pool_size: int) -> Path:
    folder.chmod(0o755)
    config = folder / "pgbouncer.ini"
    place = {
        "host": url.query.get("host") or url.host,
        "port": url.port or 5432,
        "user": url.username,
        "password": url.password,
    }
    config.write_text(
        POOLED.format(
            place=" ".join(f"{name}={value}" for name, value in place.items() if value),
            listen_port=port,
            options=options,
            pool_size=pool_size,
        )
    )
    return config


def _as_another() -> dict[str, Any]:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(SYSTEM_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_accepting(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
