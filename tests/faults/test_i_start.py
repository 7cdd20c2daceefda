"""Group I of the fault list, what cannot be used, at start and later: cases 114 and 115."""

import asyncio
import os
import signal
import socket

import pytest
from sqlalchemy import make_url

from tests.faults.outages import read_only, wrong_password
from tests.faults.processes import ended, headers, serving, until_logged, until_ready
from tests.faults.servers import (
    AWAY,
    BODY,
    ROLE,
    command,
    login_by_password,
    refused,
)


async def test_case_114_a_read_only_role_is_ready_with_a_warning(own, own_server, tools):
    async with (
        login_by_password(own, own_server) as login,
        serving(own, tools, DATABASE_URL=login) as (_, url, client),
        read_only(own, own_server),
    ):
        assert "database_read_only" in await warnings_of(client, url, "database_read_only")
        await refused(client, "POST", url + AWAY["POST"], 503)
        async with client.get(url + AWAY["GET"], headers=headers()) as answer:
            assert answer.status == 200


async def test_case_114_a_role_that_is_read_only_at_start(own, own_server, tools):
    async with (
        login_by_password(own, own_server) as login,
        read_only(own, own_server),
        serving(own, tools, DATABASE_URL=login) as (_, url, client),
    ):
        assert "database_read_only" in await warnings_of(client, url, "database_read_only")


async def warnings_of(client, url, wanted):
    """The codes of the warnings, once `wanted` is among them."""
    async with asyncio.timeout(60):
        while True:
            async with client.get(f"{url}/readyz") as answer:
                assert answer.status == 200
                codes = {one["code"] for one in (await answer.json())["warnings"]}
            if wanted in codes:
                return codes
            await asyncio.sleep(0.05)


async def test_case_115_a_port_that_is_taken(own):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert (
            await refusal(own, "serve", PORT=port)
            == f"PORT is taken: another program listens on {port}"
        )


async def test_case_115_a_host_that_is_not_ours(own):
    assert await refusal(own, "serve", HOST="192.0.2.1") == "HOST is no address of this machine"


@pytest.mark.parametrize("name", ["serve", "worker"])
async def test_case_115_a_data_folder_that_cannot_be_made(own, name):
    (own.folder / "file").write_text("no folder")

    said = await refusal(own, name, DATA_DIR=str(own.folder / "file" / "data"), DATABASE_URL="")

    assert said == "DATA_DIR: cannot be made or written (not a directory)"


async def test_case_115_a_role_that_may_make_nothing(own, own_server):
    await command(own, "CREATE ROLE nobody_much LOGIN", "CREATE DATABASE nobodys")
    url = make_url(own.url).set(username="nobody_much", database="nobodys")
    try:
        said = await refusal(own, "worker", DATABASE_URL=url.render_as_string(hide_password=False))
    finally:
        await command(own, "DROP DATABASE nobodys WITH (FORCE)", "DROP ROLE nobody_much")

    assert said == "DATABASE_URL: names a role that may not make tables"


async def refusal(rig, name, **changes):
    """The only line that a command says before it ends with another code than 0."""
    async with rig.process(name, **changes) as process:
        code = await ended(process, seconds=60)
    lines = (rig.folder / f"{name}.log").read_text().splitlines()
    told = [line.removeprefix("error: ") for line in lines if not line.startswith("{")]
    assert code != 0
    assert len(told) == 1, lines
    return told[0]


WAITED_FOR = {
    "database_missing": lambda url, _: url.set(database="nothing_here"),
    "connection_refused": lambda url, port: url.set(
        host="127.0.0.1", port=port, query={}, username="x", password="hunter2"
    ),
    "host_unknown": lambda url, _: url.set(
        host="nothing.invalid", query={}, username="x", password="hunter2"
    ),
}


@pytest.mark.parametrize("reason", list(WAITED_FOR))
async def test_case_115_what_is_waited_for_is_told_in_one_line(own, tools, reason):
    url = WAITED_FOR[reason](make_url(own.url), tools.free_port())

    await waits_telling(own, url.render_as_string(hide_password=False), reason)


async def test_case_115_a_wrong_password_is_told_in_one_line(own, own_server):
    async with login_by_password(own, own_server) as login, wrong_password(own, own_server):
        await waits_telling(own, login, "wrong_password")


async def waits_telling(rig, url, reason):
    """A worker waits with one line about it, and ends in order."""
    async with rig.process("worker", DATABASE_URL=url) as process:
        line = await until_logged(rig, "database unavailable")
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    log = (rig.folder / "worker.log").read_text()
    assert line["reason"] == reason
    assert log.count("database unavailable") == 1
    assert "Traceback" not in log
    assert "hunter2" not in log
    assert ROLE not in log


async def test_case_115_an_embedded_database_that_is_killed_is_started_again(own, tools):
    async with serving(own, tools, DATABASE_URL="") as (process, url, client):
        own_url = own.folder / "postgres" / "data" / "postmaster.pid"
        os.kill(int(own_url.read_text().splitlines()[0]), signal.SIGKILL)
        await until_logged(own, "embedded PostgreSQL started again", "serve", seconds=60)
        await until_ready(client, url)
        async with client.post(url + AWAY["POST"], headers=headers(), json=BODY) as answer:
            assert answer.status == 202
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    assert not own_url.exists()
