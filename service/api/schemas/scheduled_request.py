"""Schema of a scheduled request: an ingestion request whose dates may be words.

Words are replaced by what they mean today before the request is read, so that all that
holds of a request is checked of these days; the schedule keeps the words.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields

from service.api.schemas.fields import MovingDate, said
from service.api.schemas.ingestion_request import IngestionRequestSchema, SearchQuerySchema
from service.api.schemas.sources import AuditSchema, OaiSchema
from service.domain.jobs import CRITERIA_OF, SEARCH, IngestionRequest
from service.domain.moving_dates import (
    FIRST_DATE,
    LAST_SUCCESS,
    MOVABLE,
    WORDS,
    RunDay,
    ScheduledRequest,
    moving_dates,
)

_FIRST = "First day, or a word that becomes one at each run."
_LAST = "Last day, or a word likewise."


class ScheduledSearchSchema(SearchQuerySchema):
    """What to search for, at each run."""

    from_date = MovingDate(f"{LAST_SUCCESS}|{WORDS}", metadata=said(_FIRST))
    to_date = MovingDate(WORDS, metadata=said(_LAST))


class ScheduledOaiSchema(OaiSchema):
    """What to list over OAI-PMH, at each run."""

    from_date = MovingDate(f"{LAST_SUCCESS}|{WORDS}", allow_none=True, metadata=said(_FIRST))
    to_date = MovingDate(WORDS, allow_none=True, metadata=said(_LAST))


class ScheduledAuditSchema(AuditSchema):
    """What to compare with arXiv's list, at each run."""

    from_date = MovingDate(f"{LAST_SUCCESS}|{WORDS}", allow_none=True, metadata=said(_FIRST))
    to_date = MovingDate(WORDS, allow_none=True, metadata=said(_LAST))


class ScheduledRequestSchema(IngestionRequestSchema):
    """The request of a schedule: that of its jobs, but for words in place of dates."""

    search_query = fields.Nested(
        ScheduledSearchSchema, metadata=said("Of a search, the usual source.")
    )
    oai = fields.Nested(ScheduledOaiSchema, metadata=said("Of the source oai."))
    audit = fields.Nested(ScheduledAuditSchema, metadata=said("Of the source audit."))


class ScheduledRequestField(fields.Nested):
    """A request, loaded with the days that its words mean now; the words beside it."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(ScheduledRequestSchema, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> ScheduledRequest:  # noqa: ANN401
        today = datetime.now(UTC).date()
        # the latest that a last success can be
        at = RunDay(today=today, last_success=today - timedelta(days=1))
        moving = _words(value)
        request = super()._deserialize(_with_days(value, moving, at), *args, **kwargs)
        found = ScheduledRequest(request, moving.get(CRITERIA_OF[request.source], {}))
        _require_bound(request, found.moving)
        return found


def _words(document: object) -> dict[str, dict[str, str]]:
    """The dates that are words, by the object of a source that they are in."""
    if not isinstance(document, Mapping):
        return {}
    objects = {name: document[name] for name in MOVABLE if name in document}
    found = {
        name: moving_dates(value) for name, value in objects.items() if isinstance(value, Mapping)
    }
    return {name: words for name, words in found.items() if words}


def _with_days(document: Any, moving: Mapping[str, Mapping[str, str]], at: RunDay) -> Any:  # noqa: ANN401
    """`document` with days in place of the words."""
    if not moving:
        return document
    days = {
        source: {name: f"{at.day(word):%Y%m%d}" for name, word in words.items()}
        for source, words in moving.items()
    }
    return {**document, **{source: {**document[source], **days[source]} for source in days}}


def _require_bound(request: IngestionRequest, moving: Mapping[str, str]) -> None:
    """Raise ValidationError for a search that nothing bounds before the first success."""
    if request.source != SEARCH or moving.get(FIRST_DATE) != LAST_SUCCESS:
        return
    criteria = replace(request.criteria, from_date=None)
    if not criteria.has_terms and not criteria.ids:
        text = "Bounds nothing before the first success: another field is needed beside it."
        raise ValidationError({CRITERIA_OF[SEARCH]: {FIRST_DATE: [text]}})
