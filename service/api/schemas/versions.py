"""A paper's history over HTTP: its versions, their licences, and what is held of each."""

from typing import Any

from marshmallow import Schema, fields

from service.api.job_status import to_iso8601
from service.api.schemas.fields import said
from service.db.held_versions import HeldVersion
from service.domain.licenses import license_url, may_redistribute
from service.domain.papers import PdfState, TextState

# as the service has answered it: the example in the API description
VERSION_EXAMPLE: dict[str, Any] = {
    "version": 1,
    "submitted_at": "2023-01-01T00:00:00Z",
    "size_kb": 812,
    "source_type": "D",
    "withdrawn": False,
    "license": "http://creativecommons.org/licenses/by/4.0/",
    "license_url": "http://creativecommons.org/licenses/by/4.0/",
    "may_redistribute": True,
    "pdf_state": "processed",
    "text_state": "full",
}


class VersionSchema(Schema):
    """One version of a paper."""

    version = fields.Integer(required=True)
    submitted_at = fields.DateTime(required=True)
    size_kb = fields.Integer(
        required=True, allow_none=True, metadata=said("Of the source, in kilobytes.")
    )
    source_type = fields.String(
        required=True, allow_none=True, metadata=said("arXiv's letters; `I` withdraws the paper.")
    )
    withdrawn = fields.Boolean(required=True)
    license = fields.String(
        required=True, allow_none=True, metadata=said("URI, as a source told it.")
    )
    license_url = fields.String(
        required=True,
        allow_none=True,
        metadata=said("The one that holds: arXiv's assumed one where none was given."),
    )
    may_redistribute = fields.Boolean(
        required=True, allow_none=True, metadata=said("Null where nobody told a licence.")
    )
    pdf_state = fields.Enum(PdfState, by_value=True, required=True)
    text_state = fields.Enum(
        TextState,
        by_value=True,
        required=True,
        allow_none=True,
        metadata=said("Null where there is no text."),
    )


def version_document(one: HeldVersion) -> dict[str, Any]:
    """What `VersionSchema` describes."""
    url = license_url(one.license, is_told=one.license_told)
    return {
        "version": one.version,
        "submitted_at": to_iso8601(one.submitted_at),
        "size_kb": one.size_kb,
        "source_type": one.source_type,
        "withdrawn": one.withdrawn,
        "license": one.license,
        "license_url": url,
        "may_redistribute": may_redistribute(url),
        "pdf_state": str(one.pdf_state),
        "text_state": one.text_state,
    }
