"""Case 125: where pages begin, and whether there is a text at all."""

import pytest

from service.extraction import reading
from tests.extraction.made_pdf import LIMITS, Put, extracted, lines, pdf


def test_pages_are_joined_by_form_feeds_and_found_by_their_offsets():
    head, text = extracted(pdf(lines(b"First page", b"two lines"), [], lines(b"Third")))

    assert text == "First page\ntwo lines\f\fThird"
    assert [text[start:end] for start, end in head["pages"]] == [
        "First page\ntwo lines",
        "",
        "Third",
    ]
    assert head["quality"]["pages_without_text"] == [2]
    assert head["text_state"] == "full"


def test_offsets_count_code_points():
    head, text = extracted(pdf(lines(b"caf\\351"), lines(b"next")))

    assert text == "café\fnext"
    assert head["pages"] == [(0, 4), (5, 9)]


def test_a_pdf_without_letters_is_empty():
    head, text = extracted(pdf([], [Put(b"2", 300.0, 40.0)], [Put(b"3", 300.0, 40.0)]))

    assert (head["state"], head["text_state"], text) == ("text", "empty", "")
    assert head["pages"] == [(0, 0)] * 3
    assert [kind for _, kind, _ in head["furniture"]] == ["page_number", "page_number"]


@pytest.mark.parametrize("limit", [{"max_pages": 1}, {"max_characters": 7}])
def test_a_text_that_a_limit_ends_is_cut(monkeypatch, limit):
    monkeypatch.setitem(LIMITS, *next(iter(limit.items())))

    head, text = extracted(pdf(lines(b"one two"), lines(b"three")))

    assert (head["text_state"], head["truncated"], text) == ("cut", True, "one two")
    assert head["pages"] == [(0, 7)]


def test_what_no_rule_explains_is_counted_and_controls_are_no_text():
    head, text = extracted(pdf(lines(b"a\\001b")))

    assert text == "ab"
    assert head["quality"]["unknown_characters"] == 1
    assert head["extractor"] == reading.EXTRACTOR
