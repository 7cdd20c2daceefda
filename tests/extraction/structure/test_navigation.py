"""Outline, destinations and links are read as far as they are honest, and no further."""

import pypdfium2
import pytest

from service.extraction.structure import navigation
from service.extraction.structure.navigation import (
    Bookmark,
    Destination,
    Link,
    Target,
    read_bookmarks,
    read_destinations,
    read_links,
)
from tests.hostile import document

CATALOG = b"<</Type/Catalog/Pages 2 0 R%s>>"
PAGES = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]%s>>"
FIRST = 4  # the number of the first object behind the page


def pdf(*objects: bytes, catalog: bytes = b"", page: bytes = b"") -> pypdfium2.PdfDocument:
    """One page, and `objects` from number 4 on."""
    content = document(CATALOG % catalog, PAGES, PAGE % page, *objects)
    return pypdfium2.PdfDocument(content)


def outline(*items: bytes) -> pypdfium2.PdfDocument:
    """An outline whose items are objects 5, 6, …; the first is its first."""
    root = b"<</Type/Outlines/First 5 0 R/Last 5 0 R/Count 1>>"
    return pdf(root, *items, catalog=b"/Outlines 4 0 R")


def test_bookmarks_have_level_title_and_target():
    with outline(
        b"<</Title(One)/First 6 0 R/Last 6 0 R/Next 7 0 R/Dest[3 0 R/XYZ 72 700 0]>>",
        b"<</Title(One  one)/A<</S/GoTo/D[3 0 R/FitH 500]>>>>",
        b"<</Title(Nowhere)/A<</S/URI/URI(http://example.org)>>>>",
    ) as file:
        found = read_bookmarks(file.raw)

    assert found == (
        Bookmark("One", 1, Target(1, 72, 700)),
        Bookmark("One one", 2, Target(1, None, 500)),
        Bookmark("Nowhere", 1, None),
    )


@pytest.mark.parametrize(
    "loop",
    [
        [b"<</Title(a)/Next 5 0 R/First 5 0 R>>"],
        [b"<</Title(a)/Next 6 0 R>>", b"<</Title(a)/Next 5 0 R/First 5 0 R>>"],
        [b"<</Title(a)/First 6 0 R>>", b"<</Title(a)/First 5 0 R/Next 6 0 R>>"],
    ],
)
def test_an_outline_that_loops_names_each_entry_once(loop):
    with outline(*loop) as file:
        assert len(read_bookmarks(file.raw)) == len(loop)


def test_an_outline_of_any_depth_ends():
    items = [b"<</Title(a)/First %d 0 R>>" % (number + 6) for number in range(2_000)]

    with outline(*items) as file:
        assert len(read_bookmarks(file.raw)) == navigation.MAX_DEPTH


def test_an_outline_of_any_length_ends():
    items = [b"<</Title(a)/Next %d 0 R>>" % (number + 6) for number in range(5_000)]

    with outline(*items) as file:
        assert len(read_bookmarks(file.raw)) == navigation.MAX_BOOKMARKS


def test_an_endless_title_is_no_title():
    with outline(b"<</Title(%s)/Next 6 0 R>>" % (b"x" * 1_000_000), b"<</Title(b)>>") as file:
        assert [bookmark.title for bookmark in read_bookmarks(file.raw)] == ["b"]


def test_destinations_have_a_name_and_a_place():
    names = b"(cite.a)[3 0 R/XYZ 10 20 0](section.1)<</D[3 0 R/Fit]>>(x)[9 0 R/Fit]"
    with pdf(b"<</Names[%s]>>" % names, catalog=b"/Names<</Dests 4 0 R>>") as file:
        found = read_destinations(file.raw)

    assert found == (
        Destination("cite.a", Target(1, 10, 20)),
        Destination("section.1", Target(1)),
    )


@pytest.mark.parametrize(
    ("bound", "value", "left"), [("MAX_DESTINATIONS", 100, 100), ("_DESTINATIONS_SECONDS", -1, 0)]
)
def test_destinations_of_any_number_end(monkeypatch, bound, value, left):
    names = b"".join(b"(a%06d)[3 0 R/Fit]" % number for number in range(2_000))
    monkeypatch.setattr(navigation, bound, value)

    with pdf(b"<</Names[%s]>>" % names, catalog=b"/Names<</Dests 4 0 R>>") as file:
        assert len(read_destinations(file.raw)) == left


def test_links_have_their_box_and_only_those_to_uris_count():
    uri = b"<</Type/Annot/Subtype/Link/Rect[10 20 30 40]/A<</S/URI/URI(https://doi.org/10.1/x)>>>>"
    inner = b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/Dest[3 0 R/Fit]>>"
    with pdf(page=b"/Annots[%s%s]" % (inner, uri)) as file:
        page = file[0]
        found = read_links(file.raw, page.raw, 1)

    assert found == (Link(1, (10, 20, 30, 40), "https://doi.org/10.1/x"),)


def test_links_of_any_number_end():
    uri = b"<</Type/Annot/Subtype/Link/Rect[1 2 3 4]/A<</S/URI/URI(u)>>>>"
    with pdf(page=b"/Annots[%s]" % (uri * 3_000)) as file:
        page = file[0]

        assert len(read_links(file.raw, page.raw, 1)) == navigation.MAX_LINKS_PER_PAGE
