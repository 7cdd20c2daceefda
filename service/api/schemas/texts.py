"""Texts of PDFs over HTTP: what is told of a text that is asked for as JSON."""

from typing import Any

from marshmallow import Schema, fields, validate

from service.api.job_status import to_iso8601
from service.api.schemas.fields import said
from service.db.held_papers import HeldText
from service.domain.papers import TextState

TEXT_EXAMPLE: dict[str, Any] = {
    "arxiv_id": "2301.00001",
    "version": 1,
    "text": "A title\nAda Lovelace, Alan Turing\n…",
    "pages": [{"number": 1, "start": 0, "end": 35}],
    "furniture": [{"page": 1, "kind": "page_number", "text": "1"}],
    "text_state": "full",
    "text_source": "pdf",
    "extractor": "pypdfium2 5.9, text 2",
    "quality": {"ms": 12, "unknown_characters": 0, "pages_without_text": []},
    "page_count": 1,
    "truncated": False,
    "extracted_at": "2026-11-22T19:48:43.106475Z",
}
SOURCE = "pdf"
KINDS = ("head", "foot", "page_number", "stamp")


class PageSchema(Schema):
    """Where a page stands in the text: `text[start:end]`, in code points."""

    number = fields.Integer(required=True, metadata=said("By position, from 1."))
    start = fields.Integer(required=True)
    end = fields.Integer(required=True)


class FurnitureSchema(Schema):
    """A line that stands on a page and not in the text."""

    page = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    text = fields.String(required=True)


class TextSchema(Schema):
    """The text of a paper's PDF, asked for as JSON."""

    arxiv_id = fields.String(required=True)
    version = fields.Integer(required=True)
    text = fields.String(required=True, metadata=said("A form feed stands between two pages."))
    pages = fields.List(
        fields.Nested(PageSchema),
        required=True,
        metadata=said("Empty for texts stored before pages were told apart."),
    )
    furniture = fields.List(
        fields.Nested(FurnitureSchema),
        required=True,
        metadata=said("Running heads, page numbers and arXiv's stamp, left out of the text."),
    )
    text_state = fields.Enum(
        TextState,
        by_value=True,
        required=True,
        metadata=said("`empty`: no letters (a scan); `cut`: a limit ended it."),
    )
    text_source = fields.String(required=True, validate=validate.OneOf([SOURCE]))
    extractor = fields.String(required=True, allow_none=True)
    quality = fields.Dict(required=True, metadata=said("Figures of the extraction."))
    page_count = fields.Integer(required=True, allow_none=True)
    truncated = fields.Boolean(
        required=True, metadata=said("True when a limit cut the text short.")
    )
    extracted_at = fields.DateTime(required=True)


def text_document(row: HeldText) -> dict[str, Any]:
    """What `TextSchema` describes, of a paper that has a text."""
    state = row.text_state or _state_of_old(row)
    return {
        "arxiv_id": row.arxiv_id,
        "version": row.version,
        "text": row.content,
        "pages": row.pages or [],
        "furniture": row.furniture or [],
        "text_state": state,
        "text_source": SOURCE,
        "extractor": row.extractor,
        "quality": row.quality or {},
        "page_count": row.page_count,
        "truncated": row.truncated,
        "extracted_at": to_iso8601(row.extracted_at),
    }


def _state_of_old(row: HeldText) -> TextState:
    """The state of a text that was stored before there were states."""
    if row.truncated:
        return TextState.CUT
    return TextState.FULL if any(map(str.isalpha, row.content or "")) else TextState.EMPTY
