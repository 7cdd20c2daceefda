"""The document is made beside the text, within limits, and never at the text's expense."""

import json
import time

import pypdfium2
import pytest

from service.extraction import structuring
from service.extraction.cpu_alarm import OutOfTime, cpu_alarm
from service.extraction.reading import read_document
from tests.extraction.made_pdf import LIMITS, lines, pdf

WITH_DOCUMENT = {**LIMITS, "structuring_seconds": 10.0}


def read(content: bytes, limits=WITH_DOCUMENT):
    document = pypdfium2.PdfDocument(content)
    try:
        return read_document(document, limits)
    finally:
        document.close()


@pytest.fixture
def two_pages() -> bytes:
    return pdf(lines(b"Some words of text", b"and more of them"), lines(b"The second page"))


def test_a_document_is_made_of_the_pages(two_pages):
    head, text = read(two_pages)

    content = json.loads(head["document"]["content"])
    said = " ".join(p["text"] for s in content["sections"] for p in s["paragraphs"])
    assert "Some words of text" in said
    assert "The second page" in said
    assert head["document_error"] is None
    assert list(content) == ["title", "abstract", "sections", *list(content)[3:]]
    assert head["document"]["quality"]["paragraphs"] >= 1
    assert text.startswith("Some words")


def test_a_scan_has_no_document():
    head, _ = read(pdf([]))

    assert head["text_state"] == "empty"
    assert head.get("document") is None


def endless(*_):
    while True:
        pass


def broken(*_):
    raise IndexError


def greedy(*_):
    raise MemoryError


@pytest.mark.parametrize(
    ("maker", "error"),
    [(endless, "out_of_time"), (broken, "failed: IndexError"), (greedy, "out_of_memory")],
)
def test_whatever_goes_wrong_with_it_the_text_stands(monkeypatch, two_pages, maker, error):
    monkeypatch.setattr(structuring, "document_of", maker)

    head, text = read(two_pages, {**LIMITS, "structuring_seconds": 0.05})

    assert text == "Some words of text\nand more of them\fThe second page"
    assert (head["document"], head["document_error"]) == (None, error)


def test_a_document_that_is_too_large_is_left_out(monkeypatch, two_pages):
    monkeypatch.setattr(structuring, "MAX_DOCUMENT_BYTES", 100)

    head, text = read(two_pages)

    assert text
    assert (head["document"], head["document_error"]) == (None, "too_large")


def test_an_alarm_ends_with_its_block():
    with cpu_alarm(0.02):
        pass
    end = time.process_time() + 0.1
    while time.process_time() < end:  # would ring now
        pass

    with pytest.raises(OutOfTime), cpu_alarm(0.02):
        endless()
