"""Paper metadata as a value, whichever arXiv interface it came from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from service.domain.identifiers import ArxivId

_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class PaperState(StrEnum):
    """Where one paper of one job stands."""

    PENDING = "pending"  # metadata stored, PDF wanted
    DOWNLOADED = "downloaded"  # file in storage, text not yet
    PROCESSED = "processed"  # text stored
    FAILED = "failed"  # gave up; may be retried by the caller
    UNAVAILABLE = "unavailable"  # arXiv has no such PDF, or no such paper
    SKIPPED = "skipped"  # nothing to do: already held, or no PDF asked for


class HtmlState(StrEnum):
    """Where arXiv's HTML of one paper of one job stands; there is none where it is not wanted."""

    PENDING = "pending"  # wanted
    STORED = "stored"  # in storage, and the paper's document is made of it
    REFUSED = "refused"  # the page is none of this paper's, or lacks too much of it
    UNAVAILABLE = "unavailable"  # arXiv has none of this version
    FAILED = "failed"  # gave up; may be retried by the caller
    SKIPPED = "skipped"  # held already


class PdfState(StrEnum):
    """What we hold of a paper's PDF, over all jobs."""

    NONE = "none"  # never fetched
    DOWNLOADED = "downloaded"
    PROCESSED = "processed"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"


_COMMON = frozenset(
    {"title", "abstract", "authors", "categories", "primary_category"}
    | {"doi", "journal_ref", "comments"}
)
TOLD_BY_SEARCH = _COMMON | {"version", "published_at", "updated_at"}
TOLD_BY_OAI_ARXIV = _COMMON | {"license", "datestamp"}
TOLD_BY_SNAPSHOT = TOLD_BY_SEARCH | {
    *("license", "datestamp", "submitter", "affiliations", "versions"),
}
TOLD_BY_OAI_RAW = TOLD_BY_SNAPSHOT | {"withdrawn", "source_types"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperVersion:
    """One version in a paper's history, as OAI-PMH (arXivRaw) or the snapshot list it.

    `submitted_at` is aware UTC. `size_kb` is that of the source in kilobytes,
    `source_type` arXiv's letters (`I` withdrawn, `D` pdfTeX, `H` HTML, `P`
    PostScript, `X` docx, `A` ancillary files, `S` source not public). Both are
    None in a snapshot, and where arXivRaw leaves them out.
    """

    version: int
    submitted_at: datetime
    size_kb: int | None = None
    source_type: str | None = None

    @property
    def is_withdrawn(self) -> bool:
        """True when arXiv marks this very version as a withdrawal."""
        return self.source_type is not None and "I" in self.source_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Metadata of one version of one paper, from whichever source.

    `arxiv_id.version` is always set. Moments are aware UTC. `authors` keeps
    arXiv's order, each as `Forenames Keyname Suffix`; `affiliations` is as long
    and holds the texts of each. `categories` starts with the primary one. Texts
    are single spaced, without control characters; None where arXiv gives nothing.
    `versions` is the history, oldest first, its last the version of `arxiv_id`.
    `datestamp` is the day arXiv lists the record with: that of its last change.

    `told` names the fields that the source tells; what it does not tell, it does
    not change (`version`: that of `arxiv_id`; `source_types`: sizes and types in
    `versions`). `snapshot_digest` is that of the line of a snapshot which says all this (None:
    no snapshot does). No source but arXivRaw can tell that a version is *not* withdrawn.
    Raises ValueError when there are affiliations, but not one entry per author.
    """

    arxiv_id: ArxivId
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    primary_category: str
    published_at: datetime
    updated_at: datetime
    doi: str | None = None
    journal_ref: str | None = None
    comments: str | None = None
    license: str | None = None
    withdrawn: bool = False
    affiliations: tuple[tuple[str, ...], ...] = ()
    submitter: str | None = None
    versions: tuple[PaperVersion, ...] = ()
    datestamp: date | None = None
    told: frozenset[str] = TOLD_BY_SEARCH
    snapshot_digest: UUID | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.affiliations:
            object.__setattr__(self, "affiliations", ((),) * len(self.authors))
        elif len(self.affiliations) != len(self.authors):
            raise ValueError("as many affiliations as authors, or none at all")

    @property
    def tells_license(self) -> bool:
        """True when the source tells licences: none given then means that there is none."""
        return "license" in self.told


class SearchedIn(StrEnum):
    """Where words are searched."""

    METADATA = "metadata"  # title and abstract
    ALL = "all"  # the text, too


class PaperSort(StrEnum):
    """Order of a list of papers."""

    NEWEST = "-published_at"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFilter:
    """Which of the papers held are wanted: those that all fields match (None: any).

    Days are those of the first submission (GMT), both inclusive. `author` is a
    phrase in one author's name, `words` a search as on the web: words, "a phrase", or, -not.
    """

    category: str | None = None
    author: str | None = None
    from_date: date | None = None
    to_date: date | None = None
    words: str | None = None
    pdf_states: tuple[PdfState, ...] = ()  # empty: any
    text_states: tuple["TextState", ...] = ()  # empty: any
    withdrawn: bool | None = None
    ids: tuple[str, ...] = ()  # without versions; empty: any
    job_id: UUID | None = None  # papers that this job touched
    license: str | None = None
    stored_after: datetime | None = None  # inclusive


@dataclass(frozen=True, slots=True)
class EntryError:
    """One entry of an answer that could not be read, or one that is not there; the others stand.

    `arxiv_id` is the paper as it was asked for or shown. `unavailable`: arXiv has
    no such paper or version as this one. `line`: where it stands in a file, from 1.
    """

    message: str
    arxiv_id: str | None = None
    code: str | None = None  # None: an entry that was no paper
    unavailable: ArxivId | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a query: its papers, in arXiv's order.

    `total` is what arXiv says the whole query matches. `errors` holds the
    entries that were no papers.
    """

    papers: tuple[Paper, ...]
    total: int
    errors: tuple[EntryError, ...] = ()

    @property
    def entries(self) -> int:
        """How many entries the answer held, readable or not."""
        return len(self.papers) + len(self.errors)

    def cut(self, size: int) -> "Page":
        """The page with at most `size` entries: what nobody asked for is left."""
        papers = self.papers[:size]
        return Page(papers, self.total, self.errors[: size - len(papers)])


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPdf:
    """A PDF in its final place: `path` is relative to the storage root."""

    path: str
    sha256: str
    size_bytes: int

    @classmethod
    def of(cls, path: str | None, sha256: str | None, size_bytes: int | None) -> Self | None:
        """What three columns of a row tell; None where one is null."""
        if path is None or sha256 is None or size_bytes is None:
            return None
        return cls(path=path, sha256=sha256, size_bytes=size_bytes)


class TextState(StrEnum):
    """How much of a PDF's text there is."""

    FULL = "full"
    CUT = "cut"  # a limit ended it, or a page could not be read
    EMPTY = "empty"  # no letters besides furniture: a scan
    ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True)
