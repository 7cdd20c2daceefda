"""TeX's symbol fonts: codes that the PDF does not explain become their characters.

Such fonts come without a map to Unicode, and PDFium then gives a character's code as
if it were ASCII: ⟨ as `h`, ′ as `0`. A code is looked up in the font's encoding
where its font, known by name, has no such ASCII character: none of these fonts has
a digit 0, but many have braces. Composed symbols (a stroke and `=`, a bar and an
arrow, two primes) become one; characters that Unicode has twice get one form.
"""

import re
import unicodedata
from functools import cache
from itertools import compress, count
from typing import NamedTuple

from service.extraction import tex_encodings
from service.extraction.pdfium_page import Characters

_FONT_NAMES = re.compile(
    r"(?P<OMS>cmb?sy|lmsy|lmmathsymbols|[tp]xb?sys)"
    r"|(?P<OML>cmmi|lmmi|lmmathitalic|r?[tp]xb?mi(?!a)|newtxb?mi(?!a))"
    r"|(?P<OMX>cmex|lmex|lmmathextension|[tp]xb?ex(?!a))"
    r"|(?P<AMS_A>msam|[tp]xb?sya)"
    r"|(?P<AMS_B>msbm|[tp]xb?syb)"
    r"|(?P<OT1>cm(?:r|bx|b|ti|bxti|sl|bxsl|ss|ssbx|ssi|u|csc|dunh)\d)"
    r"|(?P<T1>(?:sf|ec)[a-z]{2}\d{4})",
    re.IGNORECASE,
)
_OWN_ASCII = {  # what a font of the family may have under its own ASCII code
    "OMS": re.compile(r"[A-Z|{}\\]"),
    "OML": re.compile(r"[A-Za-z0-9.,/<>]"),
    "OMX": re.compile(r"[()\[\]{}|/\\]"),
    "AMS_A": re.compile(r"(?!)"),
    "AMS_B": re.compile(r"[A-Zk]"),
    "OT1": re.compile(r"[ -~]"),
    "T1": re.compile(r"[ -~]"),
}
_NEEDS_THE_MARK = frozenset({"OMX", "AMS_B"})  # a bracket's code may be another bracket's
_TEXT_FONTS = frozenset({"OT1", "T1"})
_QUOTES = {"’": 0x27, "‘": 0x60}  # what PDFium makes of these codes where it knows no encoding
STROKE = "\u0338"  # TeX's \\not: combines with the relation behind it
MAPS_TO = "↦"  # TeX draws its bar, then an arrow
PRIME = "′"
_MORE_PRIMES = {"′": "″", "″": "‴"}
_REACH = 3  # characters, blanks included, from a stroke to its relation

_ONE_FORM = str.maketrans(
    {
        "\u3008": "⟨",
        "\u3009": "⟩",
        "\u2329": "⟨",
        "\u232a": "⟩",
        "\u2016": "∥",
        "\u2010": "-",
        "\u2011": "-",
        "\u00a0": " ",
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        "\uf6be": "ȷ",
        "\uf8e6": "⏐",
        "\uf8e7": "⎯",
        "\uf8f5": "⎮",
        **{chr(0xF730 + digit): str(digit) for digit in range(10)},  # old-style digits
        **{chr(0xF761 + at): chr(0x61 + at) for at in range(26)},  # small capitals
        **dict(zip(map(chr, range(0xF8EB, 0xF8F5)), "⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪", strict=True)),
        **dict(zip(map(chr, range(0xF8F6, 0xF8FF)), "⎞⎟⎠⎤⎥⎦⎫⎬⎭", strict=True)),
    }
)
_TWICE = frozenset(map(chr, _ONE_FORM))
_TWO_FORMS = re.compile("[" + "".join(_TWICE) + "]")
_MEMBER_SLASH = re.compile("∈ ?/")
_SUSPECT_H = re.compile(r"(?<![A-Za-z])h(?=.{1,60}i)")


class _Family(NamedTuple):
    """A kind of font: its encoding, what is looked up in it, what of it only if unmapped."""

    encoding: str
    suspect: re.Pattern[str]
    if_unmapped: re.Pattern[str]


@cache
def _families() -> dict[str, _Family]:
    """The kinds of fonts by name; made once, when the first page is read."""
    families = {}
    for name, own in _OWN_ASCII.items():
        encoding = getattr(tex_encodings, name)
        wanted = [
            chr(code)
            for code, character in enumerate(encoding)
            if chr(code) != character != " " != chr(code)
        ]
        never = re.compile(r"(?!)")
        if name not in _NEEDS_THE_MARK:
            wanted = [code for code in wanted if not own.fullmatch(code)]
        quotes = "" if name in _TEXT_FONTS else "".join(_QUOTES)
        suspect = re.compile("[" + re.escape("".join(wanted)) + quotes + "]")
        families[name] = _Family(encoding, suspect, own if name in _NEEDS_THE_MARK else never)
    return families


