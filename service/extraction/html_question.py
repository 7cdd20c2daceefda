"""What a child is asked about an HTML page, and its answer, of which nothing is taken on trust."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from service.domain.errors import BadPdf
from service.domain.identifiers import ArxivId
from service.domain.papers import (
    DocumentSource,
    ExtractedText,
    HtmlVerdict,
    StructuredDocument,
    clean_text,
)
from service.extraction.document_answer import figures, structured_document

OUTLINE = "outline"  # where a PDF's headings are certain enough to be asked for in its HTML


@dataclass(frozen=True, slots=True)
class HtmlQuestion:
    """Whose page it is (with its version), and the text of that version's PDF, if there is one."""

    arxiv_id: ArxivId
    pdf: ExtractedText | None = None

    def dump(self) -> bytes:
        """The question as JSON; takes a moment, so not for the loop."""
        return orjson.dumps(
            {
                "arxiv_id": self.arxiv_id.paper,
                "version": self.arxiv_id.version,
                "pdf": None if self.pdf is None else _evidence(self.pdf),
            }
        )


def html_verdict(head: Mapping[str, Any]) -> HtmlVerdict:
    """The verdict in a child's answer; raises BadPdf (`corrupt`) when that makes no sense."""
    try:
        refused = head.get("refused")
        document = None if refused is not None else structured_document(head, DocumentSource.HTML)
        return HtmlVerdict(
            converter=clean_text(str(head["converter"])),
            quality=figures(head["quality"]),
            document=document,
            refused=None if refused is None else clean_text(str(refused))[:100],
        )
    except (TypeError, ValueError, LookupError, AttributeError) as err:
        raise BadPdf("The HTML page cannot be read", code="corrupt") from err


def _evidence(text: ExtractedText) -> dict[str, Any]:
    """Pages by number, headings of the outline, and references of the PDF."""
    pages = [(page.number, text.text[page.start : page.end]) for page in text.pages]
    headings: list[str] = []
    references: list[Any] = []
    if text.document is not None:
        headings, references = _structure(text.document)
    return {"pages": pages, "headings": headings, "references": references}


def _structure(document: StructuredDocument) -> tuple[list[str], list[Any]]:
    content = orjson.loads(document.content)
    titles = [section["title"] for section in content["sections"] if section["title"]]
    if document.quality.get("headings_from") != OUTLINE:
        titles = []
    return titles, content["references"]
