"""Case 123: characters of TeX's symbol fonts come as themselves, never as their codes."""

import pytest

from tests.extraction.made_pdf import Put, font, lines, pdf, text_of

FONTS = {
    "SY": font(b"CMSY10"),
    "TX": font(b"ABCDEF+txsys"),
    "MI": font(b"CMMI10"),
    "EX": font(b"CMEX10"),
    "MA": font(b"MSAM10"),
    "MB": font(b"MSBM10"),
    "CA": font(b"ABCDEF#E5#BC#ABCMSY10"),  # as cairo names its subsets
    "F2": font(b"Times-Roman"),
}


def shown(code: bytes, name: str, size: float = 10.0) -> str:
    """What becomes of `a`, the code in that font, and `b`."""
    puts = [
        Put(b"a", 72.0, font="F2"),
        Put(code, 77.0, font=name, size=size),
        Put(b"b", 77.0 + 5 * len(code), font="F2"),
    ]
    return text_of(pdf(puts, fonts=FONTS)).removeprefix("a").removesuffix("b").strip()


@pytest.mark.parametrize(
    ("code", "name", "character"),
    [
        (b"hxi", "SY", "⟨x⟩"),
        (b"hxi", "CA", "⟨x⟩"),
        (b"0", "SY", "′"),
        (b"2", "SY", "∈"),
        (b"k", "SY", "∥"),
        (b"'", "SY", "≃"),
        (b">", "SY", "⊤"),
        (b"A", "SY", "A"),
        (b"{|}", "SY", "{|}"),
        (b"`", "MI", "ℓ"),
        (b"@", "MI", "∂"),
        (b"x,y.", "MI", "x,y."),
        (b"P", "EX", "∑"),
        (b"Z", "EX", "∫"),
        (rb"\(", "EX", "("),
        (b"6", "MA", "⩽"),
        (b"R", "MB", "R"),
        (b"*", "MB", "⊈"),
        (b"h0", "F2", "h0"),
    ],
)
def test_a_code_becomes_its_character(code, name, character):
    expected = character.replace("x", "") if name in ("SY", "CA") else character

    assert shown(code.replace(b"x", b"") if name in ("SY", "CA") else code, name) == expected


@pytest.mark.parametrize("name", ["TX", "SY", "CA"])
def test_two_primes_are_seconds_of_arc_and_no_zeros(name):
    puts = [
        Put(b"within 5", font="F2"),
        Put(b"00", 72.0 + 40, 703.6, name, 7.0),
        Put(b" of it", 72.0 + 47, font="F2"),
    ]

    assert text_of(pdf(puts, fonts=FONTS)) == "within 5″ of it"


def test_a_stroke_and_the_sign_behind_it_are_one():
    puts = [Put(b"a", font="F2"), Put(b"6", 80.0, font="SY"), Put(b"=", 80.0, font="F2")]

    assert text_of(pdf([*puts, Put(b"b", 90.0, font="F2")], fonts=FONTS)) == "a ≠ b"


def test_a_bar_and_the_arrow_behind_it_are_one():
    puts = [Put(b"x", font="F2"), Put(b"7!", 82.0, font="SY"), Put(b"y", 97.0, font="F2")]

    assert text_of(pdf(puts, fonts=FONTS)) == "x ↦ y"


def test_angle_brackets_that_only_their_glyphs_names_tell():
    names = b"<</Type/Encoding/Differences[104/angbracketleft 105/angbracketright]>>"
    fonts = {"F3": b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding %s>>" % names}

    assert text_of(pdf(lines(rb"\150x\151", font="F3"), fonts=fonts)) == "⟨x⟩"


def test_characters_that_unicode_has_twice_have_one_form():
    names = b"1/uni2329 2/uni232A 3/uni2016 4/uniFB03 5/uni3008 6/uni00B4"
    fonts = {"F3": font(b"Times-Roman", names)}

    assert (
        text_of(pdf(lines(rb"\1x\2 \3x\3 o\4ce \5", font="F3"), fonts=fonts)) == "⟨x⟩ ∥x∥ office ⟨"
    )
