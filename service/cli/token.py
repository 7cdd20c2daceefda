"""`token`: a token for a caller, signed with the secret of this environment, or a key given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.settings import load_settings

if TYPE_CHECKING:
    from service.auth.keys import Key
    from service.config.settings import Settings

MAX_SUBJECT_LENGTH = 255  # as service.auth.tokens has it, which is not loaded for a help text


def _subject(_: click.Context, __: click.Parameter, value: str) -> str:
    """A subject that the service accepts."""
    if not (0 < len(value) <= MAX_SUBJECT_LENGTH and value.isprintable()):
        raise click.BadParameter(f"must be 1 to {MAX_SUBJECT_LENGTH} printable characters")
    return value


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--sub", required=True, callback=_subject, metavar="NAME", help="Who the token is for."
)
@click.option("--ttl", default=3600, show_default=True, metavar="SECONDS", type=click.IntRange(1))
@click.option("--scope", metavar="SCOPE", help="Scopes, separated by blanks.")
@click.option("--private-key", metavar="FILE", type=_FILE, help="PEM key to sign with.")
@click.option("--kid", metavar="NAME", help="Name of the key of --private-key.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def token(
    *,
    sub: str,
    ttl: int,
    scope: str | None,
    private_key: Path | None,
    kid: str | None,
    as_json: bool,
) -> None:
    """Print a token for a caller, signed with JWT_SECRET or --private-key."""
    import jwt

    from service.auth.keys import Key
    from service.auth.tokens import issue
    from service.devtools.development_secret import signing_keys
    from service.process.token_rules import token_rules

    settings = load_settings()
    longest = settings.jwt_max_lifetime_seconds
    if ttl > longest:
        raise click.UsageError(f"--ttl is longer than JWT_MAX_LIFETIME_SECONDS ({longest})")
    key = None if private_key is None else Key(private_key.read_text(), kid)
    _check_kind(settings, key, kid)
    rules = token_rules(settings, () if key is not None else signing_keys(settings)[0])
    try:
        text = issue(rules, sub=sub, ttl_seconds=ttl, scope=scope, key=key)
    except (ValueError, TypeError, jwt.PyJWTError):  # the key library's, and PyJWT's own
        raise click.UsageError("--private-key is no PEM key that fits JWT_ALGORITHM") from None
    click.echo(json.dumps({"token": text, "expires_in": ttl}) if as_json else text)


def _check_kind(settings: Settings, key: Key | None, kid: str | None) -> None:
    """A usage error unless the key is of the kind that the algorithm signs with."""
    from service.auth.keys import HMAC_ALGORITHMS

    is_asymmetric = settings.jwt_algorithm not in HMAC_ALGORITHMS
    if key is None and is_asymmetric:
        given = "JWT_JWKS_URL" if settings.jwt_jwks_url else "JWT_PUBLIC_KEY"
        message = f"{given} is set: tokens come from whoever has the private key (--private-key)"
        raise click.UsageError(message)
    if key is None and kid is not None:
        raise click.UsageError("--kid names the key of --private-key; secrets have JWT_KEY_IDS")
    if key is not None and not is_asymmetric:
        raise click.UsageError(f"--private-key does not fit JWT_ALGORITHM={settings.jwt_algorithm}")
