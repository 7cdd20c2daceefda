"""Accents that TeX sets apart, composed with their letters by where both stand.

TeX's old encodings have no accented letters: it prints the accent and the letter on the
same spot, and the text of the PDF has them one behind the other, in either
order and with blanks between: `Hern´andez`, `Universit¨at`, `Hern andez ´`. The
letter is the one whose glyph stands under (a cedilla: over) the accent's.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator

from service.extraction.layout import Span
from service.extraction.lexicon import is_common
from service.extraction.pdfium_page import Box, Characters, LineSpans

_COMBINING = {
    "´": "\u0301",
    "ˊ": "\u0301",
    "`": "\u0300",
    "ˋ": "\u0300",
    "ˆ": "\u0302",
    "^": "\u0302",
    "˜": "\u0303",
    "~": "\u0303",
    "¨": "\u0308",
    "¯": "\u0304",
    "ˉ": "\u0304",
    "˘": "\u0306",
    "˙": "\u0307",
    "˚": "\u030a",
    "ˇ": "\u030c",
    "˝": "\u030b",
    "¸": "\u0327",
    "˛": "\u0328",
    **{mark: mark for mark in "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c"},
    **{mark: mark for mark in "\u0327\u0328\u20d7"},  # as they come apart: ⃗ is TeX's \\vec
}
_OF_BITMAPS = {  # TeX's codes of accents, in fonts that have no names: those made of bitmaps
    "\x12": "\u0300",
    "\x13": "\u0301",
    "\x14": "\u030c",
    "\x15": "\u0306",
    "\x16": "\u0304",
    "\x17": "\u030a",
    "\x18": "\u0327",
    "_": "\u0307",
    "}": "\u030b",
    "\x7f": "\u0308",
}
_MARKS = _COMBINING | _OF_BITMAPS
_BELOW = frozenset("¸˛\u0327\u0328\x18")
_ACCENT = re.compile("[" + re.escape("".join(_MARKS)) + "]")
_DOTLESS = {"ı": "i", "ȷ": "j", "\x10": "i", "\x11": "j"}
_ALONE = {"\u0302": "ˆ", "\u0303": "˜", "\u20d7": "→"}  # lest the letter before gets them
_STROKED = {"l": "ł", "L": "Ł"}
_STROKE = re.compile(" (?=[lL])")
_NEAR = 4  # characters around an accent that are tried before its whole line
_MAX_GAP = 0.4  # of the size, between the glyphs of accent and letter
_MAX_OVERLAP = 0.35  # of the size, that an accent reaches into its letter's height
_MAX_SHIFT = 0.3  # of the size, between their centres; slanted letters need it
_MAX_WORD_GAP = 0.12  # of the size; a wider one is a blank
_MAX_TORN_GAP = 0.3  # of the size; up to that it is none if it leaves no words


def compose_accents(page: Characters) -> None:
    """Put each accent that stands apart on its letter; what fits no letter stays."""
    _stroke_letters(page)
    places = [at for at in page.chars.changed if page.chars[at] in _COMBINING]  # found by fonts
    if not page.alphabet.isdisjoint(_MARKS):
        places += [found.start() for found in _ACCENT.finditer(page.text)]
    starts = [line.start for line in page.lines]
    for at in places:
        number = bisect_right(starts, at) - 1
        if page.chars[at] not in _MARKS or number < 0 or at >= page.lines[number].end:
            continue
        if page.chars[at] in _OF_BITMAPS and _span_at(page.lines[number], at).font.name:
            continue
        letter = _letter_of(page, number, at)
        if letter is not None:
            _compose(page, page.lines[number], at, letter)
        elif page.chars[at] != page.text[at]:
            page.chars[at] = _ALONE.get(page.chars[at], page.chars[at])


def _stroke_letters(page: Characters) -> None:
    """ł, which TeX's old fonts draw as a stroke, whose code is that of a blank, and an l."""
    for found in _STROKE.finditer(page.text):
        at = found.start()
        if page.is_unmapped(at):
            stroke, letter = page.ink_boxes(at, at + 2)
            if stroke.x0 < letter.x1 and letter.x0 < stroke.x1:
                page.chars[at], page.chars[at + 1] = "", _STROKED[page.text[at + 1]]


