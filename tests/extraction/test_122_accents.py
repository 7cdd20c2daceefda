"""Case 122: accents that stand apart are composed with their letters, by position."""

from pathlib import Path

import pytest

from tests.extraction.made_pdf import Put, font, lines, pdf, text_of

ACUTE, DIERESIS, CEDILLA, MACRON = rb"\264", rb"\250", rb"\270", rb"\257"
CARON, CIRCUMFLEX = rb"\317", rb"\303"
TEX = Path(__file__).parent / "tex"
IN_ALL_FONTS = [
    "Poincaré, Schrödinger, Erdős, Koči, Martínez, François, São Paulo, Über, théorème,",
    "École, Île, l’âme, Bănică, İstanbul, Jørgensen",
    "One Čech, two",
    "Žižek and Šafařík, Dvořák, Şahin, Ångström",
    "Dvořák, für, l’été and Čech, Erdős and André",
    "Wałȩsa, a lemma",
]


def word(head: bytes, accent: bytes, tail: bytes, x: float = 72.0, y: float = 700.0) -> list[Put]:
    """A word whose accent is a text of its own over the first letter of `tail`."""
    middle = x + 5 * len(head)
    parts = [Put(accent, middle, y, "F2"), Put(tail, middle, y, "F2")]
    return [Put(head, x, y, "F2"), *parts] if head else parts


FONTS = {
    "F2": font(
        b"Times-Roman",
        b"180/acute 168/dieresis 184/cedilla 175/macron 245/dotlessi 207/caron 195/circumflex",
    ),
    "MI": font(b"CMMI10"),
    "EX": font(b"CMEX10"),
}


@pytest.mark.parametrize(
    ("head", "accent", "tail", "whole"),
    [
        (b"Hern", ACUTE, b"andez", "Hernández"),
        (b"Universit", DIERESIS, b"at", "Universität"),
        (b"Mart", ACUTE, rb"\365nez", "Martínez"),
        (b"Fran", CEDILLA, b"cois", "François"),
        (b"", DIERESIS, b"Uber", "Über"),
        (b"l'", CIRCUMFLEX, b"ame", "l’âme"),
        (b"Dvo", CARON, b"rak", "Dvořak"),
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


@pytest.mark.parametrize(("accent", "sign"), [(CARON, "ˇ"), (CIRCUMFLEX, "ˆ")])
def test_an_accent_that_is_a_letter_by_its_category_does_not_stand_on_itself(accent, sign):
    made = pdf([Put(b"alone", font="F2"), Put(accent, 200.0, font="F2")], fonts=FONTS)

    assert text_of(made) == f"alone {sign}"


def test_an_accent_that_comes_at_the_end_of_the_line_finds_its_letter():
    made = pdf(
        [Put(b"One Cech, two", font="F2"), Put(CARON, 72.0 + 20, 701.5, font="F2")], fonts=FONTS
    )

    assert text_of(made) == "One Čech, two"


def test_the_arrow_of_a_vector_stands_behind_its_letter_or_by_itself():
    over = pdf(
        [Put(b"q", 67.0, font="MI"), Put(b"~", 72.0, 703.0, "MI"), Put(b"v", font="MI")],
        fonts=FONTS,
    )
    alone = pdf([Put(b"q", 67.0, font="MI"), Put(b"~", 72.0, 740.0, "MI")], fonts=FONTS)

    assert text_of(over).endswith("v\u20d7")
    assert "\u20d7" not in text_of(alone)


def test_what_tex_prints_with_type_1_fonts_is_composed():
    text = text_of((TEX / "accents.pdf").read_bytes())

    assert text.split("\n") == [
        *IN_ALL_FONTS,
        "x̂ + v\u20d7 = ỹ for î and M̂ of Ñ",
    ]


def test_what_tex_prints_with_bitmaps_is_composed():
    text = text_of((TEX / "bitmaps.pdf").read_bytes()).replace("'", "’")

    # ø, a quotation mark and wide accents are codes there that no font explains
    assert text.split("\n")[:6] == [line.replace("ø", "") for line in IN_ALL_FONTS]


def test_signs_of_programs_are_no_accents():
    made = pdf(lines(b"x = y^2 in `code` of ~user"))

    assert text_of(made) == "x = y^2 in `code` of ~user"
