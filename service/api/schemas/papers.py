"""Schemas of papers: query parameters and responses."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from service.api.job_status import to_iso8601
from service.api.pagination import CursorField, Cursors, PageQuerySchema, exact_moment
from service.api.schemas.fields import (
    BasicDate,
    Category,
    Choices,
    Keywords,
    Moment,
    QueryBoolean,
    SingleLineString,
    said,
)
from service.api.schemas.ingestion_request import MAX_QUERY_LENGTH, MAX_TERM_LENGTH
from service.db.held_papers import HeldPaper
from service.db.paper_rows import SHOWN
from service.db.paper_search import Found
from service.db.search_store import Search
from service.domain.identifiers import ArxivId
from service.domain.papers import PaperFilter, PaperSort, PdfState, SearchedIn, TextState
from service.domain.snippets import MAX_LENGTH

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


MAX_IDS = 100
MAX_RANK = 1000


def _paper_id(text: str) -> str:
    return ArxivId.parse(text).paper


def _place(text: str) -> datetime | float:
    """Where a list by date, or one by relevance, goes on."""
    with suppress(ValueError):
        return exact_moment(text)
    rank = float(text)
    if not 0 <= rank < MAX_RANK:
        raise ValueError("no rank")
    return rank


CURSORS = Cursors(of="papers", parts=(_place, _paper_id))


class PaperIds(fields.Field[tuple[str, ...]]):
    """Up to 100 arXiv ids of either style, without versions, separated by commas."""

    keywords: ClassVar[Keywords] = {
        "type": "string",
        "format": "arxiv-ids",
        "pattern": "^[A-Za-z0-9./-]+(,[A-Za-z0-9./-]+)*$",
    }

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, ...]:  # noqa: ANN401
        words = value.split(",")
        if len(words) > MAX_IDS:
            raise ValidationError(f"At most {MAX_IDS} ids.")
        try:
            ids = [ArxivId.parse(word) for word in words]
        except ValueError:
            raise ValidationError("Each must be an arXiv id.") from None
        if any(one.version is not None for one in ids):
            raise ValidationError("Without versions.")
        return tuple(one.paper for one in ids)


class PaperQuerySchema(PageQuerySchema):
    """Query parameters of GET /api/v1/papers; all that is given must match."""

    class Meta:
        """`in` is a word of Python's."""

        include: ClassVar = {
            "in": fields.Enum(
                SearchedIn,
                by_value=True,
                load_default=SearchedIn.METADATA,
                metadata=said("Where `q` is searched: title and abstract, or the text, too."),
            )
        }

    q = SingleLineString(
        MAX_QUERY_LENGTH,
        metadata=said(
            'Words as on the web, stemmed in English: `deep "neural network" or transformer'
            " -vision`; accents and TeX are ignored."
        ),
    )
    sort = fields.Enum(
        PaperSort,
        by_value=True,
        load_default=PaperSort.NEWEST,
        metadata=said("Last submitted first, or best match first: `relevance` needs `q`."),
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
    ids = PaperIds(metadata=said("These papers, at most 100; separated by commas, no versions."))
    job_id = fields.UUID(metadata=said("Papers that this job touched."))
    license = SingleLineString(
        MAX_TERM_LENGTH, metadata=said("Papers under this licence, by its URL.")
    )
    stored_after = Moment(
        metadata=said("Papers whose metadata was written at this moment or later (RFC 3339).")
    )
    cursor = CursorField(CURSORS)

    @validates_schema
    def check_days(self, data: Mapping[str, Any], **_: object) -> None:
        """Days must be in order."""
        first, last = data.get("from_date"), data.get("to_date")
        if first and last and first > last:
            raise ValidationError("Must not be after to_date.", "from_date")

    @validates_schema
    def check_search(self, data: Mapping[str, Any], **_: object) -> None:
        """Where and how to search needs a search; a cursor is of the order it was made for."""
        by_relevance = data.get("sort") == PaperSort.RELEVANCE
        in_texts = data.get("in") == SearchedIn.ALL
        for name, is_given in (("in", in_texts), ("sort", by_relevance)):
            if is_given and "q" not in data:
                raise ValidationError("Needs q.", name)
        if "cursor" in data and isinstance(data["cursor"][0], float) != by_relevance:
            raise ValidationError("Not a cursor of this order.", "cursor")


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
        ids=query.get("ids", ()),
        job_id=query.get("job_id"),
        license=query.get("license"),
        stored_after=query.get("stored_after"),
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


class OnePaperSchema(PaperSchema):
    """A paper by its id; of an id with a version, that version."""

    metadata_version = fields.Integer(
        metadata=said("With a version in the id: whose title, authors and the like these are.")
    )


class ListedPaperSchema(PaperSchema):
    """A paper in a list; a search adds how well it matches, and where."""

    rank = fields.Float(
        metadata=said("With `q` only: how well it matches; comparable within one search.")
    )
    snippet = fields.String(
        validate=validate.Length(max=MAX_LENGTH),
        metadata=said(
            "With `q` only: a place that matches, plain text, each hit between U+E000 and U+E001."
        ),
    )


def paper_document(paper: HeldPaper) -> dict[str, Any]:
    """What `PaperSchema` describes.

    By hand: an export dumps papers by the hundred thousand.
    """
    document = dict(zip(SHOWN, paper, strict=True))
    document["published_at"] = to_iso8601(paper.published_at)
    document["updated_at"] = to_iso8601(paper.updated_at)
    return document


def found_document(found: Found) -> dict[str, Any]:
    """What `ListedPaperSchema` describes, of a paper that a search found."""
    return paper_document(found.row) | {"rank": found.rank, "snippet": found.snippet}


def search_of(query: Mapping[str, Any]) -> Search | None:
    """The search among loaded query parameters, if there is one."""
    if "q" not in query:
        return None
    return Search(wanted=filter_of(query), scope=query["in"], by=query["sort"])
