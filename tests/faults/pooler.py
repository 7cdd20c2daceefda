"""PgBouncer in transaction mode before the database of the tests."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from service.storage.embedded import SYSTEM_USER

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")
POOLED = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
{options}
"""
SILENT = "ignore_startup_parameters = " + ", ".join(
    ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
)


@asynccontextmanager
async def pgbouncer(url, listen_port, options=""):
    """A pooler in transaction mode before the database of `url`; yields its URL."""
    parsed = make_url(url)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        config = _written(Path(folder), parsed, listen_port, options)
        process = await asyncio.create_subprocess_exec(
            *(PGBOUNCER, "-q", config), stderr=subprocess.DEVNULL, **_as_another()
        )
        try:
            await until_accepting(listen_port)
            plain = parsed.set(host="127.0.0.1", port=listen_port, query={})
            yield plain.render_as_string(hide_password=False)
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 20)


def _written(folder, parsed, listen_port, options):
    folder.chmod(0o755)
    config = folder / "pgbouncer.ini"
    host = parsed.query.get("host") or parsed.host
    place = {"host": host, "port": parsed.port or 5432, "user": parsed.username}
    config.write_text(POOLED.format(**place, listen_port=listen_port, options=options))
    return config


def _as_another():
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(SYSTEM_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


async def until_accepting(port, seconds=20):
    async with asyncio.timeout(seconds):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
