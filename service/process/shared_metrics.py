"""Shared metrics: a folder in which the processes behind one port keep their figures.

This is the multiprocess mode of prometheus_client, with the number of the process in the
place of its id: one that is started again goes on in the files of the one before it, so
that no counter goes back, and the files do not grow in number. Each process holds a lock on
the folder, so that whoever starts can tell what one that was killed has left behind.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess, values

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client, inherited by the siblings
PREFIX = "arxiv-ingestion-metrics-"


@contextmanager
def shared_metrics(*, processes: int, number: int) -> Iterator[Path | None]:
    """The folder of process `number` (0: the first, which makes it and removes it again).

    Call it before metrics are made. None where there is one process only. `processes` is of
    the first's account: what a sibling joins is named in the environment.
    """
    if number:
        folder = Path(os.environ[VARIABLE])
        with _locked(folder, fcntl.LOCK_SH):
            _join(number)
            yield folder
        return
    os.environ.pop(VARIABLE, None)
    values.ValueClass = values.MutexValue
    if processes <= 1:
        yield None
        return
    _remove_abandoned()
    made = Path(tempfile.mkdtemp(prefix=f"making-{PREFIX}"))
    with _locked(made, fcntl.LOCK_SH):
        # It has its name, by which others look for folders that nobody holds, once it is held.
        folder = made.rename(made.with_name(made.name.removeprefix("making-")))
        os.environ[VARIABLE] = str(folder)
        try:
            _join(0)
            yield folder
        finally:
            values.ValueClass = values.MutexValue
            os.environ.pop(VARIABLE, None)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    """Hold `folder` as flock does, until the block or the process ends.

    Raises OSError if it is not there, not ours to read or, with LOCK_NB, held.
    """
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(number, kind)
        yield
    finally:
        os.close(number)


def _remove_abandoned() -> None:
    """Remove the folders that no process holds: theirs were killed, as by SIGKILL."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)


def _join(number: int) -> None:
    make: Callable[[Callable[[], int]], Any] = values.MultiProcessValue
    values.ValueClass = make(lambda: number)


def forget(number: int) -> None:
    """Process `number` has ended: its memory, files and connections are no more."""
    multiprocess.mark_process_dead(number)  # type: ignore[no-untyped-call]
