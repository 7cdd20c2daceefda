"""What tokens must fulfil, as configured; commands that sign one need no more of the service."""

from collections.abc import Sequence

from service.auth.tokens import TokenRules
from service.config.settings import Settings


def token_rules(settings: Settings, keys: Sequence[str]) -> TokenRules:
    """What tokens must fulfil, with the keys that are in force, the one that signs first."""
    return TokenRules(
        key=keys[0] if keys else None,
        other_keys=tuple(keys[1:]),
        key_ids=tuple((settings.jwt_key_ids or "").split()),
        jwks_url=settings.jwt_jwks_url,
        algorithm=settings.jwt_algorithm,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        leeway=settings.jwt_leeway_seconds,
        max_lifetime=settings.jwt_max_lifetime_seconds,
        write_scope=settings.jwt_write_scope,
        operator_scope=settings.jwt_operator_scope,
    )
