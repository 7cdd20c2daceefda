"""`serve` and `worker`: the long-running processes."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import click

from service.cli.settings import load_settings


@click.command()
@click.option("--worker/--no-worker", "with_worker", default=True, help="Also run tasks here.")
@click.option("--sibling", default=0, hidden=True, help="Share the port, as number N of several.")
def serve(*, with_worker: bool, sibling: int) -> None:
    """Serve the API, and run tasks in the same process."""
    with _uncollected():
        import structlog

        from service.cli.database import database_url, under_data_dir
        from service.config.settings import SettingsError
        from service.devtools.development_secret import signing_keys

    settings = load_settings(logged=True)
    if settings.api_processes > 1 and settings.port == 0:
        raise SettingsError({"PORT": "must not be 0 when API_PROCESSES is more than 1"})
    with under_data_dir():
        keys, generated = signing_keys(settings)
    if generated is not None:
        _log = structlog.get_logger(__name__)
        _log.warning("development secret in use", path=str(generated))
    with _uncollected():  # what takes long, once the settings are known to be right
        from service.process import lifecycle
    role = lifecycle.Role(api=True, worker=with_worker, number=sibling)
    lifecycle.run(settings, role, database=database_url(settings), keys=keys)


@click.command()
def worker() -> None:
    """Run tasks, without an API."""
    from service.cli.database import database_url

    settings = load_settings(logged=True)
    with _uncollected():
        from service.process import lifecycle
    role = lifecycle.Role(api=False, worker=True)
    lifecycle.run(settings, role, database=database_url(settings))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage while modules are imported, and never look at what they made again.

    Imports make hardly any garbage and hundreds of thousands of objects, which the
    collector would look through dozens of times: an eighth of a start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
