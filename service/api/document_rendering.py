"""Stored documents as bodies of answers: whole, in part, as an outline, as Markdown.

A long document takes some hundred milliseconds, so all
but `whole_of` belong into a thread.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from service.db.documents import HeldDocument
from service.extraction.document import Document, Origin
from service.extraction.document_views import with_section
from service.extraction.markdown import to_markdown


def whole_of(row: HeldDocument) -> bytes:
    """The JSON of the document: what is stored is JSON already, and not read."""
    head = orjson.dumps(
        {
            "arxiv_id": row.arxiv_id,
            "version": row.version,
            "source": row.source,
            "converter": row.converter,
            "input_sha256": row.input_sha256,
            "quality": quality_of(row),
        }
    )
    content: bytes = row.content.encode()
    return head[:-1] + b"," + content[1:]


def part_of(row: HeldDocument, section: str) -> bytes | None:
    """The JSON of one section with all below it, as a document; None if there is none."""
    found = with_section(_document(row), section)
    if found is None:
        return None
    return orjson.dumps(found.to_json(Origin(row.arxiv_id, row.version, row.input_sha256)))


def outline_of(row: HeldDocument) -> bytes:
    """The JSON of the sections, with lengths in place of texts."""
    return orjson.dumps(_document(row).outline())


def markdown_of(row: HeldDocument, section: str | None) -> bytes | None:
    """The document, or one section, as Markdown in UTF-8; None if there is no such section."""
    document: Document | None = _document(row)
    if document is not None and section is not None:
        document = with_section(document, section)
    return None if document is None else to_markdown(document).encode()


def quality_of(row: HeldDocument) -> dict[str, Any]:
    """The figures of the document; `html` has those of a page that was refused for it."""
    if row.html_refused is None:
        return dict(row.quality)
    return {**row.quality, "html": {"refused": row.html_refused, **(row.html_quality or {})}}


class References:
    """The references of a document, from their JSON."""

    def __init__(self, stored: str) -> None:
        self._items: list[dict[str, Any]] = orjson.loads(stored)

    @property
    def arxiv_ids(self) -> set[str]:
        """The papers that they name, without version."""
        return {item["arxiv_id"] for item in self._items if item["arxiv_id"] is not None}

    def linked(self, links: Mapping[str, str]) -> list[dict[str, Any]]:
        """The references, each with its `link`: that of `links` by arXiv id, else None."""
        return [{**item, "link": links.get(item["arxiv_id"])} for item in self._items]

    def tag(self, links: Mapping[str, str]) -> str:
        """A word that changes when the links do."""
        return hashlib.sha256("\n".join(sorted(links.values())).encode()).hexdigest()[:16]


def _document(row: HeldDocument) -> Document:
    content = orjson.loads(row.content)
    about = {"source": row.source, "converter": row.converter, "quality": quality_of(row)}
    return Document.from_json({**content, **about})
