"""What the true text costs beside PDFium's own: processor time of one process, both in turn."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pypdfium2

from service.extraction.reading import read_document
from tests.text_report.samples import LIMITS

ROUNDS = 5  # the least of them counts: other work on the machine only adds
MAX_RATIO = 1.8


def cost(paths: Sequence[Path]) -> tuple[float, float, int]:
    """Milliseconds of all files, bare and as stored, and the number of pages."""
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(_spent(paths, _bare))
        ours.append(_spent(paths, lambda document: read_document(document, LIMITS)))
    pages = 0
    for path in paths:
        document = pypdfium2.PdfDocument(path)
        pages += len(document)
        document.close()
    return min(bare), min(ours), pages


def _spent(paths: Sequence[Path], use: Callable[[pypdfium2.PdfDocument], object]) -> float:
    began = time.process_time()
    for path in paths:
        document = pypdfium2.PdfDocument(path)
        use(document)
        document.close()
    return (time.process_time() - began) * 1000


def _bare(document: pypdfium2.PdfDocument) -> None:
    for index in range(len(document)):
        page = document[index]
        page.get_textpage().get_text_range(errors="ignore")
        page.close()
