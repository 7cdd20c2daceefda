"""Settings and request fields are documented: all of them, and no others, with their defaults."""

import re

from marshmallow import fields, missing

from service.api.schemas.ingestion_request import IngestionRequestSchema, SearchQuerySchema
from service.config.settings import Settings, SettingsSchema

_CODE = re.compile(r"`([^`]+)`")


def test_every_setting_is_in_the_readme_and_no_other(document):
    documented = document("docs/configuration.md").names("Settings")

    assert sorted(documented) == sorted(SettingsSchema().fields)


def test_the_defaults_of_the_settings_are_the_documented_ones(document):
    documented = {
        _CODE.findall(name)[0]: default
        for name, _, default in document("docs/configuration.md").table("Settings")
    }
    actual = {name: _shown(field) for name, field in SettingsSchema().fields.items()}

    assert documented == {name: default or "unset" for name, default in actual.items()}


def test_settings_are_documented_in_the_order_in_which_they_are_printed(document):
    documented = document("docs/configuration.md").names("Settings")

    assert documented == list(Settings.from_environ({}).masked())


def test_every_request_field_is_in_the_readme_and_no_other(document):
    documented = document("docs/api.md").names("Request")

    assert sorted(documented) == sorted(_request_fields())


def test_the_defaults_of_the_request_are_the_documented_ones(document):
    documented = {
        _CODE.findall(name)[0]: default
        for name, _, default in document("docs/api.md").table("Request")
    }
    actual = {name: _shown(field) for name, field in _request_fields().items()}

    assert {name: documented[name] for name in actual if actual[name]} == {
        name: default for name, default in actual.items() if default
    }
    without = {documented[name] for name, default in actual.items() if not default}
    assert without == {"none", "number of `ids`, else `100`"}


def _request_fields() -> dict[str, fields.Field]:
    inner = SearchQuerySchema().fields.items()
    return {**IngestionRequestSchema().fields, **{f"search_query.{n}": f for n, f in inner}}


def _shown(field: fields.Field) -> str | None:
    """The default of a field as the tables write it; None without one."""
    default = field.load_default
    if default is None or default is missing:
        return None
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
