"""The document of a whole paper: what belongs where, and that nothing breaks it."""

import math
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.extraction.converters import PDF_CONVERTER
from service.extraction.document import Paragraph
from service.extraction.layout import Font, Furniture, Line, PageLayout, Span
from service.extraction.structure import flow
from service.extraction.structure.from_pdf import document_of
from service.extraction.structure.navigation import (
    Bookmark,
    Destination,
    Link,
    Navigation,
    Target,
)
from tests.extraction.structure.layouts import (
    BOLD,
    ITALIC,
    MATH,
    PROSE,
    ROMAN,
    SMALL_CAPS,
    Page,
    made,
    paper,
)

NOTHING = Navigation()


def test_title_abstract_sections_captions_and_references_are_apart():
    page = Page(1).put(("On the Nature of", BOLD), size=17).put(("Things", BOLD), size=17, gap=20)
    page.put("A. Author", gap=30).put(("Abstract", BOLD), gap=30).prose(3, gap=20)
    page.put(("1 Introduction", BOLD), size=12, gap=30).prose(3, gap=20)
    page.put("Figure 1: What is seen.", gap=30)
    page.put(("2 Conclusion", BOLD), size=12, gap=30).prose(2, gap=20)
    page.put(("References", BOLD), size=12, gap=30)
    for number in (1, 2, 3):
        page.put(f"[{number}] A. Author, Journal of Things, 1999.")

    document = document_of(made([page]), NOTHING)

    assert (document.source, document.converter) == ("pdf", PDF_CONVERTER)
    assert document.title == "On the Nature of Things"
    assert document.abstract == f"{PROSE} {PROSE} {PROSE}."
    assert [(s.number, s.title) for s in document.sections] == [
        ("1", "Introduction"),
        ("2", "Conclusion"),
    ]
    assert document.sections[0].paragraphs == (Paragraph(f"{PROSE} {PROSE} {PROSE}.", 1),)
    assert [caption.text for caption in document.captions] == ["What is seen."]
    assert [reference.raw for reference in document.references] == [
        "A. Author, Journal of Things, 1999."
    ] * 3
    assert document.equations == ()
    assert document.quality == {
        "headings": 2,
        "headings_from": "style",
        "paragraphs": 2,
        "captions": 1,
        "references": 3,
        "references_from": "labels",
    }


def test_ids_are_unique_and_levels_and_pages_are_told():
    document = document_of(paper("1 Introduction", "1.1 More", "2 Results", "3 End"), NOTHING)

    assert [(s.id, s.level, s.page) for s in document.sections] == [
        *(("s1", 1, 1), ("s2", 2, 1), ("s3", 1, 1), ("s4", 1, 2))
    ]


def test_a_caption_among_the_references_is_in_none_of_them():
    page = Page(1).put(("1 Introduction", BOLD), size=12).prose(3, gap=20)
    page.put(("References", BOLD), size=12, gap=30)
    for number in (1, 2, 3, 4):
        page.put(f"[{number}] A. Author, Journal of Things, 1999.")
        if number == 2:
            page.put("Figure 1: What is seen.", gap=30).y -= 20

    document = document_of(made([page]), NOTHING)

    assert {r.raw for r in document.references} == {"A. Author, Journal of Things, 1999."}
    assert [caption.number for caption in document.captions] == ["1"]


def test_furniture_is_no_text():
    pages = paper("1 Introduction", "2 Results", "3 Conclusion", "4 More")
    head = Page(1, y=780).put("A Running Head", gap=0).lines[0]
    head = Line(
        head.text, head.x0, head.y0, head.x1, head.y1, head.baseline, head.size, head.font,
        True, head.spans, head.pieces, Furniture.HEAD,
    )  # fmt: skip
    pages[1] = PageLayout(2, pages[1].box, (head, *pages[1].lines))

    document = document_of(pages, NOTHING)

    texts = [p.text for section in document.sections for p in section.paragraphs]
    assert not any("Running" in text for text in texts)


