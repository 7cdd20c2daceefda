"""`serve` and `worker`: the processes that stay up."""

import click

from service import serving
from service.cli.settings import load_settings
from service.secrets import signing_key


@click.command()
@click.option("--worker/--no-worker", "with_worker", default=True, help="Also run tasks here.")
def serve(*, with_worker: bool) -> None:
    """Serve the API, and run tasks in the same process."""
    settings = load_settings()
    _, generated = signing_key(settings)
    if generated is not None:
        click.echo(f"JWT_SECRET is not set: using the development secret in {generated}", err=True)
    serving.run(settings, serving.Role(api=True, worker=with_worker))


@click.command()
def worker() -> None:
    """Run tasks, without an API."""
    serving.run(load_settings(), serving.Role(api=False, worker=True))
