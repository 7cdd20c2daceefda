"""What is read of a page: lines, boxes, sizes and fonts, whatever way the PDF says them."""

import pypdfium2
import pytest

from service.extraction.layout import Line, PageLayout
from service.extraction.text import finish_pages, read_page
from tests import hostile
from tests.extraction.made_pdf import Put, font, lines, pdf, text_of


def layout_of(content: bytes) -> PageLayout:
    document = pypdfium2.PdfDocument(content)
    try:
        return finish_pages([read_page(document[0], 1, set())])[0]
    finally:
        document.close()


def only_line(content: bytes) -> Line:
    (line,) = layout_of(content).lines
    return line


def test_a_line_has_its_place_its_size_and_its_font():
    line = only_line(pdf([Put(b"a bold word", 72.0, 700.0, "BX")], fonts={"BX": font(b"CMBX10")}))

    assert (line.text, line.font.name, line.is_bold) == ("a bold word", "CMBX10", True)
    assert (line.size, line.baseline) == (10.0, 700.0)
    assert line.x0 == pytest.approx(72.0)
    assert line.x1 == pytest.approx(72.0 + 11 * 5.0, abs=0.5)
    assert line.y0 < 700.0 < line.y1


def test_the_size_is_multiplied_by_the_matrix():
    content = b"BT /F1 1 Tf 12 0 0 12 72 700 Tm (scaled) Tj ET"

    line = only_line(hostile.page(content, filters=b"[]"))

    assert line.size == pytest.approx(12.0)


def test_runs_hold_the_text_of_a_line_as_repaired():
    puts = [
        Put(b"see h", font="F2"),
        Put(b"x", 97.0, 703.6, "F2", 7.0),
        Put(b"B", 104.0, font="BX"),
    ]

    line = only_line(pdf(puts, fonts={"BX": font(b"CMBX10")}))

    assert "".join(run.text for run in line.runs) == line.text
    assert [(run.text.strip(), run.font.is_bold) for run in line.runs] == [
        ("see h", False),
        ("^x", False),
        ("B", True),
    ]


def test_text_up_the_margin_is_not_upright():
    content = b"BT /F1 10 Tf 0 1 -1 0 20 300 Tm (sideways) Tj ET"

    assert not only_line(hostile.page(content, filters=b"[]")).is_upright


@pytest.mark.parametrize("name", [b"ABCDEF+CMR10", b"ABCDEF#E5#BC#ABCMR10"])
def test_subset_prefixes_are_no_part_of_a_fonts_name(name):
    line = only_line(pdf([Put(b"word", font="F3")], fonts={"F3": font(name)}))

    assert line.font.name == "CMR10"


def test_what_stands_behind_a_character_beyond_utf_16_stands_where_it_is():
    fonts = {"F3": font(b"Times-Roman", b"1/u1D465")}
    puts = [*lines(rb"\1\1\1\1 and 10", font="F3"), Put(b"3", 72.0 + 55, 703.6, "F2", 7.0)]

    assert text_of(pdf(puts, fonts=fonts)) == "\U0001d465\U0001d465\U0001d465\U0001d465 and 10^3"


def test_private_characters_that_hide_ligatures_are_resolved_by_the_words():
    fonts = {"F3": font(b"Times-Roman", b"1/uniE000 2/uniE001")}
    puts = lines(rb"the \1rst signi\1cant de\1nition", rb"of a sym\2ol", font="F3")

    assert text_of(pdf(puts, fonts=fonts)) == "the first significant definition\nof a sym\ue001ol"


def test_the_first_word_behind_a_broken_word_has_a_font_of_its_own():
    puts = [
        Put(b"bold", font="BX"),
        Put(b"and hyphen-", 97.0, font="F2"),
        Put(b"ated", 72.0, 688.0, "IT"),
        Put(b"and goes on", 97.0, 688.0, "F2"),
    ]
    fonts = {"BX": font(b"CMBX10"), "IT": font(b"CMTI10")}

    *_, line = layout_of(pdf(puts, fonts=fonts)).lines

    assert [(run.text.strip(), run.font.is_italic) for run in line.runs] == [
        ("", True),
        ("and goes on", False),
    ]
