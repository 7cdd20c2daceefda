"""Settings and request fields are documented: all of them, and no others, with their defaults."""

import re

from marshmallow import fields, missing, validate

from service.api.schemas.ingestion_request import IngestionRequestSchema, SearchQuerySchema
from service.config.settings import OWN_PREFIXES, SECRETS, VARIABLES, Settings

_CODE = re.compile(r"`([^`]+)`")
_RANGE = re.compile(r"\b(\d[\d,.]*) to (\d[\d,]*)")


def test_every_setting_is_in_the_readme_and_no_other(document):
    documented = document("docs/configuration.md").names("Settings")

    assert sorted(documented) == sorted(VARIABLES)


def test_the_defaults_of_the_settings_are_the_documented_ones(document):
    documented = {
        _CODE.findall(name)[0]: default
        for name, _, default in document("docs/configuration.md").table("Settings")
    }
    actual = {name: _shown(variable.field) for name, variable in VARIABLES.items()}

    assert documented == {name: default or "unset" for name, default in actual.items()}


def test_the_bounds_and_words_of_the_settings_are_the_documented_ones(document):
    documented = {
        _CODE.findall(name)[0]: meaning
        for name, meaning, _ in document("docs/configuration.md").table("Settings")
    }

    for name, variable in VARIABLES.items():
        for rule in variable.field.validators:
            if isinstance(rule, validate.Range):
                bounds = set(_RANGE.findall(documented[name]))
                assert bounds <= {(f"{rule.min:,}", f"{rule.max or 0:,}")}, name
            if isinstance(rule, validate.OneOf):
                assert [word for word in rule.choices if word not in documented[name]] == [], name


def test_what_may_come_from_a_file_and_what_is_pointed_out_is_documented(document):
    text = document("docs/configuration.md").path.read_text()
    (from_files,) = re.findall(r"^(.*) may also come from a file", text, re.MULTILINE)
    (prefixes,) = re.findall(r"^A variable that begins with (.*) and is none", text, re.MULTILINE)

    assert _CODE.findall(from_files) == SECRETS
    assert tuple(_CODE.findall(prefixes)) == OWN_PREFIXES


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
