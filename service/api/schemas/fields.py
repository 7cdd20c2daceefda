"""Schema fields: JSON types, stricter than marshmallow's own.

What a kind demands beyond its type stands in its `keywords`, as JSON Schema says
it; the description of the API takes them from there.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from service.domain.identifiers import MAX_LENGTH, ArxivId
from service.domain.jobs import DAY_FORMAT
from service.domain.papers import clean_text

Keywords = Mapping[str, Any]

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_CONTROL = r"\u0000-\u001f\u007f"
_ID = (
    r"([0-9]{2}(0[1-9]|1[0-2])\.[0-9]{4,5}"
    r"|[a-z]+(-[a-z]+)?(\.[A-Z]{2})?/[0-9]{2}(0[1-9]|1[0-2])[0-9]{3})(v[1-9][0-9]{0,3})?"
)

# as the service has answered it: the example in the API description
JOB_ID_EXAMPLE = "01a204cd-c106-72e2-b77f-e5c1e5cac760"
SCHEDULE_ID_EXAMPLE = "01a204d1-0f2b-7c51-9a3e-3d5f1f0a9c42"


def said(description: str) -> dict[str, str]:
    """The metadata of a field that is described so."""
    return {"description": description}


class StrictInteger(fields.Integer):
    """An integer as JSON writes it: no `true`, no `"10"`, no `1.0`."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:  # noqa: ANN401
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return value


class QueryInteger(fields.Integer):
    """An integer as a query parameter: decimal digits, nothing around them."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:  # noqa: ANN401
        if not isinstance(value, str) or _DIGITS.fullmatch(value) is None:
            raise self.make_error("invalid", input=value)
        return int(value)


class QueryBoolean(fields.Boolean):
    """`true` or `false` as a query parameter."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:  # noqa: ANN401
        if value not in ("true", "false"):
            raise self.make_error("invalid", input=value)
        return bool(value == "true")


class Choices(fields.List[Any]):
    """Some of `choices` as a query parameter: separated by commas, repeated, or both."""

    def __init__(self, choices: type[StrEnum], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(fields.Enum(choices, by_value=True), **kwargs)
        self.choices = choices

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[Any]:  # noqa: ANN401
        words = [word for text in value for word in text.split(",")]
        try:
            return [self.choices(word) for word in dict.fromkeys(words)]
        except ValueError:
            known = ", ".join(self.choices)
            raise ValidationError(f"Each must be one of: {known}.") from None


class StrictBoolean(fields.Boolean):
    """`true` or `false`, nothing like it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:  # noqa: ANN401
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class SingleLineString(fields.String):
    """Text of one line that can be stored: not blank, no control characters."""

    def __init__(self, max_length: int, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self._length = validate.Length(max=max_length)
        self.keywords: Keywords = {
            "minLength": 1,
            "maxLength": max_length,
            "pattern": rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$",
        }

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        text: str = super()._deserialize(value, *args, **kwargs)
        self._length(text)  # as it was sent, blanks around it included
        if clean_text(text) != text or any(mark in text for mark in "\r\n\t"):
            raise ValidationError("Must not contain control characters.")
        if not text.strip():
            raise ValidationError("Must not be blank.")
        return text.strip()


class Category(fields.String):
    """An arXiv category, one word: `cs.AI`, `hep-th`; with `wildcard` also `astro-ph.*`."""

    def __init__(self, max_length: int, *, wildcard: bool = False, **kwargs: Any) -> None:  # noqa: ANN401
        letters = "[A-Za-z0-9.*-]" if wildcard else "[A-Za-z0-9.-]"
        self._word = re.compile(f"{letters}{{1,{max_length}}}", re.ASCII)
        self.keywords: Keywords = {"pattern": f"^{letters}+$", "maxLength": max_length}
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        text: str = super()._deserialize(value, *args, **kwargs)
        if self._word.fullmatch(text) is None:
            raise ValidationError("Not an arXiv category.")
        return text


class ShortList(fields.List[Any]):
    """A list of 1 to `most` items, which are counted before any of them is looked at."""

    def __init__(self, item: fields.Field[Any], *, most: int, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(item, **kwargs)
        self._length = validate.Length(min=1, max=most)
        self.keywords: Keywords = {"minItems": 1, "maxItems": most}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:  # noqa: ANN401
        if isinstance(value, list):
            self._length(value)
        items: list[Any] = super()._deserialize(value, *args, **kwargs)
        return items


class BasicDate(fields.Field[date]):
    """A day as `YYYYMMDD`, GMT."""

    keywords: ClassVar[Keywords] = {"type": "string", "format": "day", "pattern": "^[0-9]{8}$"}

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

    keywords: ClassVar[Keywords] = {
        "type": "string",
        "format": "arxiv-id",
        "pattern": f"^{_ID}$",
        "maxLength": MAX_LENGTH,
    }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> ArxivId:  # noqa: ANN401
        try:
            return ArxivId.parse(value if isinstance(value, str) else "")
        except ValueError:
            raise ValidationError("Not an arXiv id.") from None
