"""Schemas of papers: query parameters and responses."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema
from sqlalchemy import Row

from service.api.job_status import to_iso8601
from service.api.pagination import CursorField, Cursors, PageQuerySchema, exact_moment
from service.api.schemas.fields import (
    BasicDate,
    Category,
    Choices,
    QueryBoolean,
    SingleLineString,
    said,
)
from service.api.schemas.ingestion_request import MAX_QUERY_LENGTH, MAX_TERM_LENGTH
from service.db.paper_rows import SHOWN
from service.domain.identifiers import ArxivId
from service.domain.papers import PaperFilter, PdfState, TextState

# as the service has answered it: the example in the API description
PAPER_EXAMPLE: dict[str, Any] = {
    "arxiv_id": "2301.00001",
    "version": 1,
    "title": "A title",
    "abstract": "An abstract.",
    "authors": ["Ada Lovelace", "Alan Turing"],
    "categories": ["cs.AI", "cs.LG"],
    "primary_category": "cs.AI",
    "published_at": "2023-01-01T00:00:00Z",
    "updated_at": "2023-01-02T00:00:00Z",
    "doi": None,
    "journal_ref": None,
    "comments": "12 pages",
    "license": None,
    "withdrawn": False,
    "pdf_state": "processed",
    "pdf_path": "2301/2301.00001v1-9f86d081884c7d65.pdf",
    "pdf_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "pdf_bytes": 123456,
    "page_count": 12,
    "text_state": "full",
}


def _paper_id(text: str) -> str:
    return ArxivId.parse(text).paper


CURSORS = Cursors(of="papers", parts=(exact_moment, _paper_id))


class PaperQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/papers; all that is given must match."""

    q = SingleLineString(
        MAX_QUERY_LENGTH,
        metadata=said(
            'Words in title or abstract, stemmed in English: `deep "neural network"'
            " or transformer -vision`."
        ),
    )
    category = Category(
        metadata=said("One of the paper's categories, like `cs.AI`, or an archive: all of it.")
    )
    author = SingleLineString(
        MAX_TERM_LENGTH,
        metadata=said("Words that follow each other in one author's name; any case."),
    )
    from_date = BasicDate(metadata=said("First day of submission (version 1), GMT."))
    to_date = BasicDate(metadata=said("Last day of submission (version 1), GMT."))
    pdf_state = Choices(PdfState, metadata=said("State of the stored PDF."))
    text_state = Choices(TextState, metadata=said("How much of its text there is."))
    withdrawn = QueryBoolean(metadata=said("Whether the newest version withdraws it."))
    cursor = CursorField(CURSORS)

    @validates_schema
    def check_days(self, data: Mapping[str, Any], **_: object) -> None:
        """Days must be in order."""
        first, last = data.get("from_date"), data.get("to_date")
        if first and last and first > last:
            raise ValidationError("Must not be after to_date.", "from_date")


def filter_of(query: Mapping[str, Any]) -> PaperFilter:
    """The filter among loaded query parameters."""
    return PaperFilter(
        category=query.get("category"),
        author=query.get("author"),
        from_date=query.get("from_date"),
        to_date=query.get("to_date"),
        words=query.get("q"),
        pdf_states=tuple(query.get("pdf_state", ())),
        text_states=tuple(query.get("text_state", ())),
        withdrawn=query.get("withdrawn"),
    )


class PaperSchema(Schema):
    """A paper as it is held: the newest version seen, and what there is of its PDF."""

    arxiv_id = fields.String(required=True, metadata=said("Without its version."))
    version = fields.Integer(required=True)
    title = fields.String(required=True)
    abstract = fields.String(required=True)
    authors = fields.List(fields.String(), required=True)
    categories = fields.List(fields.String(), required=True)
    primary_category = fields.String(required=True)
    published_at = fields.DateTime(required=True, metadata=said("When version 1 was submitted."))
    updated_at = fields.DateTime(required=True, metadata=said("When this version was submitted."))
    doi = fields.String(required=True, allow_none=True)
    journal_ref = fields.String(required=True, allow_none=True)
    comments = fields.String(required=True, allow_none=True)
    license = fields.String(required=True, allow_none=True)
    withdrawn = fields.Boolean(required=True)
    pdf_state = fields.Enum(PdfState, by_value=True, required=True)
    pdf_path = fields.String(required=True, allow_none=True, metadata=said("Place in the storage."))
    pdf_sha256 = fields.String(
        required=True, allow_none=True, metadata=said("Also the ETag of the PDF.")
    )
    pdf_bytes = fields.Integer(required=True, allow_none=True)
    page_count = fields.Integer(
        required=True, allow_none=True, metadata=said("Null until the text is there.")
    )
    text_state = fields.Enum(
        TextState,
        by_value=True,
        required=True,
        allow_none=True,
        metadata=said("Null until a text was made."),
    )


def paper_document(row: Row[Any]) -> dict[str, Any]:
    """What `PaperSchema` describes, of a row of `HeldPaperStore`.

    By hand: an export dumps papers by the hundred thousand.
    """
    document = dict(zip(SHOWN, row, strict=True))
    document["published_at"] = to_iso8601(row.published_at)
    document["updated_at"] = to_iso8601(row.updated_at)
    return document
