"""Case 122: accents that stand apart are composed with their letters, by position."""

import pytest

from tests.extraction.made_pdf import Put, font, lines, pdf, text_of

ACUTE, DIERESIS, CEDILLA, MACRON = rb"\264", rb"\250", rb"\270", rb"\257"


def word(head: bytes, accent: bytes, tail: bytes, x: float = 72.0, y: float = 700.0) -> list[Put]:
    """A word whose accent is a text of its own over the first letter of `tail`."""
    middle = x + 5 * len(head)
    parts = [Put(accent, middle, y, "F2"), Put(tail, middle, y, "F2")]
    return [Put(head, x, y, "F2"), *parts] if head else parts


FONTS = {
    "F2": font(b"Times-Roman", b"180/acute 168/dieresis 184/cedilla 175/macron 245/dotlessi"),
}


@pytest.mark.parametrize(
    ("head", "accent", "tail", "whole"),
    [
        (b"Hern", ACUTE, b"andez", "Hernández"),
        (b"Universit", DIERESIS, b"at", "Universität"),
        (b"Mart", ACUTE, rb"\365nez", "Martínez"),
        (b"Fran", CEDILLA, b"cois", "François"),
        (b"", DIERESIS, b"Uber", "Über"),
    ],
)
def test_an_accent_over_its_letter_is_composed(head, accent, tail, whole):
    made = pdf([*word(head, accent, tail), *lines(b"and a line below", y=680.0)], fonts=FONTS)

    assert text_of(made) == f"{whole}\nand a line below"


def test_the_blank_between_words_stays():
    made = pdf([*word(b"", ACUTE, b"ecole"), Put(b"normale", 72.0 + 27.5, font="F2")], fonts=FONTS)

    assert text_of(made) == "école normale"


def test_a_letter_without_a_composed_form_gets_the_combining_character():
    made = pdf(word(b"an ", MACRON, b"q"), fonts=FONTS)

    assert text_of(made) == "an q\u0304"


def test_an_accent_over_nothing_stays_as_it_is():
    made = pdf([Put(b"alone", font="F2"), Put(ACUTE, 200.0, font="F2")], fonts=FONTS)

    assert text_of(made) == "alone ´"


def test_signs_of_programs_are_no_accents():
    made = pdf(lines(b"x = y^2 in `code` of ~user"))

    assert text_of(made) == "x = y^2 in `code` of ~user"
