"""The sample PDFs, each read by PDFium alone, as it is stored, and by two others."""

import io
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pdfminer.high_level
import pypdf
import pypdfium2

from service.extraction.reading import read_document

FOLDER = Path(__file__).parents[2] / ".." / "shared" / "arxiv-samples" / "pdf"
LIMITS = {"max_pages": 2_000, "max_characters": 5_000_000, "reading_seconds": 600.0}


@dataclass
class Sample:
    """One PDF. `head` and `text` are what the service would store."""

    path: Path
    head: dict[str, Any] = field(init=False)
    text: str = field(init=False)

    def __post_init__(self) -> None:
        document = pypdfium2.PdfDocument(self.path)
        self.head, self.text = read_document(document, LIMITS)
        document.close()

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def pages(self) -> list[str]:
        """The stored text, page by page."""
        return [self.text[start:end] for start, end in self.head["pages"]]

    @cached_property
    def raw_pages(self) -> list[str]:
        """What PDFium alone gives; a broken word is `-` and a line feed there."""
        document = pypdfium2.PdfDocument(self.path)
        texts = [page.get_textpage().get_text_range(errors="ignore") for page in document]
        document.close()
        return [text.replace("\r\n", "\n").replace("\ufffe", "-\n") for text in texts]

    @cached_property
    def others(self) -> list[tuple[str, str]]:
        """Each page as pdfminer.six and as pypdf have it."""
        logging.disable(logging.WARNING)
        with redirect_stderr(io.StringIO()):
            miner = pdfminer.high_level.extract_text(self.path).split("\f")
            plain = [page.extract_text() for page in pypdf.PdfReader(self.path).pages]
        logging.disable(logging.NOTSET)
        return list(zip(miner, plain, strict=False))


def samples(folder: Path) -> Iterator[Sample]:
    """All PDFs of the folder, in the order of their names."""
    return map(Sample, sorted(folder.glob("*.pdf")))
