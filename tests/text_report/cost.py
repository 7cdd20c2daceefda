"""What the true text costs beside PDFium's own, in processor time.

Each reading is a process of its own, as fresh as the service's are, and the two
kinds take turns. Starting Python and loading what both need is not counted.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROUNDS = 5  # the least of them counts: other work on the machine only adds
MAX_RATIO = 1.8
_DEADLINE = 600  # seconds, for one process

_BARE = """
def read(document):
    for index in range(len(document)):
        page = document[index]
        page.get_textpage().get_text_range(errors="ignore")
        page.close()
    return len(document)
"""
_OURS = """
import gc
from service.extraction.lexicon import english_words
from service.extraction.reading import read_document
gc.disable()
english_words()
limits = {"max_pages": 2_000, "max_characters": 5_000_000, "reading_seconds": 600.0}
def read(document):
    return read_document(document, limits)[0]["page_count"]
"""
_LOOP = """
import sys, time
import pypdfium2
began, pages = time.process_time(), 0
for path in sys.argv[1:]:
    document = pypdfium2.PdfDocument(path)
    pages += read(document)
    document.close()
print((time.process_time() - began) * 1000, pages)
"""


def cost(paths: Sequence[Path]) -> tuple[float, float, int]:
    """Milliseconds of all files, bare and as stored, and the number of pages."""
    bare, ours, pages = [], [], 0
    for _ in range(ROUNDS):
        spent, pages = _spent(_BARE, paths)
        bare.append(spent)
        ours.append(_spent(_OURS, paths)[0])
    return min(bare), min(ours), pages


def _spent(reading: str, paths: Sequence[Path]) -> tuple[float, int]:
    command = [sys.executable, "-c", reading + _LOOP, *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=_DEADLINE)
    milliseconds, pages = done.stdout.split()
    return float(milliseconds), int(pages)
