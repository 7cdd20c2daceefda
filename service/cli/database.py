"""The database of a command: the one at DATABASE_URL, else an embedded PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.config.settings import Settings


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """Where the database is; an embedded one runs until the end of the block."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    from service.devtools.embedded_postgres import EmbeddedPostgres  # noqa: PLC0415 - an extra

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    postgres = EmbeddedPostgres.under(settings.data_dir)
    postgres.start()
    try:
        yield postgres.url
    finally:
        postgres.stop()
