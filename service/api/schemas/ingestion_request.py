"""Schema of an ingestion request: every field that it may have, and no other."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from service.api.schemas.fields import (
    BasicDate,
    CallbackUrl,
    Category,
    Id,
    Keywords,
    ShortList,
    SingleLineString,
    StrictBoolean,
    StrictInteger,
    said,
)
from service.api.schemas.labels import Labels
from service.api.schemas.loading import StrictSchema, load
from service.api.schemas.sources import AuditSchema, DocumentsSchema, OaiSchema, SnapshotSchema
from service.domain.jobs import (
    CRITERIA_OF,
    DEFAULT_PAPERS,
    DOCUMENTS,
    MAX_PAGE_SIZE,
    SEARCH,
    Criteria,
    IngestionRequest,
    Priority,
)

MAX_QUERY_LENGTH = 1000
MAX_TERM_LENGTH = 200
MAX_IDS = 2000
MAX_START = 1_000_000
MAX_SEARCH_PAPERS = 100_000
MAX_BATCH = 200
MAX_BULK_BATCH, BULK_BATCH = 2_000, 1_000
MAX_PAPERS = 100_000_000
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
    category = Category(metadata=said("One category, `cs.AI`, or an archive: all of it."))
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
        validate=validate.Range(0, MAX_START),
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

    keywords: ClassVar[Keywords] = {
        "oneOf": [
            {"required": [field], "properties": {"source": {"const": source}}}
            if source == SEARCH
            else {"required": ["source", field], "properties": {"source": {"const": source}}}
            for source, field in CRITERIA_OF.items()
        ]
    }

    search_query = fields.Nested(SearchQuerySchema)
    oai = fields.Nested(OaiSchema)
    snapshot = fields.Nested(SnapshotSchema)
    audit = fields.Nested(AuditSchema)
    documents = fields.Nested(DocumentsSchema)
    source = fields.String(
        load_default=SEARCH,
        validate=validate.OneOf(tuple(CRITERIA_OF)),
        metadata=said("Where papers come from; exactly the object that belongs to it is given."),
    )
    batch_size = StrictInteger(
        validate=validate.Range(1, MAX_BULK_BATCH),
        metadata=said(
            f"Papers committed at once: at most {MAX_BATCH} (if not given, 50) of a search,"
            f" {MAX_BULK_BATCH} ({BULK_BATCH}) of other sources."
        ),
    )
    max_papers = StrictInteger(
        validate=validate.Range(1, MAX_PAPERS),
        metadata=said(
            "Most papers to ingest; if not given, of a search all `ids`, else 100, of other"
            f" sources all. At most {MAX_SEARCH_PAPERS} of a search; not with `audit`."
        ),
    )
    process_pdfs = StrictBoolean(
        metadata=said("Whether PDFs and their text are wanted; if not given, of a search only.")
    )
    process_html = StrictBoolean(
        load_default=False,
        metadata=said("Whether arXiv's HTML is wanted, from which documents are made first."),
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
    labels = Labels(metadata=said("Your own marks of the job, which lists filter by."))
    callback_url = CallbackUrl(metadata=said("Who is told when the job ends, by a signed POST."))

    @validates_schema
    def check_source(self, data: Mapping[str, Any], **_: object) -> None:
        """Exactly the object of the source is given, and what goes with it."""
        source = data.get("source", SEARCH)
        own = CRITERIA_OF[source]
        wrong = {
            name: [f"Must not be given with source {source}."]
            for name in CRITERIA_OF.values()
            if name != own and name in data
        }
        if own not in data:
            wrong[own] = ["Missing data for required field."]
        if source == SEARCH and data.get("batch_size", 0) > MAX_BATCH:
            wrong["batch_size"] = [f"Must be at most {MAX_BATCH} with source search."]
        if source == SEARCH and data.get("max_papers", 0) > MAX_SEARCH_PAPERS:
            wrong["max_papers"] = [f"Must be at most {MAX_SEARCH_PAPERS} with source search."]
        if source == "audit" and "max_papers" in data:
            wrong["max_papers"] = ["Must not be given with source audit."]
        for name in ("process_pdfs", "process_html"):
            if source == DOCUMENTS and data.get(name):
                wrong[name] = ["Must not be true with source documents: nothing is downloaded."]
        if wrong:
            raise ValidationError(wrong)

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> IngestionRequest:
        """Build the value; a search without max_papers brings all ids, or one page."""
        is_search = data["source"] == SEARCH
        data.setdefault("batch_size", 50 if is_search else BULK_BATCH)
        data.setdefault("process_pdfs", is_search)
        if not is_search:
            return IngestionRequest(**{"max_papers": None, **data})
        data.setdefault("max_papers", len(data["search_query"].ids) or DEFAULT_PAPERS)
        return IngestionRequest(criteria=data.pop("search_query"), **data)


def load_request(
    document: Any,  # noqa: ANN401 - any JSON
) -> IngestionRequest:
    """The request in `document`; raises InvalidRequest naming every wrong field."""
    request: IngestionRequest = load(IngestionRequestSchema(), document)
    return request