class TextPage:
    """One page's place in the text: `text[start:end]`, in code points; `number` from 1."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TextFurniture:
    """What stands on a page and not in the text; `kind`: head, foot, page_number, stamp."""

    page: int
    kind: str
    text: str


class DocumentSource(StrEnum):
    """What a structured document was made of."""

    HTML = "html"
    PDF = "pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class StructuredDocument:
    """A paper's structured document as it is stored.

    `content` is a JSON object in text: title, abstract, sections, equations, captions,
    references. `converter` names what made it, with its version.
    """

    source: DocumentSource
    converter: str
    quality: Mapping[str, Any]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedText:
    """What the extractor made of a PDF.

    `text` has no control character but line feeds, and a form feed between pages;
    `truncated` says that pages or characters beyond a limit were left out.
    `quality` has `ms`, `unknown_characters` and `pages_without_text` (numbers), and
    `document_error` where no document could be made. `document` is None then.
    """

    text: str
    page_count: int
    truncated: bool = False
    pages: tuple[TextPage, ...] = ()
    furniture: tuple[TextFurniture, ...] = ()
    text_state: TextState = TextState.FULL
    extractor: str | None = None
    quality: Mapping[str, Any] = field(default_factory=dict)
    document: StructuredDocument | None = None


# Refused pages in whose place arXiv may have a better one by now: as good as none.
NO_PAPER = ("html_stub", "html_fatal_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlPage:
    """A page of HTML in its place, and how it was judged last.

    `pdf_sha256` is of the PDF it was compared with, `refused` why no document is made of it.
    """

    file: StoredPdf
    etag: str | None = None
    pdf_sha256: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlVerdict:
    """What was made of a page of HTML: its document, or the stable word why it is refused.

    `quality` has the figures of the comparison with the PDF either way, and `generator`
    and `licence` as the page names them. `converter` names who judged it.
    """

    converter: str
    quality: Mapping[str, Any]
    document: StructuredDocument | None = None
    refused: str | None = None


def clean_text(text: str) -> str:
    """`text` without what PostgreSQL or a terminal cannot take: NUL, controls, lone surrogates.

    Newline, carriage return and tab stay.
    """
    return _UNSTORABLE.sub("", text)


def single_spaced(text: str) -> str:
    """`text` cleaned, with every run of white space as one blank."""
    spaced = text.replace("\n", " ")
    while "  " in spaced:
        spaced = spaced.replace("  ", " ")
    if spaced.isprintable():  # quick, and true of nearly all: blanks are its only white space
        return spaced.strip(" ")
    return " ".join(clean_text(text).split())