def test_a_paragraph_goes_on_over_columns_and_pages_and_behind_notes():
    first = Page(1).put(("1 Introduction", BOLD), size=12).put("It begins here and", gap=20)
    first.put("1 A note at the foot of the page.", size=7, gap=30)
    first.column(330).put("goes on here until it ends")
    second = Page(2).put("on the next page.").put("Another begins.", indent=15).prose(2)

    document = document_of(made([first, second.put(("2 End", BOLD), size=12, gap=30)]), NOTHING)

    assert [(p.kind, p.text[:60], p.page) for p in document.sections[0].paragraphs] == [
        ("p", "It begins here and goes on here until it ends on the next pa", 1),
        ("footnote", "1 A note at the foot of the page.", 1),
        ("p", "Another begins. Words of running text fill this line from th", 2),
    ]


def test_kinds_of_paragraphs():
    page = Page(1).put(("1 Introduction", BOLD), size=12).prose(2, gap=20)
    page.put("• The first of the items of a list").put("• The second of the items of a list")
    page.put(("Theorem 1.", BOLD), (" All is well.", ITALIC), gap=20)
    page.put(("Proof.", ITALIC), " It is seen at once.", gap=20)
    page.put(("x = y + z", MATH), indent=150, gap=20)
    page.prose(2, gap=20)
    code = Font("CMTT10", is_bold=False, is_italic=False)
    page.put(("print(1)", code), gap=20).put(("print(2)", code))
    pages = made([page.put(("2 End", BOLD), size=12, gap=30)])

    paragraphs = document_of(pages, NOTHING).sections[0].paragraphs

    assert [p.kind for p in paragraphs] == [
        *("p", "list", "list", "theorem", "proof", "equation", "p", "code")
    ]
    assert paragraphs[-1].text == "print(1)\nprint(2)"


def test_a_number_at_the_end_of_a_bracket_begins_no_list():
    page = (
        Page(1).put(("1 Introduction", BOLD), size=12).put("It is shown there (see Table", gap=20)
    )
    page.put("2) and allows more.").put(("2 End", BOLD), size=12, gap=30)

    paragraphs = document_of(made([page]), NOTHING).sections[0].paragraphs

    assert [p.text for p in paragraphs] == ["It is shown there (see Table 2) and allows more."]


def test_a_compound_at_the_end_of_a_row_keeps_its_hyphen_and_no_blank():
    page = Page(1).put(("1 Introduction", BOLD), size=12).put("All of it is self-", gap=20)
    page.put("attention, as they say.").put(("2 End", BOLD), size=12, gap=30)

    document = document_of(made([page]), NOTHING)

    assert document.sections[0].paragraphs[0].text == "All of it is self-attention, as they say."


def test_a_letter_without_headings_is_one_section_without_a_title():
    page = Page(1).put(("A Letter", BOLD), size=17).prose(20, gap=40)

    sections = document_of(made([page]), NOTHING).sections

    assert [(s.id, s.level, s.number, s.title) for s in sections] == [("s0", 1, None, "")]
    assert sections[0].characters > 1_000


def test_no_pages_and_empty_pages_make_an_empty_document():
    assert document_of([], NOTHING).sections == ()
    assert document_of([PageLayout(1, (0, 0, 0, 0), ())], NOTHING).references == ()


_FONTS = st.sampled_from([ROMAN, BOLD, ITALIC, SMALL_CAPS, MATH, Font("", False, False)])
_FLOATS = st.floats(0, 800) | st.floats()
_TEXTS = st.sampled_from(
    ["1 Introduction", "References", "[1] A. B", "Abstract", "Contents", "Figure 1: x", "2.1 A b"]
) | st.text(min_size=1, max_size=60)
_PLACES = st.builds(Target, st.integers(-1, 9), st.none() | _FLOATS, st.none() | _FLOATS)


@st.composite
def _lines(draw: st.DrawFn) -> Line:
    text, font = draw(_TEXTS), draw(_FONTS)
    x, y, size = draw(_FLOATS), draw(_FLOATS), draw(_FLOATS)
    cut = draw(st.integers(0, len(text)))
    spans = (Span(0, font, size, x, y, True), Span(cut, draw(_FONTS), size, x, y, True))
    pieces = (text[:cut], text[cut:])
    return Line(text, x, y, x + draw(_FLOATS), y + size, y, size, font, True, spans, pieces)


