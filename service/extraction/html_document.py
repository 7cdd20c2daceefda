"""arXiv's HTML of one version to a structured document, or the reason why not.

Pure: bytes in, value out. Made to run in the process that may die (`sandbox`): it
imports lxml and the standard library only, and holds its limits by itself; what it
cannot hold (memory, CPU time) that process limits.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.extraction.converters import HTML_CONVERTER
from service.extraction.document import Document
from service.extraction.html import page
from service.extraction.html.builder import abstract_text, finished_sections
from service.extraction.html.characters import count_unknown
from service.extraction.html.limits import Unreadable
from service.extraction.html.reference_items import finished_references
from service.extraction.html_gate import (
    PdfEvidence,
    Refusal,
    compare,
    count_words,
    refuse_content,
    refuse_signs,
)
from service.extraction.page_alignment import with_pages


def document_from_html(
    data: bytes, *, arxiv_id: str, version: int, pdf: PdfEvidence | None
) -> Document | Refusal:
    """The document of the page `data`, whose paper must be `arxiv_id` in `version`.

    With `pdf` the page is compared with it, paragraphs get its page numbers, and a page
    without a list of references gets its references. Raises nothing for what is in `data` but
    MemoryError, where the process has less than some 25 times the page's size.
    """
    start = time.perf_counter()
    try:
        tree = page.parse(data)
        signs = page.read_signs(data, tree)
        refused = refuse_signs(signs, arxiv_id, version)
        if refused:
            return Refusal(refused, _figures(signs))
        document, counts = _read(tree)
    except Unreadable as err:
        return Refusal(err.code)
    quality = _figures(signs) | _counted(document, counts)
    refused = refuse_content(document, signs, counts)
    if refused is None and pdf is not None:
        refused, figures = compare(document, pdf)
        quality |= figures
    if refused:
        return Refusal(refused, quality)
    if pdf is not None:
        document = _completed(document, pdf, quality)
    quality["ms"] = round(1000 * (time.perf_counter() - start), 1)
    return replace(document, quality=quality)


def _read(tree: page.Element) -> tuple[Document, Counter[str]]:
    builder, counts = page.read_body(page.find_root(tree))
    sections = finished_sections(builder)
    document = Document(
        source="html",
        converter=HTML_CONVERTER,
        title=builder.title,
        abstract=abstract_text(builder),
        sections=sections,
        equations=tuple(builder.equations),
        captions=tuple(builder.captions),
        references=finished_references(builder),
    )
    return document, counts


def _completed(document: Document, pdf: PdfEvidence, quality: dict[str, Any]) -> Document:
    """The document with the PDF's page numbers, and its references if the page has none."""
    quality["references_from"] = "html"
    if not document.references and pdf.references:
        document = replace(document, references=tuple(pdf.references))
        quality["references_from"] = "pdf"
    document, unplaced = with_pages(document, pdf.pages)
    quality["paragraphs_without_own_page"] = unplaced
    return document


def _figures(signs: page.Signs) -> dict[str, Any]:
    return {
        "generator": signs.generator,
        "licence": signs.licence,
        "has_watermark": signs.watermark is not None,
    }


def _counted(document: Document, counts: Mapping[str, int]) -> dict[str, Any]:
    texts = (p.text for section in document.sections for p in section.paragraphs)
    return {
        "words": count_words(document),
        "headings": sum(bool(section.title) for section in document.sections),
        "unknown_characters": sum(map(count_unknown, texts)),
        "undefined_macros": counts.get("undefined_macros", 0),
        "missing_citations": counts.get("ltx_missing_citation", 0),
        "formulas_without_tex": counts.get("formulas_without_tex", 0),
    }
