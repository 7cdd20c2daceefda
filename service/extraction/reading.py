"""A PDF's text as it is stored: read within limits, with its pages and its structure.

Runs in the process that reads PDFs, which sends its result on as JSON and text.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pypdfium2
from pypdfium2.version import PYPDFIUM_INFO

from service.extraction.layout import PageLayout
from service.extraction.pdfium_page import forget_fonts
from service.extraction.structure.navigation import Link, read_links
from service.extraction.structuring import structured
from service.extraction.text import finish_pages, read_page

TEXT_VERSION = 2  # to be raised when the same PDF gives another text
EXTRACTOR = f"pypdfium2 {PYPDFIUM_INFO.api_tag[0]}.{PYPDFIUM_INFO.api_tag[1]}, text {TEXT_VERSION}"
PAGE_BREAK = "\f"
MAX_LINKS = 50_000  # to URIs; those of further pages are not read
MAX_FURNITURE = 5_000  # lines; more are left out of the field, as they are out of the text
MAX_FURNITURE_TEXT = 300  # characters of one


def read_document(
    document: pypdfium2.PdfDocument, limits: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """The head of the answer and the text; state "corrupt" when no page can be read.

    Page offsets in `pages` are code points of the text, one pair for each page
    that was read. A page that cannot be read is empty, and the text counts
    as truncated. Where `limits` have `structuring_seconds`, `document` is the structured
    document, or None, and then `document_error` says why.
    """
    began = time.process_time()
    count = len(document)
    read = _read_pages(document, count, limits)
    unreadable = read.unreadable
    if count == 0 or 0 < len(read.pages) == unreadable:
        return {"state": "corrupt"}, ""
    pages = finish_pages(read.pages)
    texts = [page.text for page in pages]
    limit = limits["max_characters"]
    is_whole = len(pages) == count and not unreadable
    text = PAGE_BREAK.join(texts)
    is_whole = is_whole and len(text) <= limit
    text = text[:limit]
    if is_whole and not any(map(str.isalpha, text)):
        text, texts = "", [""] * len(texts)
    made: dict[str, Any] = {}
    seconds = limits.get("structuring_seconds", 0)
    if text and seconds:
        made["document"], made["document_error"] = structured(document, pages, read.links, seconds)
    quality = {
        "ms": round((time.process_time() - began) * 1000),
        "unknown_characters": sum(page.unknown_characters for page in pages),
        "pages_without_text": [
            page.number for page, text in zip(pages, texts, strict=True) if not text
        ],
    }
    head = {
        "state": "text",
        "page_count": count,
        "truncated": not is_whole,
        "text_state": _text_state(text, is_whole=is_whole),
        "pages": _offsets(texts, len(text)),
        "furniture": _furniture(pages),
        "extractor": EXTRACTOR,
        "quality": quality,
        **made,
    }
    return head, text


@dataclass(slots=True)
class _Read:
    """Pages in order, the links on them, and how many pages could not be read."""

    pages: list[PageLayout] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    unreadable: int = 0


def _read_pages(document: pypdfium2.PdfDocument, count: int, limits: Mapping[str, Any]) -> _Read:
    """The pages as far as the limits allow."""
    forget_fonts()
    deadline = time.monotonic() + limits["reading_seconds"]
    room = limits["max_characters"]
    read = _Read()
    known_words: set[str] = set()
    wants_links = bool(limits.get("structuring_seconds", 0))  # nothing else needs them
    most = min(count, limits["max_pages"])
    while len(read.pages) < most and room > 0 and time.monotonic() < deadline:
        page = _read_page(
            document, len(read.pages), known_words, read.links, wants_links=wants_links
        )
        if page is None:
            read.unreadable += 1
            page = PageLayout(len(read.pages) + 1, (0, 0, 0, 0), ())
        read.pages.append(page)
        room -= sum(len(line.text) + 1 for line in page.lines)
    return read


def _read_page(
    document: pypdfium2.PdfDocument,
    index: int,
    known_words: set[str],
    links: list[Link],
    *,
    wants_links: bool,
) -> PageLayout | None:
    """One page, whose links are added to `links`; None when it cannot be read."""
    try:
        page = document[index]
        try:
            layout = read_page(page, index + 1, known_words)
            if wants_links and len(links) < MAX_LINKS:
                links += read_links(document.raw, page.raw, index + 1)
            return layout
        finally:
            page.close()  # and its text page
    except (pypdfium2.PdfiumError, AssertionError):  # pypdfium2 asserts what PDFium returns
        return None


def _text_state(text: str, *, is_whole: bool) -> str:
    if not is_whole:
        return "cut"
    return "full" if text else "empty"


def _offsets(texts: Sequence[str], end: int) -> list[tuple[int, int]]:
    """Start and end of each page in the joined text, which is cut at `end`."""
    if not end and not any(texts):
        return [(0, 0)] * len(texts)
    offsets, start = [], 0
    for text in texts:
        if start > end:
            break
        offsets.append((start, min(start + len(text), end)))
        start += len(text) + len(PAGE_BREAK)
    return offsets


def _furniture(pages: Sequence[PageLayout]) -> list[tuple[int, str, str]]:
    """Page, kind and text of what is not in the text."""
    lines = [
        (page.number, line.furniture.value, line.text[:MAX_FURNITURE_TEXT])
        for page in pages
        for line in page.lines
        if line.furniture is not None
    ]
    return lines[:MAX_FURNITURE]
