"""Database of a command: the one at DATABASE_URL, else an embedded PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.devtools.standalone import POSTGRES, require

if TYPE_CHECKING:
    from service.config.settings import Settings


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """Where the database is; an embedded one runs until the end of the block.

    Raises NotInstalled where there is neither.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    from service.devtools.embedded_postgres import EmbeddedPostgres
    from service.devtools.embedded_watch import kept_running

    require(POSTGRES)
    postgres = EmbeddedPostgres.under(settings.data_dir)
    with under_data_dir():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        postgres.start()
    try:
        with kept_running(postgres):
            yield postgres.url
    finally:
        postgres.stop()


@contextmanager
def under_data_dir() -> Iterator[None]:
    """What goes wrong with files in the block is DATA_DIR's fault: SettingsError says so."""
    from service.config.settings import SettingsError

    try:
        yield
    except OSError as err:
        why = (err.strerror or type(err).__name__).lower()
        raise SettingsError({"DATA_DIR": f"cannot be made or written ({why})"}) from None
