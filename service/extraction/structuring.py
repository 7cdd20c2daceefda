"""The structured document of a PDF that is open, as part of the answer about its text.

A document is an addition: whatever goes wrong with it, the text stands, and says why
there is none. Runs in the process that reads PDFs.
"""

import json
from collections.abc import Sequence
from typing import Any

import pypdfium2

from service.extraction.converters import MAX_DOCUMENT_BYTES
from service.extraction.cpu_alarm import OutOfTime, cpu_alarm
from service.extraction.layout import PageLayout
from service.extraction.structure.from_pdf import document_of
from service.extraction.structure.navigation import Link, read_navigation


def structured(
    file: pypdfium2.PdfDocument, pages: Sequence[PageLayout], links: Sequence[Link], seconds: float
) -> tuple[dict[str, Any] | None, str | None]:
    """The document of the finished `pages`, or None and why: a stable word.

    Its keys are converter, quality, and content as JSON text. `seconds` is the processor
    time that it may take.
    """
    try:
        with cpu_alarm(seconds):
            return _made(file, pages, links)
    except OutOfTime:
        return None, "out_of_time"
    except MemoryError:
        return None, "out_of_memory"
    except Exception as err:  # a fault in it must not cost the text
        return None, f"failed: {type(err).__name__}"


def _made(
    file: pypdfium2.PdfDocument, pages: Sequence[PageLayout], links: Sequence[Link]
) -> tuple[dict[str, Any] | None, str | None]:
    document = document_of(pages, read_navigation(file.raw, links))
    content = document.content()
    quality = content.pop("quality")
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    text = text.encode(errors="replace").decode()  # no halves of a character
    if len(json.dumps(text)) > MAX_DOCUMENT_BYTES:
        return None, "too_large"
    return {"converter": document.converter, "quality": quality, "content": text}, None
