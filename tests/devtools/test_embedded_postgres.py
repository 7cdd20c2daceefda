"""The embedded PostgreSQL: shared by processes of one host, stopped by the last, safe to kill."""

import asyncio
import os
import signal
import stat
import subprocess
import sys

import asyncpg
import pytest

from service.devtools.embedded_postgres import EmbeddedPostgres
from service.devtools.postgres_programs import EmbeddedPostgresError

USER = """
import sys
from pathlib import Path
from service.devtools.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres.under(Path(sys.argv[1]))
server.start()
print("up", flush=True)
sys.stdin.read()
server.stop()
"""


async def ask(url: str, sql: str):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.fixture
def server(tmp_path):
    server = EmbeddedPostgres.under(tmp_path)
    server.start()
    yield server
    server.stop()


def start_user(folder):
    """Another process that uses the server of `folder` until its input ends."""
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdout.readline() == "up\n"
    return user


def end(user):
    with user:
        user.communicate(timeout=30)
    assert user.returncode == 0


def test_the_last_user_stops_it(tmp_path):
    first, second = start_user(tmp_path), start_user(tmp_path)
    server = EmbeddedPostgres.under(tmp_path)

    end(first)
    after_first = server.is_running()
    end(second)

    assert after_first
    assert not server.is_running()


async def test_a_killed_user_neither_stops_it_nor_keeps_it_running(tmp_path):
    killed = start_user(tmp_path)
    with killed:
        os.kill(killed.pid, signal.SIGKILL)
    server = EmbeddedPostgres.under(tmp_path)
    left_running = server.is_running()

    server.start()
    answer = await ask(server.url, "SELECT 1")
    server.stop()

    assert left_running
    assert answer == 1
    assert not server.is_running()


async def test_it_recovers_from_a_crash_of_its_own(server):
    await ask(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
    server.stop_immediately()

    again = EmbeddedPostgres(server.folder)
    await asyncio.to_thread(again.start)
    answer = await ask(again.url, "SELECT n FROM kept")
    again.stop()

    assert answer == 42


def test_several_that_start_at_once_make_one_cluster(tmp_path):
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    lines = [user.stdout.readline() for user in users]
    for user in users:
        end(user)

    assert lines == ["up\n"] * 3


async def test_a_long_folder_name_does_not_keep_it_from_listening(tmp_path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    server = EmbeddedPostgres.under(folder)

    await asyncio.to_thread(server.start)
    answer = await ask(server.url, "SELECT 1")
    server.stop()

    assert answer == 1


async def test_it_listens_on_no_network_address_and_its_folder_is_private(server):
    assert await ask(server.url, "SHOW listen_addresses") == ""
    mode = stat.S_IMODE((server.folder / "data").stat().st_mode)
    assert mode == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_as_root_folders_above_are_opened_for_passing_only(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    server = EmbeddedPostgres.under(data_dir)

    server.start()
    server.stop()

    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o701
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o701


def test_a_cluster_that_cannot_start_says_where_to_look(server):
    server.stop()
    (server.folder / "data" / "PG_VERSION").write_text("9\n")
    broken = EmbeddedPostgres(server.folder)

    with pytest.raises(EmbeddedPostgresError, match=r"pg_ctl failed: .*server\.log"):
        broken.start()
    broken.stop()
