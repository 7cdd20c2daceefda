"""The structured document in a child's answer, taken in by the parent, which trusts none of it."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from service.domain.papers import DocumentSource, StructuredDocument, clean_text
from service.extraction.document import Document

_SUSPECT = re.compile(r"\\u00[01]|\\[bf]|\x7f")  # in JSON text: may be a control character


def structured_document(
    answered: Any,  # noqa: ANN401 - as it came
    source: DocumentSource = DocumentSource.PDF,
) -> StructuredDocument | None:
    """The document as it is stored, None if there is none; ValueError when it is no document."""
    if answered is None:
        return None
    try:
        document = Document.from_json(
            {
                **_cleaned(orjson.loads(answered["content"])),
                "source": source.value,
                "converter": clean_text(str(answered["converter"])),
                "quality": figures(answered["quality"]),
            }
        )
        _require_types(document)
        content = document.content()
        quality = content.pop("quality")
        return StructuredDocument(
            source=source,
            converter=document.converter,
            quality=quality,
            content=orjson.dumps(content).decode(),
        )
    except (TypeError, LookupError, AttributeError) as err:
        raise ValueError("no document") from err


def _require_types(document: Document) -> None:
    """Raise TypeError where a text is none or a page is no number."""
    sections, captions = document.sections, document.captions
    paragraphs = [paragraph for section in sections for paragraph in section.paragraphs]
    texts = [
        *(text for p in paragraphs for text in (p.text, p.kind)),
        *(text for c in captions for text in (c.text, c.kind)),
        *(text for s in sections for text in (s.id, s.title)),
        *(text for e in document.equations for text in (e.id, e.tex)),
        *(item.raw for item in document.references),
    ]
    absent = [
        *(document.title, document.abstract),
        *(section.number for section in sections),
        *(caption.number for caption in captions),
        *(text for e in document.equations for text in (e.number, e.section)),
        *(text for r in document.references for text in (r.key, r.doi, r.arxiv_id)),
    ]
    "".join([*texts, *(text for text in absent if text is not None)])
    numbers = [
        *(paragraph.page for paragraph in paragraphs),
        *(caption.page for caption in captions),
        *(number for section in sections for number in (section.page, section.level)),
    ]
    if not all(number is None or isinstance(number, int) for number in numbers):
        raise TypeError("no number")


def figures(answered: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a conversion, by name; raises ValueError for other values."""
    found = {clean_text(name): value for name, value in answered.items()}
    if not all(isinstance(value, int | float | str | None) for value in found.values()):
        raise ValueError("no figures")
    return {name: _clean(value) for name, value in found.items()}


def _cleaned(content: dict[str, Any]) -> dict[str, Any]:
    """The content without characters that cannot be stored; looked for where they may be."""
    if _SUSPECT.search(orjson.dumps(content).decode()) is None:
        return content
    return {name: _clean(value) for name, value in content.items()}


def _clean(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    return value
