"""What each bulk source may be asked for: the object that belongs to it in a request."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from service.api.schemas.fields import (
    BasicDate,
    Id,
    ShortList,
    SingleLineString,
    StrictBoolean,
    said,
)
from service.api.schemas.loading import StrictSchema
from service.domain.categories import UnknownCategory, check_set
from service.domain.jobs import (
    AuditCriteria,
    DocumentsCriteria,
    OaiCriteria,
    SnapshotCriteria,
)

MAX_SET_LENGTH = 60
MAX_FILE_NAME = 255
MAX_DOCUMENTS = 2_000  # ids in one request
OAI_FORMATS = ("arXivRaw", "arXiv")


class SetSpec(SingleLineString):
    """An OAI-PMH set of arXiv: `cs`, `physics:hep-th`, `cs:cs:AI`."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(MAX_SET_LENGTH, **kwargs)
        self.keywords = {"format": "oai-set", "minLength": 1, "maxLength": MAX_SET_LENGTH}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        try:
            return check_set(super()._deserialize(value, *args, **kwargs))
        except UnknownCategory as err:
            hint = f"; did you mean {err.suggestion}?" if err.suggestion else "."
            raise ValidationError(f"Not a set of arXiv's{hint}") from None


class WindowSchema(StrictSchema):
    """A set, and days of last change."""

    set = SetSpec(allow_none=True, metadata=said("One set of arXiv's; not given: all of arXiv."))
    from_date = BasicDate(
        allow_none=True, metadata=said("First day (datestamp, UTC); not given: from the beginning.")
    )
    to_date = BasicDate(
        allow_none=True, metadata=said("Last day (datestamp, UTC), tomorrow at the latest.")
    )

    @validates_schema
    def check_days(self, data: Mapping[str, Any], **_: object) -> None:
        """Days must be in order, and arXiv must have them."""
        first, last = data.get("from_date"), data.get("to_date")
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        if last and last > tomorrow:
            raise ValidationError("Must not be after tomorrow (UTC).", "to_date")
        if first and first > (last or tomorrow):
            what = "to_date" if last else "tomorrow (UTC)"
            raise ValidationError(f"Must not be after {what}.", "from_date")


class OaiSchema(WindowSchema):
    """What to list over OAI-PMH; `{}` is all of arXiv."""

    metadata_format = fields.String(
        load_default=OAI_FORMATS[0],
        validate=validate.OneOf(OAI_FORMATS),
        metadata=said("`arXivRaw` tells all versions, `arXiv` the newest only."),
    )

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> OaiCriteria:
        """Build the value."""
        return OaiCriteria(**data)


class SnapshotSchema(StrictSchema):
    """Which metadata snapshot to read."""

    file = SingleLineString(
        MAX_FILE_NAME,
        required=True,
        validate=validate.Regexp(r"^(?!\.{1,2}$)[^/\\]+$", error="Must be a file's name, no path."),
        metadata=said("Name of a file in the service's SNAPSHOT_DIR: JSON lines, or packed."),
    )

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> SnapshotCriteria:
        """Build the value."""
        return SnapshotCriteria(**data)


class AuditSchema(WindowSchema):
    """What to compare with arXiv's list."""

    heal = StrictBoolean(
        load_default=False, metadata=said("Whether what is missing or stale is ingested.")
    )

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> AuditCriteria:
        """Build the value."""
        return AuditCriteria(**data)


class DocumentsSchema(StrictSchema):
    """Whose documents to make anew from the files that are held; nothing is downloaded."""

    ids = ShortList(
        Id(),
        most=MAX_DOCUMENTS,
        allow_none=True,
        metadata=said("These papers; not given: all whose document is missing or outdated."),
    )

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> DocumentsCriteria:
        """Build the value."""
        ids = data.get("ids")
        return DocumentsCriteria(ids=None if ids is None else tuple(dict.fromkeys(ids)))
