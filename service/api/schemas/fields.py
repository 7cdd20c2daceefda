"""Schema fields: JSON types, stricter than marshmallow's own.

What a kind demands beyond its type stands in its `keywords`, as JSON Schema says
it; the description of the API takes them from there.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from service.domain.callback_targets import MAX_URL_LENGTH
from service.domain.categories import UnknownCategory, canonical
from service.domain.identifiers import MAX_LENGTH, MAX_PASTED_LENGTH, ArxivId
from service.domain.jobs import DAY_FORMAT
from service.domain.papers import clean_text
from service.jobs.cron import zone_of

Keywords = Mapping[str, Any]

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_CONTROL = r"\u0000-\u001f\u007f"
_ID = (
    r"([0-9]{2}(0[1-9]|1[0-2])\.[0-9]{4,5}"
    r"|[a-z]+(-[a-z]+)?(\.[A-Z]{2})?/[0-9]{2}(0[1-9]|1[0-2])[0-9]{3})(v[1-9][0-9]{0,3})?"
)
MAX_ZONE_LENGTH = 64
_DAY = r"([0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})"
_A_DAY = re.compile(_DAY, re.ASCII)

# an id in a path, where only its own two forms are read
PLAIN_ID: Keywords = {
    "type": "string",
    "format": "arxiv-id",
    "pattern": f"^{_ID}$",
    "maxLength": MAX_LENGTH,
}

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


class Repeated(fields.List[Any]):
    """A query parameter that may be given up to `most` times."""

    def __init__(self, item: fields.Field[Any], *, most: int, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(item, **kwargs)
        self._length = validate.Length(max=most)
        self.keywords: Keywords = {"maxItems": most}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:  # noqa: ANN401
        self._length(value)
        items: list[Any] = super()._deserialize(value, *args, **kwargs)
        return items


class Moment(fields.Field[datetime]):
    """A moment with its zone (RFC 3339): `2026-11-22T19:48:42Z`."""

    keywords: ClassVar[Keywords] = {"type": "string", "format": "date-time"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:  # noqa: ANN401
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None or "T" not in value.upper():
                raise ValueError
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("Not a moment like 2026-11-22T19:48:42Z.") from None


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


class CallbackUrl(SingleLineString):
    """Where to call back; whether that is allowed is for the settings to say."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(MAX_URL_LENGTH, **kwargs)
        self.keywords = {
            "type": "string",
            "format": "callback-url",
            "maxLength": MAX_URL_LENGTH,
            "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[!-\[\]-~]+$",
        }


class Category(fields.String):
    """A category of arXiv's, an archive (`astro-ph`, `astro-ph.*`) or an old name of either.

    Aliases become the canonical name.
    """

    keywords: ClassVar[Keywords] = {"format": "arxiv-category", "maxLength": 40}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        text: str = super()._deserialize(value, *args, **kwargs)
        try:
            return canonical(text)
        except UnknownCategory as err:
            hint = f"; did you mean {err.suggestion}?" if err.suggestion else "."
            raise ValidationError(f"Not an arXiv category{hint}") from None


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
    """A day as `YYYYMMDD` or `YYYY-MM-DD`, GMT."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self.keywords: Keywords = {"type": "string", "format": "day", "pattern": f"^{_DAY}$"}

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> date:  # noqa: ANN401
        try:
            if not isinstance(value, str) or _A_DAY.fullmatch(value) is None:
                raise ValueError
            return datetime.strptime(value.replace("-", ""), DAY_FORMAT).date()
        except ValueError:
            raise ValidationError("Not a day of the form YYYYMMDD or YYYY-MM-DD.") from None


class MovingDate(BasicDate):
    """A day, or in a schedule a word that becomes one; words are replaced before it is read.

    `words`: a regular expression of those that it may be.
    """

    def __init__(self, words: str, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self.keywords = {"type": "string", "format": "moving-day", "pattern": f"^({_DAY}|{words})$"}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> date:  # noqa: ANN401
        try:
            return super()._deserialize(value, *args, **kwargs)
        except ValidationError:
            raise ValidationError(
                "Not a day of the form YYYYMMDD or YYYY-MM-DD, nor a word that is allowed here"
                " (today, yesterday, today-7d; last_success in from_date)."
            ) from None


class TimeZone(fields.String):
    """An IANA time zone: `Europe/Berlin`."""

    keywords: ClassVar[Keywords] = {"format": "iana-time-zone", "maxLength": MAX_ZONE_LENGTH}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        text: str = super()._deserialize(value, *args, **kwargs)
        try:
            zone_of(text)
        except ValueError:
            raise ValidationError("Not an IANA time zone such as Europe/Berlin.") from None
        return text


class Id(fields.Field[ArxivId]):
    """An arXiv id of either style, with or without its version, as people paste it."""

    keywords: ClassVar[Keywords] = {
        "type": "string",
        "format": "arxiv-id",
        "maxLength": MAX_PASTED_LENGTH,
    }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> ArxivId:  # noqa: ANN401
        if not isinstance(value, str):
            raise ValidationError("Not an arXiv id.")
        try:
            return ArxivId.pasted(value)
        except ValueError as err:
            raise ValidationError(f"{str(err)[:1].upper()}{str(err)[1:]}.") from None
