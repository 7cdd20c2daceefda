"""What the settings of webhooks must be; the validators raise ValidationError with their rule."""

from marshmallow import ValidationError

from service.domain.callback_targets import CallbackTargets
from service.domain.webhooks import RETRY_SECONDS, parse_retry_seconds, parse_secrets

RETRY = " ".join(map(str, RETRY_SECONDS))


def secrets(text: str) -> None:
    """One or more signing secrets."""
    try:
        parse_secrets(text)
    except ValueError:
        rule = "must be whsec_ and the base64 of 24 to 64 bytes; several are separated by blanks"
        raise ValidationError(rule) from None


def hosts(text: str) -> None:
    """Names, addresses and networks."""
    try:
        CallbackTargets.parse(text)
    except ValueError:
        rule = "must be host names, addresses or networks (CIDR), separated by blanks"
        raise ValidationError(rule) from None


def retries(text: str) -> None:
    """The waits between attempts."""
    try:
        parse_retry_seconds(text)
    except ValueError:
        rule = "must be 1 to 50 whole numbers of seconds that do not fall, separated by blanks"
        raise ValidationError(rule) from None
