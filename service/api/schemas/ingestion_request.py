"""Schema of an ingestion request: every field that it may have, and no other."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from service.api.schemas.fields import (
    BasicDate,
    Category,
    Id,
    Keywords,
    ShortList,
    SingleLineString,
    StrictBoolean,
    StrictInteger,
    said,
)
from service.api.schemas.loading import StrictSchema, load
from service.domain.jobs import (
    DEFAULT_PAPERS,
    MAX_PAGE_SIZE,
    SEARCH_WINDOW,
    Criteria,
    IngestionRequest,
    Priority,
)

MAX_QUERY_LENGTH = 1000
MAX_TERM_LENGTH = 200
MAX_IDS = 2000
MAX_SEARCH_PAPERS = 10_000
MAX_BATCH = 200
NARROWING = (
    *("query", "category", "author", "title", "abstract"),
    *("from_date", "to_date", "ids"),
)

# as the service has answered it: the example in the API description
SUBMISSION_EXAMPLE: dict[str, Any] = {
    "search_query": {"category": "cs.AI", "from_date": "20230101"},
    "max_papers": 10,
}
CRITERIA_EXAMPLE: dict[str, Any] = {
    "category": "cs.AI",
    "from_date": "20230101",
    "max_results": 100,
    "start": 0,
    "sort_by": "submittedDate",
    "sort_order": "descending",
}
REQUEST_EXAMPLE: dict[str, Any] = {
    "search_query": CRITERIA_EXAMPLE,
    "source": "search",
    "batch_size": 50,
    "max_papers": 10,
    "process_pdfs": True,
    "skip_duplicates": True,
    "priority": "normal",
}


class SearchQuerySchema(StrictSchema):
    """What to search for."""

    keywords: ClassVar[Keywords] = {"anyOf": [{"required": [name]} for name in NARROWING]}

    query = SingleLineString(
        MAX_QUERY_LENGTH,
        metadata=said("Words, each searched everywhere, or a query in arXiv's own language."),
    )
    category = Category(MAX_TERM_LENGTH, wildcard=True, metadata=said("One category, `cs.AI`."))
    author = SingleLineString(MAX_TERM_LENGTH, metadata=said("A phrase among the authors."))
    title = SingleLineString(MAX_TERM_LENGTH, metadata=said("A phrase in the title."))
    abstract = SingleLineString(MAX_TERM_LENGTH, metadata=said("A phrase in the abstract."))
    from_date = BasicDate(metadata=said("First day of submission, GMT; not after `to_date`."))
    to_date = BasicDate(metadata=said("Last day of submission, GMT."))
    ids = ShortList(Id(), most=MAX_IDS, metadata=said("These papers only."))
    max_results = StrictInteger(
        load_default=100,
        validate=validate.Range(1, MAX_PAGE_SIZE),
        metadata=said("Papers that one request to arXiv asks for (at most 100 with `ids`)."),
    )
    start = StrictInteger(
        load_default=0,
        validate=validate.Range(0, SEARCH_WINDOW - 1),
        metadata=said("Results to leave out."),
    )
    sort_by = fields.String(
        load_default="submittedDate",
        validate=validate.OneOf(("submittedDate", "lastUpdatedDate", "relevance")),
        metadata=said("What arXiv sorts its results by."),
    )
    sort_order = fields.String(
        load_default="descending",
        validate=validate.OneOf(("descending", "ascending")),
        metadata=said("Which of them come first."),
    )

    @validates_schema
    def check_days(self, data: Mapping[str, Any], **_: object) -> None:
        """Days must be in order."""
        first, last = data.get("from_date"), data.get("to_date")
        if first and last and first > last:
            raise ValidationError("Must not be after to_date.", "from_date")

    @validates_schema
    def check_not_empty(self, data: Mapping[str, Any], **_: object) -> None:
        """Nothing asked for would be all of arXiv."""
        if not self.make(dict(data)).has_terms and not data.get("ids"):
            names = ", ".join(NARROWING[:-1])
            raise ValidationError(f"At least one of {names} or {NARROWING[-1]} is needed.")

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Criteria:
        """Build the value."""
        ids = tuple(dict.fromkeys(data.get("ids", ())))
        known = {name: value for name, value in data.items() if name not in ("max_results", "ids")}
        return Criteria(page_size=data["max_results"], ids=ids, **known)


class IngestionRequestSchema(StrictSchema):
    """The body of POST /api/v1/ingestion/arxiv."""

    search_query = fields.Nested(SearchQuerySchema, required=True)
    source = fields.String(
        load_default="search",
        validate=validate.OneOf(
            ("search",), error="Must be search; oai and snapshot are not available in this version."
        ),
        metadata=said("Which interface of arXiv to ask."),
    )
    batch_size = StrictInteger(
        load_default=50,
        validate=validate.Range(1, MAX_BATCH),
        metadata=said("Papers committed at once."),
    )
    max_papers = StrictInteger(
        validate=validate.Range(1, MAX_SEARCH_PAPERS),
        metadata=said(
            "Maximum number of papers to ingest; if not given, all `ids`, else 100."
            f" Without `ids`, `start` + `max_papers` must not exceed {SEARCH_WINDOW}."
        ),
    )
    process_pdfs = StrictBoolean(
        load_default=True, metadata=said("Whether PDFs and their text are wanted.")
    )
    skip_duplicates = StrictBoolean(
        load_default=True,
        metadata=said("Leave a paper that is held in the same version, and its PDF, as they are."),
    )
    priority = fields.Enum(
        Priority,
        by_value=True,
        load_default=Priority.NORMAL,
        metadata=said("Whose tasks run first."),
    )

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> IngestionRequest:
        """Build the value; without max_papers it is all ids, or one page."""
        ids = data["search_query"].ids
        data.setdefault("max_papers", len(ids) or DEFAULT_PAPERS)
        request = IngestionRequest(criteria=data.pop("search_query"), **data)
        if not ids and request.criteria.start + request.max_papers > SEARCH_WINDOW:
            message = f"start + max_papers must not exceed {SEARCH_WINDOW} (arXiv's limit)."
            raise ValidationError(message, "max_papers")
        return request


def load_request(document: Any) -> IngestionRequest:  # noqa: ANN401 - any JSON
    """The request in `document`; raises InvalidRequest naming every wrong field."""
    request: IngestionRequest = load(IngestionRequestSchema(), document)
    return request