def _letter_of(page: Characters, number: int, at: int) -> int | None:
    """Where the letter stands that the accent at `at` belongs to."""
    line = page.lines[number]
    size = _size_at(line, at)
    accent = page.ink_boxes(at, at + 1)[0]
    for start, end in _stretches(page, number, at):
        best, nearest = None, 1.0
        for place, box in enumerate(page.ink_boxes(start, end), start):
            if _is_letter(page.chars[place]):
                distance = _distance(accent, box, size, is_below=page.chars[at] in _BELOW)
                if distance < nearest:
                    best, nearest = place, distance
        if best is not None:
            return best
    return None


def _is_letter(text: str) -> bool:
    """True for what may carry an accent; some accents are letters by their category."""
    return (text.isalnum() and text not in _COMBINING) or text in _DOTLESS


def _stretches(page: Characters, number: int, at: int) -> Iterator[tuple[int, int]]:
    """Where the letter is looked for: near by, in the line, in the lines around."""
    line = page.lines[number]
    yield max(line.start, at - _NEAR), min(line.end, at + _NEAR)
    yield line.start, line.end
    for other in (number + 1, number - 1):
        if 0 <= other < len(page.lines):
            yield page.lines[other].start, page.lines[other].end


def _distance(accent: Box, letter: Box, size: float, *, is_below: bool) -> float:
    """How far the accent is from this letter, 1 and more: too far."""
    if letter.x1 <= letter.x0:
        return 1.0
    shift = abs(accent.x0 + accent.x1 - letter.x0 - letter.x1) / 2
    gap = letter.y0 - accent.y1 if is_below else accent.y0 - letter.y1
    is_in_height = -_MAX_OVERLAP * size < gap < _MAX_GAP * size
    is_wide = accent.x1 - accent.x0 > 2.5 * (letter.x1 - letter.x0) + 0.1 * size
    if not is_in_height or is_wide or shift > _MAX_SHIFT * size:
        return 1.0
    return (shift + 0.2 * abs(gap)) / size


def _span_at(line: LineSpans, at: int) -> Span:
    return line.spans[bisect_right([span.start for span in line.spans], at) - 1]


def _size_at(line: LineSpans, at: int) -> float:
    return _span_at(line, at).size


def _compose(page: Characters, line: LineSpans, at: int, letter: int) -> None:
    base = page.chars[letter]
    mark = _MARKS[page.chars[at]]
    page.chars[letter] = unicodedata.normalize("NFC", _DOTLESS.get(base, base) + mark)
    page.chars[at] = ""
    size = _size_at(line, at)
    for place in {at, letter, letter + 1}:
        _close_gap(page, place, size)


def _close_gap(page: Characters, place: int, size: float) -> None:
    """Take out the blanks that are there because of the accent; one stays between words."""
    left, right = place - 1, place
    while left >= 0 and _is_empty(page, left):
        left -= 1
    while right < len(page.chars) and _is_empty(page, right):
        right += 1
    blanks = [at for at in range(left + 1, right) if page.chars[at]]
    if not blanks or left < 0 or right == len(page.chars) or page.text[right] in "\r\n":
        return
    gap = (page.boxes(right, right + 1)[0].x0 - page.boxes(left, left + 1)[0].x1) / size
    is_word_end = gap > _MAX_TORN_GAP or gap < -_MAX_TORN_GAP
    if not is_word_end and gap > _MAX_WORD_GAP:
        is_word_end = not _is_torn(page, left, right)
    for at in blanks[is_word_end:]:
        page.chars[at] = ""


def _is_empty(page: Characters, at: int) -> bool:
    return not page.chars[at].strip() and page.text[at] not in "\r\n"


def _is_torn(page: Characters, left: int, right: int) -> bool:
    """True when what ends at `left` and begins at `right` are no words, but parts of one."""
    before, after = left, right
    while before > 0 and page.text[before - 1].isalpha():
        before -= 1
    while after + 1 < len(page.text) and page.text[after + 1].isalpha():
        after += 1
    head, tail = page.text[before : left + 1], page.text[right : after + 1]
    is_plain = head.isascii() and tail.isascii() and tail.islower() and len(tail) > 1
    return is_plain and not is_common(head.lower()) and not is_common(tail)
