"""Case 124: glued words are split, and superscripts keep their rank."""

import pytest

from tests.extraction.made_pdf import Put, font, lines, pdf, text_of

FONTS = {"F2": font(b"Times-Roman"), "SY": font(b"CMSY7")}


@pytest.mark.parametrize("gap", [60, 80, 100, 120, 160, 200])
def test_words_apart_by_a_narrow_blank_are_split(gap):
    blank = b") -%d (" % gap
    text = blank.join([b"[(most", b"of", b"the", b"methods", b"will", b"then", b"fail.", b"So)]"])

    made = pdf([Put(text, font="F2"), *lines(b"another line of words", y=600.0)], fonts=FONTS)

    assert text_of(made) == "most of the methods will then fail. So\nanother line of words"


def test_a_letter_spaced_word_stays_whole():
    text = b"[(a) -80 (i) -80 (a) -80 (i) -80 (a) -80 (i) -80 (a)]"  # words, each letter

    assert text_of(pdf([Put(text, font="F2")], fonts=FONTS)) == "aiaiaia"


def test_parts_that_are_no_words_are_not_split():
    text = b"[(qzx) -80 (vvkj) -80 (wq)]"

    assert text_of(pdf([Put(text, font="F2")], fonts=FONTS)) == "qzxvvkjwq"


def test_kerning_and_names_split_nothing():
    made = pdf([Put(b"[(Schr) 20 (oding) -30 (erish)]", font="F2")], fonts=FONTS)

    assert text_of(made) == "Schrodingerish"


def raised(base: bytes, script: bytes, behind: bytes = b"", name: str = "F2") -> list[Put]:
    """`script` smaller and above the baseline, close behind `base`."""
    x = 72.0 + 5 * len(base)
    puts = [Put(base, font="F2"), Put(script, x, 703.6, name, 7.0)]
    return [*puts, Put(behind, x + 3.5 * len(script), font="F2")] if behind else puts


@pytest.mark.parametrize(
    ("puts", "text"),
    [
        (raised(b"about 10", b"3", b" times"), "about 10^3 times"),
        (raised(b"about 10", b"-3", b" times"), "about 10^{-3} times"),
        (raised(b"our method", b"1", b" is"), "our method^1 is"),
        (raised(b"Smith", b"1,2", b", Jones"), "Smith^{1,2}, Jones"),
        (raised(b"the 19", b"th", b" one"), "the 19^{th} one"),
        (raised(b"so x", b"n"), "so x^n"),
        ([Put(b"1", 72.0, 703.6, "F2", 6.0), Put(b"A note", 75.5, 700.0, "F2", 8.0)], "^1A note"),
    ],
)
def test_superscripts_keep_their_rank(puts, text):
    assert text_of(pdf(puts, fonts=FONTS)) == text


def test_what_stands_lower_or_is_as_large_is_no_superscript():
    low = [Put(b"H", font="F2"), Put(b"2", 77.0, 698.0, "F2", 7.0), Put(b"O", 80.5, font="F2")]
    small_capitals = [Put(b"T", font="F2"), Put(b"HE", 77.0, 700.0, "F2", 7.0)]

    assert "^" not in text_of(pdf(low, small_capitals, fonts=FONTS))


def test_a_fraction_is_no_superscript():
    puts = [
        Put(b"is", font="F2"),
        Put(b"1", 83.0, 703.9, "F2", 7.0),
        Put(b"2", 83.0, 696.0, "F2", 7.0),
        Put(b"of", 88.0, font="F2"),
    ]

    assert "^" not in text_of(pdf(puts, fonts=FONTS))


def test_the_line_goes_on_behind_a_superscript():
    sentence = raised(b"Solar System planets", b"3", b". These orbit")
    made = pdf([*sentence, *lines(b"closer to their stars", y=688.0)], fonts=FONTS)

    assert text_of(made) == "Solar System planets^3. These orbit\ncloser to their stars"
