"""How a setting is declared: once, as a field of the dataclass `Settings`.

The field's name is the variable's; its annotation holds the type that the program sees,
and a `Variable`: default, rule, what is secret. The schema that reads the environment, the
masking and the list of secrets that may come from a file follow from these; tests hold
the table in docs/configuration.md and the files of deployments to them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from marshmallow import fields, validate

from service.config.urls import MASK

Rule = Callable[[str], object]  # raises ValidationError with what must be


@dataclass(frozen=True, slots=True)
class Variable:
    """What is declared of a setting besides its name."""

    field: fields.Field[Any]  # how its text is read and checked
    is_secret: bool = False  # it may come from a file
    shown: Callable[[str], str] | None = None  # hides what is secret in a value


def declared(settings: type) -> dict[str, Variable]:
    """The variables of a dataclass of settings by their names, in their order."""
    hints = get_type_hints(settings, include_extras=True)
    return {name.upper(): hint.__metadata__[0] for name, hint in hints.items()}


def text(
    default: str | None = None,
    *,
    rule: Rule | None = None,
    shown: Callable[[str], str] | None = None,
) -> Variable:
    """A text."""
    return Variable(fields.String(load_default=default, validate=rule), shown=shown)


def secret(*, rule: Rule | None = None, shown: Callable[[str], str] | None = None) -> Variable:
    """A text that may come from a file; `shown` tells of it what may be known."""
    field = fields.String(load_default=None, validate=rule)
    return Variable(field, is_secret=True, shown=shown or hidden)


def one_of(default: str, allowed: Sequence[str]) -> Variable:
    """One of some words."""
    return text(default, rule=validate.OneOf(allowed))


def integer(default: int | None, least: int, most: int | None = None) -> Variable:
    """A whole number; its bounds are allowed."""
    field = fields.Integer(load_default=default, validate=validate.Range(least, most))
    return Variable(field)


def number(default: float, least: float, most: float) -> Variable:
    """A number, whole or not; its bounds are allowed."""
    field = fields.Float(load_default=default, validate=validate.Range(least, most))
    return Variable(field)


def flag(*, default: bool) -> Variable:
    """`true` or `false`; 1, yes and on, 0, no and off are the same."""
    return Variable(fields.Boolean(load_default=default))


def hidden(_: str) -> str:
    """What is shown of a value that is a secret as a whole."""
    return MASK


def as_is(text: str) -> str:
    """What is shown of a value that holds nothing secret, though it may come from a file."""
    return text
