"""Keeps an embedded PostgreSQL up: started again when its server process is gone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from service.devtools.embedded_postgres import EmbeddedPostgres
from service.devtools.postgres_programs import EmbeddedPostgresError

LOOK_EVERY_SECONDS = 2.0
LEAVE_SECONDS = 5.0

_log = structlog.get_logger(__name__)


@contextmanager
def kept_running(postgres: EmbeddedPostgres) -> Iterator[None]:
    """Look after a started server during the block, in a thread: starting one takes seconds.

    Of several processes that share it the first to notice starts it.
    """
    leaving = threading.Event()
    watching = threading.Thread(
        target=_watch, args=(postgres, leaving), name="embedded postgres", daemon=True
    )
    watching.start()
    try:
        yield
    finally:
        leaving.set()
        watching.join(LEAVE_SECONDS)


def _watch(postgres: EmbeddedPostgres, leaving: threading.Event) -> None:
    while not leaving.wait(LOOK_EVERY_SECONDS):
        if postgres.is_running():
            continue
        try:
            postgres.start()
        except EmbeddedPostgresError as err:  # its old children may not have ended yet
            _log.warning("embedded PostgreSQL not started", error=str(err))
        else:
            _log.warning("embedded PostgreSQL started again")
