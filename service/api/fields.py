"""Kinds of JSON values that requests are made of, stricter than the library's own."""

from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from service.domain.arxiv_id import ArxivId
from service.domain.job import DAY_FORMAT
from service.domain.paper import clean_text


class StrictInteger(fields.Integer):
    """An integer as JSON writes it: no `true`, no `"10"`, no `1.0`."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:  # noqa: ANN401
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return value


class StrictBoolean(fields.Boolean):
    """`true` or `false`, nothing like it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:  # noqa: ANN401
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class Line(fields.String):
    """Text of one line that can be stored: not blank, no control characters."""

    def __init__(self, max_length: int, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(validate=validate.Length(max=max_length), **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        text: str = super()._deserialize(value, *args, **kwargs)
        if clean_text(text) != text or any(mark in text for mark in "\r\n\t"):
            raise ValidationError("Must not contain control characters.")
        if not text.strip():
            raise ValidationError("Must not be blank.")
        return text.strip()


class Day(fields.Field[date]):
    """A day as `YYYYMMDD`, GMT."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> date:  # noqa: ANN401
        is_eight_digits = isinstance(value, str) and len(value) == 8 and value.isascii()
        try:
            if not is_eight_digits or not value.isdigit():
                raise ValueError
            return datetime.strptime(value, DAY_FORMAT).date()
        except ValueError:
            raise ValidationError("Not a day of the form YYYYMMDD.") from None


class Id(fields.Field[ArxivId]):
    """An arXiv id of either style, with or without its version."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> ArxivId:  # noqa: ANN401
        try:
            return ArxivId.parse(value if isinstance(value, str) else "")
        except ValueError:
            raise ValidationError("Not an arXiv id.") from None
