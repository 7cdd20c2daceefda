"""Schema loading: values from a request, or one error for each wrong field."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, pre_load
from multidict import MultiMapping

from service.api.schemas.fields import Choices, Repeated
from service.domain.errors import InvalidRequest
from service.domain.papers import clean_text

MAX_SHOWN_ERRORS = 20
MAX_SHOWN_NAME = 100


class StrictSchema(Schema):
    """A schema that refuses unknown fields, without looking at a hundred thousand of them."""

    class Meta:
        """The library's default, said where so much hangs on it."""

        unknown = RAISE

    @pre_load
    def refuse_many_strangers(self, data: Any, **_: object) -> Any:  # noqa: ANN401 - any JSON
        """Name the first ones only: to collect them all takes a second of the event loop."""
        if isinstance(data, Mapping) and len(data) > len(self.fields) + MAX_SHOWN_ERRORS:
            strangers = (name for name in data if name not in self.fields)
            shown = islice(strangers, MAX_SHOWN_ERRORS)
            raise ValidationError({name: ["Unknown field."] for name in shown})
        return data


def load(schema: Schema, document: Any) -> Any:  # noqa: ANN401 - any JSON in, what it makes out
    """What `schema` makes of `document`; raises InvalidRequest naming every wrong field."""
    try:
        return schema.load(document)
    except ValidationError as err:
        raise InvalidRequest(_shown(_flat(err.normalized_messages()))) from None  # type: ignore[no-untyped-call]


def load_query(schema: Schema, query: MultiMapping[str]) -> dict[str, Any]:
    """The query parameters as `schema` has them; raises InvalidRequest.

    Only a field that takes several values (`Choices`, `Repeated`) may be given more than once.
    """
    given = {name: query.getall(name) for name in query}
    several = {
        name for name, field in schema.fields.items() if isinstance(field, Choices | Repeated)
    }
    repeated = {
        name: ["Must be given once."]
        for name, values in given.items()
        if name in schema.fields and name not in several and len(values) > 1
    }
    if repeated:
        raise InvalidRequest(repeated)
    found: dict[str, Any] = load(
        schema,
        {name: values if name in several else values[0] for name, values in given.items()},
    )
    return found


def _shown(problems: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The first of them, under names that are fit to be sent: unknown ones are the caller's."""
    first = islice(problems.items(), MAX_SHOWN_ERRORS)
    return {shown_name(name): messages for name, messages in first}


def shown_name(name: str) -> str:
    """The name of a field, which may be anything, as it is fit to be sent back."""
    return clean_text(name)[:MAX_SHOWN_NAME]


def _flat(messages: Mapping[Any, Any], prefix: str = "") -> dict[str, list[str]]:
    """Nested messages with dotted names: `search_query.from_date`, `search_query.ids.3`."""
    found: dict[str, list[str]] = {}
    for name, value in messages.items():
        path = prefix if name == "_schema" else f"{prefix}.{name}" if prefix else str(name)
        if isinstance(value, Mapping):
            found |= _flat(value, path)
        else:
            found.setdefault(path or "body", []).extend(str(text) for text in value)
    return found
