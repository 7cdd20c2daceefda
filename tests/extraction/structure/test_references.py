"""A list of references is split into the items that are printed."""

import math

import pytest

from service.extraction.structure.flow import flow_of
from service.extraction.structure.headings import headings_of
from service.extraction.structure.navigation import Bookmark, Destination, Link, Navigation, Target
from service.extraction.structure.references import references_of
from tests.extraction.structure.layouts import BOLD, Page, made

NAMES = ("Adams", "Baker", "Cantor", "Dirac", "Euler", "Fermi", "Gauss", "Hilbert", "Ising", "Jung")
FIRST = "{name}, A. and Other, B. A title of a paper that fills the whole row of"
SECOND = "this list, in a Journal of Things, 12, 345 (1999)."


def references(page: Page, navigation: Navigation = Navigation()):  # noqa: B008
    flow = flow_of(made([page]))
    return references_of(flow, headings_of(flow, navigation).found, navigation)


def begun(heading: str = "References") -> Page:
    page = Page(1).put(("1 Introduction", BOLD), size=12).prose(3, gap=20)
    page.put(("2 Conclusion", BOLD), size=12, gap=30).prose(3, gap=20)
    return page.put((heading, BOLD), size=12, gap=30) if heading else page


@pytest.mark.parametrize("label", ["[{}] ", "{}. ", "({}) ", "{}) "])
@pytest.mark.parametrize(
    "heading", ["References", "REFERENCES", "Bibliography", "Literature Cited"]
)
def test_labels_count_the_items_and_are_not_in_them(label, heading):
    page = begun(heading)
    for number, name in enumerate(NAMES, 1):
        page.put(label.format(number) + FIRST.format(name=name)).put(SECOND, indent=16)

    found = references(page)

    assert found.source == "labels"
    assert [item.key for item in found.items] == [str(n) for n in range(1, 11)]
    assert found.items[2].raw == f"{FIRST.format(name='Cantor')} {SECOND}"


def test_named_labels_are_labels():
    page = begun()
    for name in NAMES:
        page.put(f"[{name[:3]}99] {FIRST.format(name=name)}").put(SECOND, indent=16)

    assert [item.key for item in references(page).items] == [f"{name[:3]}99" for name in NAMES]


def test_a_number_that_begins_a_row_by_chance_is_no_label():
    page = begun()
    for number, name in enumerate(NAMES, 1):
        page.put(f"{number}. {FIRST.format(name=name)}").put("1984. In a Journal.", indent=16)
        page.put(f"{number + 4}. Edition of that, 1999.", indent=16)

    assert [item.key for item in references(page).items][:5] == ["1", "2", "3", "4", "5"]
    assert len(references(page).items) == 10


def test_hanging_items_begin_at_the_left_edge():
    page = begun()
    for name in NAMES:
        page.put(FIRST.format(name=name)).put("of one row and another", indent=12)
        page.put(SECOND, indent=12)

    found = references(page)

    assert found.source == "indent"
    assert [item.raw.split(",")[0] for item in found.items] == [*NAMES]
    assert all(item.key is None for item in found.items)


def test_items_may_be_indented_instead():
    page = begun()
    for name in NAMES:
        page.put(FIRST.format(name=name), indent=12).put("of one row and another").put(SECOND)

    assert [item.raw.split(",")[0] for item in references(page).items] == [*NAMES]


def test_items_may_be_apart_without_any_indent():
    page = begun()
    for name in NAMES:
        page.put(FIRST.format(name=name), gap=17).put("of one row and another").put(SECOND)

    found = references(page)

    assert found.source == "gap"
    assert [item.raw.split(",")[0] for item in found.items] == [*NAMES]


def test_hanging_items_go_on_in_the_next_column():
    page = begun()
    for at, name in enumerate(NAMES):
        if at == 5:
            page.column(330)
            page.put("the end of an item.", indent=12)
        page.put(FIRST.format(name=name)[:40]).put(SECOND[:30] + ".", indent=12)

    assert len(references(page).items) == 10


def test_a_list_without_heading_is_found_by_its_labels():
    page = begun("")
    for number, name in enumerate(NAMES, 1):
        page.put(f"[{number}] {FIRST.format(name=name)}").put(SECOND, indent=16)

    assert len(references(page).items) == 10


