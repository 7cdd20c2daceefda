"""Headings as publishers and classes of documents set them, without outline or destinations."""

import pytest

from service.extraction.layout import Font
from service.extraction.structure.flow import flow_of
from service.extraction.structure.headings import headings_of
from service.extraction.structure.navigation import Navigation
from tests.extraction.structure.layouts import BOLD, ITALIC, ROMAN, SMALL_CAPS, Page, made

STYLES: dict[str, list[tuple[str, Font, float, int]]] = {
    "IEEE": [
        ("I. INTRODUCTION", SMALL_CAPS, 10, 1),
        ("II. RELATED WORK", SMALL_CAPS, 10, 1),
        ("A. First Things", ITALIC, 10, 2),
        ("B. Second Things", ITALIC, 10, 2),
        ("III. RESULTS", SMALL_CAPS, 10, 1),
        ("A. Data", ITALIC, 10, 2),
        ("IV. CONCLUSION", SMALL_CAPS, 10, 1),
        ("ACKNOWLEDGMENT", SMALL_CAPS, 10, 1),
        ("REFERENCES", SMALL_CAPS, 10, 0),
    ],
    "MNRAS": [
        ("1 INTRODUCTION", BOLD, 9, 1),
        ("2 DATA", BOLD, 9, 1),
        ("2.1 The survey", BOLD, 9, 2),
        ("2.1.1 Its parts", ITALIC, 9, 3),
        ("2.2 Errors", BOLD, 9, 2),
        ("3 RESULTS", BOLD, 9, 1),
        ("ACKNOWLEDGEMENTS", BOLD, 9, 1),
        ("REFERENCES", BOLD, 9, 0),
        ("APPENDIX A: MORE", BOLD, 9, 1),
    ],
    "A&A": [
        ("1. Introduction", BOLD, 11, 1),
        ("2. Observations", BOLD, 11, 1),
        ("2.1. Data reduction", ITALIC, 11, 2),
        ("2.2. Sample", ITALIC, 11, 2),
        ("3. Conclusions", BOLD, 11, 1),
        ("References", BOLD, 11, 0),
        ("Appendix A: Tables", BOLD, 11, 1),
    ],
    "LNCS": [
        ("1 Introduction", BOLD, 12, 1),
        ("2 Related Work", BOLD, 12, 1),
        ("2.1 A Thing", BOLD, 10, 2),
        ("2.2 Another Thing", BOLD, 10, 2),
        ("References", BOLD, 12, 0),
        ("A Proof of Things", BOLD, 12, 1),
        ("B Other Things", BOLD, 12, 1),
    ],
    "Elsevier": [
        ("1. Introduction", BOLD, 10, 1),
        ("2. Methods", BOLD, 10, 1),
        ("2.1. Sampling", ITALIC, 10, 2),
        ("3. Results", BOLD, 10, 1),
        ("Declaration of competing interest", BOLD, 10, 1),
        ("Appendix A. More", BOLD, 10, 1),
        ("References", BOLD, 10, 0),
    ],
    "AMS": [
        ("1. Introduction", SMALL_CAPS, 10, 1),
        ("2. Main theorem", SMALL_CAPS, 10, 1),
        ("2.1. Setup", BOLD, 10, 2),
        ("3. Proofs", SMALL_CAPS, 10, 1),
        ("References", SMALL_CAPS, 10, 0),
    ],
    "without numbers": [
        ("Introduction", BOLD, 11, 1),
        ("Results", BOLD, 11, 1),
        ("A finding about it", BOLD, 10, 2),
        ("Another finding", BOLD, 10, 2),
        ("Discussion", BOLD, 11, 1),
        ("Methods", BOLD, 11, 1),
        ("Sample preparation", BOLD, 10, 2),
        ("References", BOLD, 11, 0),
    ],
    "capitals": [
        ("INTRODUCTION", ROMAN, 10, 1),
        ("THE MODEL", ROMAN, 10, 1),
        ("RESULTS", ROMAN, 10, 1),
        ("REFERENCES", ROMAN, 10, 0),
    ],
    "all in one type": [
        ("1. Introduction", ROMAN, 10, 1),
        ("2. The Model", ROMAN, 10, 1),
        ("3. Conclusions", ROMAN, 10, 1),
        ("Acknowledgements", ROMAN, 10, 1),
        ("References", ROMAN, 10, 0),
    ],
    "paragraph signs": [
        ("§1. Introduction", BOLD, 10, 1),
        ("§2. Main theorem", BOLD, 10, 1),
        ("§3. Proofs", BOLD, 10, 1),
        ("References", BOLD, 10, 0),
    ],
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("columns", [1, 2])
def test_headings_of_a_style_are_found_at_their_levels(style, columns):
    page = Page(1).put("A Title of the Paper", size=22)
    page.put("Abstract—We do things in this paper, and more things.", gap=30).prose(3)
    pages = [page]
    for number, (text, font, size, _) in enumerate(STYLES[style]):
        if number and number % 4 == 0:
            pages.append(Page(len(pages) + 1))
        if columns == 2 and number % 4 == 2:
            pages[-1].column(330)
        pages[-1].put((text, font), size=size, gap=24).prose(6, gap=16)

    found = headings_of(flow_of(made(pages)), Navigation()).found

    levels = [(h.page, 0 if h.role else h.level) for h in found]
    assert levels == [
        (number // 4 + 1, level) for number, (_, _, _, level) in enumerate(STYLES[style])
    ]
    assert all(
        h.title and text.endswith(h.title)
        for h, (text, *_) in zip(found, STYLES[style], strict=True)
    )
