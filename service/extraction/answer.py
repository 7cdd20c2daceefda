"""What the process that reads PDFs answers, taken in by the parent, which trusts none of it."""

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Any

from service.domain.errors import BadPdf
from service.domain.papers import ExtractedText, TextFurniture, TextPage, TextState, clean_text
from service.extraction.document_answer import structured_document

_SLICE_BYTES = 1 << 16  # cleaned at once: about a millisecond of holding the interpreter
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0d-\x1f\x7f\ud800-\udfff]")  # but form feeds
_KINDS = frozenset({"head", "foot", "page_number", "stamp"})


def extracted_text(head: Mapping[str, Any], text: bytes) -> ExtractedText:
    """The result that an answer with a text stands for; takes a moment, so not for the loop.

    Raises BadPdf (`corrupt`) when the answer does not fit together.
    """
    whole = _cleaned(text)
    try:
        return ExtractedText(
            text=whole,
            page_count=_count(head.get("page_count")),
            truncated=bool(head.get("truncated")),
            pages=tuple(_pages(head.get("pages", ()), len(whole))),
            furniture=tuple(_furniture(head.get("furniture", ()))),
            text_state=TextState(head.get("text_state", TextState.FULL)),
            extractor=clean_text(str(head.get("extractor", ""))) or None,
            quality=_quality(head.get("quality", {})) | _document_error(head),
            document=structured_document(head.get("document")),
        )
    except (TypeError, ValueError, LookupError, AttributeError) as err:
        raise BadPdf("The PDF cannot be read", code="corrupt") from err


def _cleaned(text: bytes) -> str:
    """Text whose controls are replaced, so that offsets stay; in slices, for other threads."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    starts = range(0, len(text), _SLICE_BYTES)
    return "".join(_UNSTORABLE.sub("\ufffd", decode(text[at : at + _SLICE_BYTES])) for at in starts)


def _pages(pairs: Any, length: int) -> Iterator[TextPage]:  # noqa: ANN401 - as it came in JSON
    last = 0
    for number, (start, end) in enumerate(pairs, 1):
        if not last <= _count(start) <= _count(end) <= length:
            raise ValueError("pages do not fit the text")
        yield TextPage(number, start, end)
        last = end


def _furniture(entries: Any) -> Iterator[TextFurniture]:  # noqa: ANN401
    for page, kind, text in entries:
        if kind not in _KINDS:
            raise ValueError("unknown kind")
        yield TextFurniture(_count(page), kind, clean_text(str(text)))


def _quality(figures: Any) -> dict[str, Any]:  # noqa: ANN401
    if not figures:
        return {}
    return {
        "ms": _count(figures["ms"]),
        "unknown_characters": _count(figures["unknown_characters"]),
        "pages_without_text": [_count(number) for number in figures["pages_without_text"]],
    }


def _document_error(head: Mapping[str, Any]) -> dict[str, str]:
    """Why there is no document, if one was to be made and could not be."""
    error = head.get("document_error")
    return {} if error is None else {"document_error": clean_text(str(error))[:100]}


def _count(value: Any) -> int:  # noqa: ANN401
    if not isinstance(value, int) or value < 0:
        raise ValueError("no count")
    return value
