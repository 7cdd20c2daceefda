"""`token`: a token for a caller, signed with the secret of this environment."""

import json

import click

from service.api.tokens import issue
from service.app import token_rules
from service.cli.settings import load_settings
from service.secrets import signing_key


@click.command()
@click.option("--sub", required=True, metavar="NAME", help="Who the token is for.")
@click.option("--ttl", default=3600, show_default=True, metavar="SECONDS", type=click.IntRange(1))
@click.option("--scope", metavar="SCOPE", help="Scopes, separated by blanks.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def token(*, sub: str, ttl: int, scope: str | None, as_json: bool) -> None:
    """Print a token for a caller, signed with JWT_SECRET."""
    settings = load_settings(quiet=True)
    if settings.jwt_public_key is not None:
        raise click.UsageError(
            "JWT_PUBLIC_KEY is set: tokens come from whoever has the private key"
        )
    if ttl > settings.jwt_max_lifetime_seconds:
        raise click.UsageError("--ttl is longer than JWT_MAX_LIFETIME_SECONDS")
    key, _ = signing_key(settings)
    text = issue(token_rules(settings, key), sub=sub, ttl_seconds=ttl, scope=scope)
    click.echo(json.dumps({"token": text, "expires_in": ttl}) if as_json else text)
