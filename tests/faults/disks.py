"""A database that has no room left: on a small disk of its own, or because a trigger says so."""

import os
import pwd
import subprocess
from contextlib import asynccontextmanager, contextmanager

import pytest

from service.devtools.embedded_postgres import SYSTEM_USER
from tests.faults.servers import command

WRITTEN = ("jobs", "papers", "job_papers", "paper_texts", "pgqueuer")
SMALL = "24m"
NO_ROOM = """
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$
"""


class SaidFull:
    """PostgreSQL's error for a full disk (53100) at every write, where no disk may be mounted."""

    def __init__(self, rig):
        self._rig = rig

    async def fill(self):
        triggers = [
            f"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION no_room()"
            for table in WRITTEN
        ]
        await command(self._rig, NO_ROOM, *triggers)

    async def free(self):
        await command(self._rig, "DROP FUNCTION IF EXISTS no_room CASCADE")


class Full:
    """A disk whose last free block a file of ours takes; `fill` and `free` as often as wanted."""

    def __init__(self, folder):
        self._ballast = folder / "ballast"

    async def fill(self):
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096):  # the last page, too
                while _written(file, size):
                    pass

    async def free(self):
        self._ballast.unlink(missing_ok=True)


def _written(file, size):
    try:
        return file.write(bytes(size)) == size
    except OSError:
        return False


@asynccontextmanager
async def said_full(rig, _):
    disk = SaidFull(rig)
    try:
        yield disk
    finally:
        await disk.free()


@contextmanager
def mounted(folder, size):
    """A disk of `size` at `folder` for the block; the test is skipped where none may be mounted."""
    folder.mkdir(exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("a disk may not be mounted here")
    try:
        yield Full(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@asynccontextmanager
async def small_disk(rig, server):
    """The tables that the work writes to lie on a disk of their own for the block."""
    folder = server.folder / "small"
    with mounted(folder, SMALL) as disk:
        place = folder / "tables"
        place.mkdir()
        os.chown(place, pwd.getpwnam(SYSTEM_USER).pw_uid, -1)
        await command(rig, f"CREATE TABLESPACE small LOCATION '{place}'", *_moved("small"))
        try:
            yield disk
        finally:
            await disk.free()
            await command(rig, *_moved("pg_default"), "DROP TABLESPACE small")


def _moved(tablespace):
    return [f"ALTER TABLE {table} SET TABLESPACE {tablespace}" for table in WRITTEN]
