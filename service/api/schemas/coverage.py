"""What is held against what arXiv lists, over HTTP."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from service.api.job_status import to_iso8601
from service.api.schemas.fields import BasicDate, said
from service.api.schemas.sources import SetSpec
from service.domain.coverage import CheckedDay

EARLIEST_DAY = date(2005, 9, 16)  # arXiv's first datestamp
_NO_FIGURES = {"listed": 0, "held": 0, "missing": 0, "stale": 0}

# as the service has answered it: the example in the API description
COVERAGE_EXAMPLE: dict[str, Any] = {
    "set": "cs:cs:AI",
    "from_date": "2024-03-05",
    "to_date": "2024-03-05",
    "complete": False,
    "listed": 120,
    "held": 119,
    "missing": 1,
    "stale": 0,
    "checked_at": "2026-11-22T19:48:43.106475Z",
    "days": [
        {
            "day": "2024-03-05",
            "listed": 120,
            "held": 119,
            "missing": 1,
            "stale": 0,
            "checked_at": "2026-11-22T19:48:43.106475Z",
        }
    ],
}


class CoverageQuerySchema(Schema):
    """Query parameters of GET /api/v1/coverage."""

    set = SetSpec(metadata=said("The set that was audited; not given: all of arXiv."))
    from_date = BasicDate(metadata=said("First day (datestamp, UTC); not given: arXiv's first."))
    to_date = BasicDate(metadata=said("Last day; not given: the last one that was audited."))

    @validates_schema
    def check_days(self, data: Mapping[str, Any], **_: object) -> None:
        """Days must be in order."""
        first, last = data.get("from_date"), data.get("to_date")
        if first and last and first > last:
            raise ValidationError("Must not be after to_date.", "from_date")


class CoveredDaySchema(Schema):
    """One day, as the last audit of the set found it and healing has moved it."""

    day = fields.Date(required=True)
    listed = fields.Integer(required=True, metadata=said("Papers that arXiv lists for the day."))
    held = fields.Integer(required=True, metadata=said("Of these, those held, stale ones too."))
    missing = fields.Integer(required=True, metadata=said("Of these, those that are not held."))
    stale = fields.Integer(
        required=True, metadata=said("Held, but from before the day that arXiv lists them with.")
    )
    checked_at = fields.DateTime(required=True)


class CoverageSchema(Schema):
    """What audits found of a set in a range of days."""

    set = fields.String(required=True, metadata=said("Empty for all of arXiv."))
    from_date = fields.Date(required=True)
    to_date = fields.Date(required=True, allow_none=True)
    complete = fields.Boolean(
        required=True,
        metadata=said("An audit of this very set covered every day, and nothing is amiss."),
    )
    listed = fields.Integer(required=True)
    held = fields.Integer(required=True)
    missing = fields.Integer(required=True)
    stale = fields.Integer(required=True)
    checked_at = fields.DateTime(
        required=True, allow_none=True, metadata=said("The earliest of the days.")
    )
    days = fields.List(fields.Nested(CoveredDaySchema), required=True)


def coverage_document(
    set_spec: str, first: date | None, last: date | None, days: Sequence[CheckedDay]
) -> dict[str, Any]:
    """What `CoverageSchema` describes of `days`, which are all that were audited in the range."""
    first = max(first or EARLIEST_DAY, EARLIEST_DAY)
    last = last or (days[-1].day if days else None)
    expected = (last - first + timedelta(days=1)).days if last else None
    shown = [_day(one) for one in days]
    totals = {name: sum(one[name] for one in shown) for name in _NO_FIGURES}
    is_whole = bool(days) and len(days) == expected
    return {
        "set": set_spec,
        "from_date": first.isoformat(),
        "to_date": last and last.isoformat(),
        "complete": is_whole and not totals["missing"] and not totals["stale"],
        **totals,
        "checked_at": to_iso8601(min((one.checked_at for one in days), default=None)),
        "days": shown,
    }


def _day(one: CheckedDay) -> dict[str, Any]:
    return {
        "day": one.day.isoformat(),
        "listed": one.listed,
        "held": one.held,
        "missing": one.missing,
        "stale": one.stale,
        "checked_at": to_iso8601(one.checked_at),
    }
