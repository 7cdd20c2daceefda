"""A primary and its standby: two servers of an installed PostgreSQL, on TCP, as in production."""

import os
import pwd
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
RUN_AS = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
NAME = "standby"
COMMAND_SECONDS = 90


class Server:
    """One server in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()

    @property
    def url(self):
        """This server alone."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program, *arguments):
        """Run a program of PostgreSQL as the user who may."""
        with (self.folder.parent / f"{program}.out").open("w+") as output:
            done = subprocess.run(
                [PROGRAMS[-1] / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=RUN_AS,
                group=None if RUN_AS is None else pwd.getpwnam(RUN_AS).pw_gid,
                extra_groups=None if RUN_AS is None else [],
                cwd=self.folder.parent,
                timeout=COMMAND_SECONDS,
                start_new_session=True,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read()

    def control(self, *arguments):
        log = self.folder.parent / f"{self.folder.name}.log"
        self.run("pg_ctl", "-w", "-D", str(self.folder), "-l", str(log), *arguments)

    def start(self):
        socket = self.folder.parent
        self.control("-o", f"-h 127.0.0.1 -p {self.port} -k {socket}", "start")

    def stop(self):
        if (self.folder / "postmaster.pid").exists():
            self.control("-m", "immediate", "stop")

    def sql(self, statement):
        """Run a statement; what it prints."""
        done = subprocess.run(
            [
                PROGRAMS[-1] / "psql",
                "-XAt",
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-U",
                "postgres",
                "-c",
                statement,
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=COMMAND_SECONDS,
        )
        return done.stdout.strip()


class Pair:
    """A primary that commits only what its standby has as well, and that standby."""

    def __init__(self, folder):
        self.primary, self.standby = Server(folder / "first"), Server(folder / "second")

    @property
    def url(self):
        """Both hosts, as an operator writes them."""
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"

    def start(self):
        self.primary.run("initdb", "--auth=trust", "-U", "postgres", "-D", str(self.primary.folder))
        self.primary.start()
        source = f"host=127.0.0.1 port={self.primary.port} user=postgres application_name={NAME}"
        folder = str(self.standby.folder)
        self.standby.run("pg_basebackup", "-D", folder, "-R", "-X", "stream", "-d", source)
        self.standby.start()
        self.primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'")
        self.primary.sql("SELECT pg_reload_conf()")
        deadline = time.monotonic() + COMMAND_SECONDS
        while self.primary.sql("SELECT sync_state FROM pg_stat_replication") != "sync":
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def promote(self):
        """The standby becomes the primary; it waits for no standby of its own."""
        self.standby.control("promote")
        self.standby.sql("ALTER SYSTEM RESET synchronous_standby_names")
        self.standby.sql("SELECT pg_reload_conf()")

    def stop(self):
        self.primary.stop()
        self.standby.stop()


@contextmanager
def replicated(folder):
    """A running pair for the block."""
    if not PROGRAMS:
        pytest.skip("no PostgreSQL is installed under /usr/lib/postgresql (Debian: postgresql)")
    if RUN_AS is not None:
        _let_enter(folder)
        os.chown(folder, pwd.getpwnam(RUN_AS).pw_uid, -1)
    pair = Pair(folder)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()


def _let_enter(folder):
    for parent in (folder, *folder.parents):
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)