@cache
def _family(font_name: str) -> _Family | None:
    found = _FONT_NAMES.match(font_name)
    return _families()[found.lastgroup] if found and found.lastgroup else None


class _FamilyOfFont(dict[str, _Family | None]):
    """Name of a font → its family, looked up once: a page has hundreds of spans in few fonts."""

    def __missing__(self, name: str) -> _Family | None:
        family = self[name] = _family(name)
        return family


def repair_symbols(page: Characters) -> None:
    """Replace what TeX's fonts left as codes, and give each character its one form."""
    combining: list[int] = []
    family_of = _FamilyOfFont()
    for line in page.lines:
        spans = line.spans
        families = [family_of[span[1].name] for span in spans]
        for at in compress(count(), families):
            end = spans[at + 1].start if at + 1 < len(spans) else line.end
            family = families[at]
            if family is not None and family.suspect.search(page.text, spans[at].start, end):
                combining += _look_up(page, family, spans[at].start, end)
    for at in combining:
        if page.chars[at] == STROKE:
            _strike_out(page, at)
        elif page.chars[at] == MAPS_TO:
            _drop_next(page, at, "→⟶")
    if not page.alphabet.isdisjoint(_TWICE):
        for found in _TWO_FORMS.finditer(page.text):
            at = found.start()
            if page.chars[at] == found[0]:
                page.chars[at] = found[0].translate(_ONE_FORM)
    if "∈" in page.alphabet:
        _strike_out_members(page)
    _bracket_angles(page)


def _look_up(page: Characters, family: _Family, start: int, end: int) -> list[int]:
    """Replace the codes from `start` to `end`; returns where signs stand that combine."""
    combining = []
    for found in family.suspect.finditer(page.text, start, end):
        at, code = found.start(), found[0]
        if family.if_unmapped.fullmatch(code) and not page.is_unmapped(at):
            continue
        character = family.encoding[_QUOTES.get(code, ord(code) & 0x7F)]
        page.chars[at] = character
        if character in (STROKE, MAPS_TO):
            combining.append(at)
        elif character == PRIME and at and page.chars[at - 1] in _MORE_PRIMES:
            page.chars[at] = _MORE_PRIMES[page.chars[at - 1]]
            page.chars[at - 1] = ""
    return combining


def _strike_out(page: Characters, at: int) -> None:
    """Combine the stroke at `at` with the relation behind it."""
    for behind in range(at + 1, min(at + 1 + _REACH, len(page.chars))):
        character = page.chars[behind]
        if character and not character.isspace():
            if unicodedata.category(character[0]) == "Sm":
                page.chars[behind] = unicodedata.normalize("NFC", character + STROKE)
                page.chars[at] = ""
            return


def _strike_out_members(page: Characters) -> None:
    """∉, which TeX draws as ∈ with a slash over it."""
    for found in _MEMBER_SLASH.finditer(page.text):
        member, slash = found.start(), found.end() - 1
        boxes = page.boxes(member, member + 1) + page.boxes(slash, slash + 1)
        if page.chars[slash] == "/" and boxes[1].x0 < (boxes[0].x0 + boxes[0].x1) / 2:
            page.chars[member] = "∉"
            page.chars[member + 1 : slash + 1] = [""] * (slash - member)


def _drop_next(page: Characters, at: int, characters: str) -> None:
    """Empty the next character when it is one of `characters`."""
    for behind in range(at + 1, min(at + 1 + _REACH, len(page.chars))):
        if page.chars[behind] in characters:
            page.chars[behind] = ""
        if not page.chars[behind].isspace():
            return


def _bracket_angles(page: Characters) -> None:
    """⟨ and ⟩ by their codes `h` and `i`, where a font explains letters but not these two.

    PDFium does not know the names `angbracketleft` and `angbracketright`.
    """
    for found in _SUSPECT_H.finditer(page.text):
        at = found.start()
        if page.chars[at] != "h" or not page.is_unmapped(at):
            continue
        letters = [i for i in range(at + 1, min(at + 62, len(page.text))) if page.text[i].isalpha()]
        close = next((i for i in letters if page.is_unmapped(i)), None)
        if close is not None and page.text[close] == "i" and close != letters[0]:
            page.chars[at], page.chars[close] = "⟨", "⟩"