_NAVIGATIONS = st.builds(
    Navigation,
    st.lists(st.builds(Bookmark, _TEXTS, st.integers(1, 4), st.none() | _PLACES)).map(tuple),
    st.lists(
        st.builds(
            Destination,
            st.sampled_from(["section.1", "subsection.1.1", "section*.2", "cite.a", "section.A.x"])
            | st.text(),
            _PLACES,
        )
    ).map(tuple),
    st.lists(
        st.builds(Link, st.integers(0, 9), st.tuples(*[_FLOATS] * 4), st.just("doi.org/10.1000/x"))
    ).map(tuple),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(_lines(), max_size=12), max_size=4), _NAVIGATIONS)
def test_whatever_a_file_claims_a_document_comes_of_it(pages, navigation):
    layouts = [
        PageLayout(number, (0, 0, 612, 792), tuple(lines)) for number, lines in enumerate(pages, 1)
    ]

    document = document_of(layouts, navigation)

    ids = [section.id for section in document.sections]
    assert len(ids) == len(set(ids))
    assert all(
        isinstance(paragraph.page, int) for s in document.sections for paragraph in s.paragraphs
    )


@pytest.mark.parametrize("lie", [math.nan, math.inf, -math.inf, 1e300, -5.0, 0.0])
@pytest.mark.parametrize("what", ["size", "x0", "y0", "x1", "baseline"])
def test_sizes_and_places_that_cannot_be_do_no_harm(lie, what):
    pages = paper("1 Introduction", "2 Results", "3 Conclusion")
    first = pages[0].lines[2]
    spans = tuple(span._replace(size=lie, x0=lie, baseline=lie) for span in first.spans)
    lines = [line._replace(**{what: lie}, spans=spans) for line in pages[0].lines[:4]]
    pages[0] = replace(pages[0], lines=(*lines, *pages[0].lines))

    assert [s.title for s in document_of(pages, NOTHING).sections if s.title] == [
        *("Introduction", "Results", "Conclusion")
    ]


def _hostile(*texts: str, count: int, font: Font = ROMAN) -> list[PageLayout]:
    """`count` rows that repeat `texts`, a thousand a page, after a heading of references."""
    lines = Page(1).put(("1 Introduction", BOLD), size=12).put(("References", BOLD), size=12).lines
    for at in range(count):
        text, y = texts[at % len(texts)], 700 - 0.7 * (at % 1_000)
        span = (Span(0, font, 10.0, 72.0, y, True),)
        lines.append(Line(text, 72, y, 500, y + 8, y, 10.0, font, True, span, (text,)))
    starts = range(0, len(lines), 1_000)
    return [
        PageLayout(n, (0, 0, 612, 792), tuple(lines[start : start + 1_000]))
        for n, start in enumerate(starts, 1)
    ]


def _seconds(pages: list[PageLayout], navigation: Navigation = NOTHING) -> float:
    began = time.process_time()
    document_of(pages, navigation)
    return time.process_time() - began


def test_references_without_end_cost_no_more_than_the_bound_on_rows(monkeypatch):
    monkeypatch.setattr(flow, "MAX_ROWS", 3_000)
    pages = _hostile("[1] A. Author, 1999.", "[2] B. Author, 1999.", count=20_000)

    assert len(flow.flow_of(pages).rows) < 4_000
    assert len(document_of(pages, NOTHING).references) <= 4_000


def test_hostile_pages_end_in_time():
    bookmarks = tuple(Bookmark("Introduction to it", 1, Target(1, 72, 500)) for _ in range(300))
    cites = tuple(
        Destination(name, Target(1 + at % 3, 72, 500.0))
        for at in range(2_000)
        for name in (f"cite.{at}", f"section.{at}", f"section*.{at}")
    )
    links = tuple(Link(1, (70, 400, 90, 410), "https://doi.org/10.1000/x") for _ in range(20_000))
    navigation = Navigation(bookmarks, cites, links)
    cases = [
        _hostile("[1] A. Author, 1999.", count=10_000),
        _hostile("Contents", "1", "2", count=10_000),
        _hostile("1 Introduction", "References", count=10_000, font=BOLD),
        _hostile("Figure 1: x", "Introduction to that", count=10_000),
        _hostile(". " * 2_000, "x" * 5_000, count=100),
    ]

    spent = [_seconds(pages, navigation) for pages in cases]

    assert max(spent) < 60, spent  # seconds of CPU; without bounds it is hours
    assert not any(map(math.isnan, spent))
