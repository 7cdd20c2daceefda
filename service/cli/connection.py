"""Connection of client commands: base URL, token and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from service.cli.output import safe
from service.cli.settings import TOKEN_VARIABLE, load_settings

if TYPE_CHECKING:
    from arxiv_ingestion_client import ClientError, IngestionClient

    from service.config.settings import Settings

SUBJECT = "cli"
TOKEN_LIFETIME_SECONDS = 86_400  # a watch may last as long; JWT_MAX_LIFETIME_SECONDS cuts it
SHORT_PATIENCE = timedelta(seconds=2)  # somebody waits at the keyboard
WATCH_PATIENCE = timedelta(minutes=5)  # a restart, or a failover of the database
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_Result = TypeVar("_Result")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def connected(command: _Command) -> _Command:
    """Give `command` the options `--url` and `--token`."""
    url = click.option("--url", callback=_http_url, help="Base URL [default: from HOST and PORT].")
    token = click.option(
        "--token",
        envvar=TOKEN_VARIABLE,
        callback=_token,
        show_envvar=True,
        help="Bearer token [default: generated where the signing secret is configured].",
    )
    return url(token(command))


def _http_url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise click.BadParameter("must be an http:// or https:// URL")
    return value


def _token(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not value.isascii() or not value.isprintable() or " " in value):
        raise click.BadParameter("is not a token")
    return value


def client_for(
    url: str | None, token: str | None, *, patience: timedelta = SHORT_PATIENCE
) -> IngestionClient:
    """A client with what was given, the rest from the settings.

    One that is patient says so when the service does not answer.
    """
    from arxiv_ingestion_client import IngestionClient

    settings = load_settings()

    def tell(error: ClientError, times: int) -> None:
        if times == 1 and patience > SHORT_PATIENCE:
            text = f"{safe(error)}; asking again for up to {patience.total_seconds():.0f} s"
            click.echo(text, err=True)

    return IngestionClient(
        url or base_url(settings),
        token or make_token(settings),
        patience=patience,
        on_trouble=tell,
    )


def base_url(settings: Settings) -> str:
    """Where the service of this environment listens, seen from this machine."""
    if settings.port == 0:
        raise click.UsageError("PORT is 0, so nobody knows where the service listens; give --url")
    host = settings.host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - read, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def make_token(settings: Settings, subject: str = SUBJECT) -> str:
    """A token signed with the secret of this environment; a usage error where there is none."""
    from service.auth.tokens import issue
    from service.config.settings import SettingsError
    from service.devtools.development_secret import signing_keys
    from service.process.token_rules import token_rules

    missing = f"no token: give --token or set {TOKEN_VARIABLE}"
    for name in ("JWT_PUBLIC_KEY", "JWT_JWKS_URL"):
        if settings.masked()[name] is not None:
            raise click.UsageError(f"{missing} ({name} is set: tokens come from elsewhere)")
    try:
        keys, _ = signing_keys(settings)
    except SettingsError:
        raise click.UsageError(f"{missing} (JWT_SECRET is not set here)") from None
    ttl = min(TOKEN_LIFETIME_SECONDS, settings.jwt_max_lifetime_seconds)
    rules = token_rules(settings, keys)
    scopes = [s for s in (settings.jwt_write_scope, settings.jwt_operator_scope) if s is not None]
    return issue(rules, sub=subject, ttl_seconds=ttl, scope=" ".join(scopes) or None)


def run(
    client: IngestionClient, action: Callable[[IngestionClient], Awaitable[_Result]]
) -> _Result:
    """What `action` returns, run with `client` open."""

    async def opened() -> _Result:
        async with client:
            return await action(client)

    return asyncio.run(opened())
