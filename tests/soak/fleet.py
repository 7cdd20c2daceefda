"""The processes of a run: PostgreSQL, the stand-in arXiv, and the replicas on top of both.

A replica that dies is begun anew under another database role, so that the
queue's own table tells which incarnation took which task (see `takeover`).
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import asyncpg
import psutil

from service.devtools.embedded_postgres import EmbeddedPostgres
from tests.soak.plan import Plan
from tests.soak.stand_in import StandIn

SECRET = "a secret of the soak, long enough to be taken"
PASSWORD = "soak-dsn-password"
ROLES = 10_000  # incarnations that one run may have
READY_SECONDS = 180
PDF_PLACES = 4  # of one replica


@dataclass(slots=True)
class Server:
    """A PostgreSQL of the run's own, which can be stopped as a crash would."""

    postgres: EmbeddedPostgres

    def url(self, database: str, role: str = "postgres") -> str:
        """Where `role` reaches `database`."""
        _, _, query = self.postgres.url.partition("?")
        return f"postgresql://{role}:{PASSWORD}@/{database}?{query}"

    @asynccontextmanager
    async def session(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the harness's own; the server may become unavailable meanwhile."""
        connection = await asyncpg.connect(self.url(database), timeout=10)
        try:
            yield connection
        finally:
            connection.terminate()

    async def restart(self, down: float) -> None:
        """Stop as a crash would, stay away for `down` seconds, come back."""
        await asyncio.to_thread(self.postgres.stop_immediately)
        await asyncio.sleep(down)
        await asyncio.to_thread(self.postgres.start)

    async def command(self, database: str, *statements: str) -> None:
        """Run statements as the owner, each by itself, wherever new sessions may only read."""
        async with self.session(database) as connection:
            await connection.execute("SET default_transaction_read_only = off")
            for statement in statements:
                await connection.execute(statement)

    async def prepare(self, database: str) -> None:
        """An empty database, and the roles that replicas use on it."""
        async with self.session("postgres") as connection:
            await connection.execute(f"CREATE DATABASE {database}")
            await connection.execute(
                "DO $$ BEGIN FOR n IN 1.." + str(ROLES) + " LOOP"
                " BEGIN EXECUTE format('CREATE ROLE r%s SUPERUSER LOGIN', n);"
                " EXCEPTION WHEN duplicate_object THEN EXIT; END; END LOOP; END $$"
            )


@asynccontextmanager
async def running_server(folder: Path) -> AsyncIterator[Server]:
    """A new PostgreSQL under `folder`, stopped at the end."""
    postgres = EmbeddedPostgres.under(folder)
    await asyncio.to_thread(postgres.start)
    try:
        yield Server(postgres)
    finally:
        if not postgres.is_running():
            await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(postgres.stop)


@dataclass(slots=True)
class Replica:
    """One replica: a port that stays, and a process that comes and goes."""

    name: str
    port: int
    role: str = ""
    process: asyncio.subprocess.Process | None = None
    is_ready: bool = False
    is_stopped: bool = False

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, and to it alone."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


@dataclass(frozen=True, slots=True)
class Ended:
    """How one incarnation of a replica ended: `at` on the wall clock, by which signal."""

    role: str
    pid: int
    at: float
    was_killed: bool


@dataclass(slots=True)
class Fleet:
    """The replicas of a run on one database and one folder."""

    plan: Plan
    folder: Path
    server: Server
    database: str
    stand_in: StandIn
    settings: dict[str, str] = field(default_factory=dict)
    replicas: list[Replica] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    up: asyncio.Condition = field(default_factory=asyncio.Condition)
    _begun: int = 0
    _watching: set[asyncio.Task[None]] = field(default_factory=set)

    async def begin(self) -> None:
        """Start all replicas, and return when they are ready."""
        self.replicas = [Replica(f"replica-{n}", _free_port()) for n in range(self.plan.replicas)]
        for replica in self.replicas:
            await self.start(replica)
        async with asyncio.timeout(READY_SECONDS), self.up:
            await self.up.wait_for(lambda: all(one.is_ready for one in self.replicas))

    async def start(self, replica: Replica) -> None:
        """Begin a new incarnation; `is_ready` follows when it answers so."""
        self._begun += 1
        replica.role, replica.is_ready, replica.is_stopped = f"r{self._begun}", False, False
        with (self.folder / f"{replica.name}.log").open("ab") as log:
            replica.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service", "serve"),
                env=self._environment(replica),
                stdout=log,
                stderr=log,
            )
        task = asyncio.create_task(self._until_ready(replica, replica.process))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def kill(self, replica: Replica) -> None:
        """SIGKILL the process and note the moment; complain if it has ended already."""
        assert replica.process is not None
        replica.is_ready = False
        self.complaints += self._ended_early(replica)
        at = time.time()
        replica.signal(signal.SIGKILL)
        await replica.process.wait()
        self.ended.append(Ended(replica.role, replica.process.pid, at, was_killed=True))

    async def any_ready(self, wanted: int, *, seconds: float) -> Replica | None:
        """The replica number `wanted` or the next that is up, as soon as one is."""
        turn = self.replicas[wanted:] + self.replicas[:wanted]
        try:
            async with asyncio.timeout(seconds), self.up:
                await self.up.wait_for(lambda: any(one.is_ready for one in turn))
        except TimeoutError:
            return None
        return next((one for one in turn if one.is_ready), None)

    async def end(self) -> list[str]:
        """SIGTERM to all; what was not in order, each with the last that its log says."""
        running = [(one, one.process) for one in self.replicas if one.process is not None]
        complaints = list(self.complaints)
        for replica, _ in running:
            complaints += self._ended_early(replica)
        told = [(replica, process) for replica, process in running if process.returncode is None]
        for replica, _ in told:
            replica.is_ready = False
            replica.signal(signal.SIGCONT)
            replica.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(READY_SECONDS):
                for replica, process in told:
                    if code := await process.wait():
                        words = self._last_words(replica)
                        complaints.append(f"{replica.name} ended with {code} on SIGTERM: {words}")
        finally:
            for _, process in told:
                if process.returncode is None:
                    process.kill()
        return complaints

    def _ended_early(self, replica: Replica) -> list[str]:
        """That the process has ended though nobody ended it, if so."""
        if replica.process is None or replica.process.returncode is None:
            return []
        words = self._last_words(replica)
        return [f"{replica.name} ended by itself with {replica.process.returncode}: {words}"]

    def _last_words(self, replica: Replica) -> str:
        lines = (self.folder / f"{replica.name}.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-3:])[-1000:]

    def processes_left(self) -> list[str]:
        """Children of dead replicas that still run."""
        dead = {str(one.pid) for one in self.ended}
        found = []
        for process in psutil.process_iter(["cmdline"]):
            arguments = process.info["cmdline"] or []
            if any("child.py" in one for one in arguments) and dead & set(arguments):
                found.append(" ".join(arguments))
        return found

    def _environment(self, replica: Replica) -> dict[str, str]:
        plan, urls = self.plan, {k: v for k, v in self.stand_in.urls.items() if k != "url"}
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            **{name: os.environ[name] for name in os.environ if name.startswith("COVERAGE_")},
            "DATABASE_URL": self.server.url(self.database, replica.role),
            "DATA_DIR": str(self.folder),
            "PORT": str(replica.port),
            "JWT_SECRET": SECRET,
            **urls,
            "ARXIV_MIN_INTERVAL_SECONDS": str(plan.api_interval),
            "ARXIV_PDF_PER_SECOND": str(plan.pdfs_per_second),
            "ARXIV_HTML_MIN_INTERVAL_SECONDS": str(plan.api_interval),
            "LEASE_SECONDS": str(plan.lease),
            "EXTRACT_PROCESSES": "1",
            "PDF_CONCURRENCY": str(PDF_PLACES),
            "DRAIN_SECONDS": "10",
            **self.settings,
        }

    async def _until_ready(self, replica: Replica, process: asyncio.subprocess.Process) -> None:
        """Ask the process until it says that it is ready, or is gone."""
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while process.returncode is None and replica.process is process:
                with suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with session.get(f"{replica.url}/readyz") as answer:
                        if answer.status == 200:
                            break
                await asyncio.sleep(0.1)
            else:
                return
        async with self.up:
            replica.is_ready = process.returncode is None
            self.up.notify_all()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