def test_what_follows_the_list_is_none_of_its_items():
    page = begun()
    for name in NAMES:
        page.put(FIRST.format(name=name)).put(SECOND, indent=12)
    page.put(("Affiliation:", BOLD), size=12, gap=30).put("Somewhere").put("In a Street", indent=12)
    page.put("Elsewhere").put("In a Street", indent=12)
    names = ("Introduction", "Conclusion", "References")
    outline = Navigation(bookmarks=tuple(Bookmark(name, 1, Target(1)) for name in names))

    items = references(page, outline).items

    assert [item.raw.split(",")[0] for item in items] == [*NAMES]
    assert "where" not in items[-1].raw


def test_a_row_whose_place_is_no_number_is_a_row_all_the_same():
    page = begun()
    for name in NAMES:
        page.put(FIRST.format(name=name)).put(SECOND, indent=12)
    page.lines[-1] = page.lines[-1]._replace(x0=math.nan, x1=math.nan)

    assert len(references(page).items) == 10


def cited(page: Page, starts: str = "ABCDEFGHIJ", rise: float = 10.0) -> Navigation:
    """A destination above each line that begins with a name, like hyperref's."""
    lines = [line for line in page.lines if line.text.startswith(NAMES)]
    places = [
        Destination(f"cite.{line.text[:4]}", Target(1, line.x0 - 12, line.baseline + rise))
        for line in lines
        if line.text[0] in starts
    ]
    return Navigation(destinations=tuple(places))


def test_destinations_tell_items_apart_that_nothing_else_does():
    page = begun()
    for name in NAMES:
        page.put(FIRST.format(name=name)).put("Of one row and another.").put(SECOND)

    found = references(page, cited(page))

    assert found.source == "destinations"
    assert [item.raw.split(",")[0] for item in found.items] == [*NAMES]


def test_destinations_before_the_list_begin_no_item():
    page = begun()
    page.lines[0:0] = Page(1).put("Adams said so", gap=0).lines
    for name in NAMES:
        page.put(FIRST.format(name=name)).put(SECOND, indent=12)

    assert len(references(page, cited(page)).items) == 10


def test_destinations_that_lie_are_not_believed():
    page = begun()
    for name in NAMES:
        page.put(FIRST.format(name=name)).put("and so on in the middle", indent=12)
        page.put(SECOND, indent=12)
    lies = [
        Destination(f"cite.{at}", Target(1, line.x0, line.baseline + 10))
        for at, line in enumerate(page.lines)
        if line.text.startswith("and so on")
    ]

    found = references(page, Navigation(destinations=tuple(lies)))

    assert found.source == "indent"
    assert [item.raw.split(",")[0] for item in found.items] == [*NAMES]


def test_printed_labels_beat_fewer_destinations():
    page = begun()
    for number, name in enumerate(NAMES, 1):
        page.put(f"[{number}] {FIRST.format(name=name)}").put(SECOND, indent=16)
    places = [
        Destination("cite.x", Target(1, line.x0, line.baseline + 10)) for line in page.lines[-6::2]
    ]

    assert len(references(page, Navigation(destinations=tuple(places))).items) == 10


def test_identifiers_come_from_the_text_whole_where_a_row_broke_them():
    page = begun()
    page.put("[1] Adams, A. A title of a paper, doi:10.1103/PhysRevD.").put("68.037502.", indent=16)
    page.put("[2] Baker, B. A title of a paper. arXiv:1706.").put("03762v2 [cs.CL].", indent=16)
    page.put("[3] Cantor, C. doi:10.1000/a.").put("URL https://example.org/12.", indent=16)

    assert [(item.doi, item.arxiv_id) for item in references(page).items] == [
        ("10.1103/physrevd.68.037502", None),
        (None, "1706.03762"),
        ("10.1000/a", None),
    ]


def test_identifiers_come_from_links_upon_the_item():
    page = begun()
    for number, name in enumerate(NAMES[:4], 1):
        page.put(f"[{number}] {name}, Phys. Rev. 12, 345 (1999).")
    y = page.lines[-3].baseline
    links = (
        Link(1, (590, y - 2, 600, y + 7), "https://doi.org/10.1000/elsewhere"),
        Link(1, (100, y - 2, 180, y + 7), "https://doi.org/10.1103/PhysRev.12.345"),
        Link(1, (190, y - 2, 220, y + 7), "http://arxiv.org/abs/hep-ph/0305012"),
        Link(2, (100, y - 2, 180, y + 7), "https://doi.org/10.1000/other.page"),
    )

    items = references(page, Navigation(links=links)).items

    assert [(item.doi, item.arxiv_id) for item in items] == [
        (None, None),
        ("10.1103/physrev.12.345", "hep-ph/0305012"),
        (None, None),
        (None, None),
    ]
