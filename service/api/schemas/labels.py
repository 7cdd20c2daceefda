"""Labels: short names and texts that callers put on their jobs, and find them by."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from service.api.schemas.fields import Keywords
from service.domain.papers import clean_text

MAX_LABELS = 16
MAX_VALUE_LENGTH = 255
KEY_PATTERN = "[A-Za-z0-9_.-]{1,63}"

_KEY = re.compile(KEY_PATTERN, re.ASCII)


class Labels(fields.Field[dict[str, str]]):
    """At most 16 labels, each a key of letters, digits, `_.-` and a text."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(**kwargs)
        self.keywords: Keywords = {
            "type": "object",
            "format": "labels",
            "maxProperties": MAX_LABELS,
            "propertyNames": {"pattern": f"^{KEY_PATTERN}$"},
            "additionalProperties": {"type": "string", "maxLength": MAX_VALUE_LENGTH},
        }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str]:  # noqa: ANN401
        if not isinstance(value, Mapping):
            raise ValidationError("Not an object.")
        if len(value) > MAX_LABELS:
            raise ValidationError(f"At most {MAX_LABELS} labels.")
        for key, text in value.items():
            require_label(key, text)
        return dict(value)


def require_label(key: str, text: object) -> None:
    """Raise ValidationError for what is no label."""
    if _KEY.fullmatch(key) is None:
        raise ValidationError("A key is 1 to 63 letters, digits or any of _.-")
    if not isinstance(text, str) or len(text) > MAX_VALUE_LENGTH:
        raise ValidationError(f"A value is a text of at most {MAX_VALUE_LENGTH} characters.")
    if clean_text(text) != text:
        raise ValidationError("A value must not contain control characters.")
