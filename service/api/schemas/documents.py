"""Structured documents over HTTP: what may be asked of one, and what is told."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.api.schemas.fields import SingleLineString, said
from service.domain.papers import DocumentSource

OUTLINE = "outline"
MAX_SECTION_LENGTH = 100  # characters of a number or an id
_PARAGRAPHS = ("p", "list", "table", "code", "theorem", "proof", "footnote", "equation")
_CAPTIONS = ("figure", "table", "algorithm", "other")

REFERENCE_EXAMPLE: dict[str, Any] = {
    "key": "12",
    "raw": "A. Vaswani et al. Attention is all you need. arXiv:1706.03762, 2017.",
    "doi": None,
    "arxiv_id": "1706.03762",
}
DOCUMENT_EXAMPLE: dict[str, Any] = {
    "arxiv_id": "2301.00001",
    "version": 1,
    "source": "pdf",
    "converter": "pdf 1",
    "input_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "quality": {"headings": 1, "headings_from": "outline", "references": 1},
    "title": "A title",
    "abstract": "An abstract.",
    "sections": [
        {
            "id": "s1",
            "level": 1,
            "number": "1",
            "title": "Introduction",
            "page": 1,
            "paragraphs": [{"text": "Since the dawn of …", "page": 1, "kind": "p"}],
        }
    ],
    "equations": [],
    "captions": [{"kind": "figure", "number": "1", "text": "The model.", "page": 2}],
    "references": [REFERENCE_EXAMPLE],
}
CITED_EXAMPLE = {**REFERENCE_EXAMPLE, "link": "/api/v1/papers/1706.03762"}


class DocumentQuerySchema(Schema):
    """Query parameters of GET /api/v1/papers/{arxiv_id}/document: at most one of them."""

    part = fields.String(
        validate=validate.OneOf([OUTLINE]),
        metadata=said("`outline`: sections with their lengths in place of their text."),
    )
    section = SingleLineString(
        MAX_SECTION_LENGTH,
        metadata=said("One section with all below it, by its number (`3.2`) or its id."),
    )

    @validates_schema
    def check_one(self, data: Mapping[str, Any], **_: object) -> None:
        """An outline is always that of the whole document."""
        if "part" in data and "section" in data:
            raise ValidationError("Must not be given with section.", "part")


class ParagraphSchema(Schema):
    """A block of text."""

    text = fields.String(required=True)
    page = fields.Integer(required=True, allow_none=True)
    kind = fields.String(required=True, validate=validate.OneOf(_PARAGRAPHS))


class SectionSchema(Schema):
    """A heading and the text below it, up to the next heading of any level."""

    id = fields.String(required=True)
    level = fields.Integer(required=True, metadata=said("1 is a section."))
    number = fields.String(required=True, allow_none=True, metadata=said("Bare: `3.2`, `II`."))
    title = fields.String(required=True, metadata=said("Without its number."))
    page = fields.Integer(required=True, allow_none=True)
    paragraphs = fields.List(fields.Nested(ParagraphSchema), required=True)


class EquationSchema(Schema):
    """One row of a display; documents made from PDFs have none."""

    id = fields.String(required=True)
    number = fields.String(required=True, allow_none=True)
    tex = fields.String(required=True)
    section = fields.String(required=True, allow_none=True, metadata=said("Id of its section."))


class CaptionSchema(Schema):
    """A caption without its label."""

    kind = fields.String(required=True, validate=validate.OneOf(_CAPTIONS))
    number = fields.String(required=True, allow_none=True)
    text = fields.String(required=True)
    page = fields.Integer(required=True, allow_none=True)


class ReferenceSchema(Schema):
    """One printed item of the list of references."""

    key = fields.String(required=True, allow_none=True, metadata=said("Its label, bare."))
    raw = fields.String(required=True, metadata=said("Its text without the label."))
    doi = fields.String(required=True, allow_none=True, metadata=said("In lower case."))
    arxiv_id = fields.String(required=True, allow_none=True, metadata=said("Without version."))


class CitedSchema(ReferenceSchema):
    """A reference, with the way to the paper where it is held."""

    link = fields.String(
        required=True, allow_none=True, metadata=said("Path of the paper; null: not held here.")
    )


class DocumentSchema(Schema):
    """A paper's structure. Title, abstract, contents and references are no sections."""

    arxiv_id = fields.String(required=True)
    version = fields.Integer(required=True)
    source = fields.Enum(DocumentSource, by_value=True, required=True)
    converter = fields.String(required=True, metadata=said("What made it, with its version."))
    input_sha256 = fields.String(
        required=True, metadata=said("Of the file that `source` names, hexadecimal.")
    )
    quality = fields.Dict(required=True, metadata=said("Figures of the conversion."))
    title = fields.String(required=True, allow_none=True)
    abstract = fields.String(required=True, allow_none=True)
    sections = fields.List(
        fields.Nested(SectionSchema), required=True, metadata=said("Flat, in reading order.")
    )
    equations = fields.List(fields.Nested(EquationSchema), required=True)
    captions = fields.List(fields.Nested(CaptionSchema), required=True)
    references = fields.List(fields.Nested(ReferenceSchema), required=True)
