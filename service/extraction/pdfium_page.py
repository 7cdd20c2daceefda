"""PDFium's text page, read in bulk: characters, text objects, fonts, positions.

The only module here that knows PDFium. A call through ctypes costs more than
what PDFium does in it, so calls are made in bulk by `map` over plain
prototypes: about 0.3 µs a character instead of 1.3 µs. Nothing is asked for every
character of a page but its text; boxes are read for the stretches
that a repair asks for.

What PDFium gives, as seen in version 159: blanks and line ends that it adds
have no text object or a zero-width box; a hyphen that breaks a word at the end of a line
is U+FFFE, without a line end behind it; a character that the font does not
explain is its own code, and has the mark of a "map error"; the text is in some
pages shorter than the list of characters.
"""

import ctypes
import re
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, compress, count, repeat
from operator import mul, ne
from typing import Any, NamedTuple

import pypdfium2
from pypdfium2 import raw

from service.extraction.layout import Font, Span

BROKEN_WORD = "\ufffe"  # PDFium's mark where a hyphen broke a word at the end of a line
MAX_SPANS = 20_000  # a page of more is read as one span a line

MAX_FONT_NAME = 256  # bytes
MAX_KNOWN_FONTS = 1024
NO_FONT = Font("", is_bold=False, is_italic=False)

_POINTER, _INT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
MAX_GAPS = 64  # a text that lacks more characters is read one by one
_BROKEN_CODE = 2  # the same mark where characters are asked for one by one
_BLANK_MORE = (1).__add__  # a word's length → the distance to the next
_LINES = re.compile(
    rf"[^\s{BROKEN_WORD}](?:[^\r\n{BROKEN_WORD}]*[^\s{BROKEN_WORD}])?{BROKEN_WORD}?"
)
_BROKEN_WORD = re.compile(BROKEN_WORD)
_PAIRS = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SUBSET = re.compile(r"^(?:[A-Z]{6}\+|[A-Z]{6}[^\x00-\x7f]{1,3})+")  # also as cairo cuts it
_BOLD_NAME = re.compile(
    r"bold|black|heavy|demi|medi(?!um)|^cmb|^cmmib|^cmssbx|^(?:sf|ec)(?:bx|rb|sx|bi)\d|^lin\w+tb",
    re.IGNORECASE,
)
_ITALIC_NAME = re.compile(
    r"ital|obli|slant|^cm\w{0,2}(?:ti|sl|mi)|^(?:sf|ec)(?:ti|sl|bi)\d|^lin\w+ti", re.IGNORECASE
)


_NAME_ROOM = ctypes.create_string_buffer(MAX_FONT_NAME)
_KNOWN_FONTS: dict[bytes, Font] = {}


def _prototype(name: str, result: type, *arguments: type) -> Callable[..., Any]:
    """PDFium's function as a plain C prototype: addresses as integers, no conversions.

    The interpreter's lock is kept meanwhile: giving it up costs as much as the call.
    """
    address = ctypes.cast(getattr(raw, name), _POINTER).value or 0
    return ctypes.PYFUNCTYPE(result, *arguments)(address)


# Called with a ready c_void_p and integers that fit a C int, these need no conversion
# by declared types, which is a third of a call.
_unicode = _prototype("FPDFText_GetUnicode", ctypes.c_uint)
_char_index = _prototype("FPDFText_GetCharIndexFromTextIndex", _INT)
_map_error = _prototype("FPDFText_HasUnicodeMapError", _INT)
_object = _prototype("FPDFText_GetTextObject", _POINTER)
_font_size = _prototype("FPDFText_GetFontSize", ctypes.c_double)
_matrix = _prototype("FPDFText_GetMatrix", _INT)
_loose_box = _prototype("FPDFText_GetLooseCharBox", _INT)
_ink_box = _prototype("FPDFText_GetCharBox", _INT, _POINTER, _INT, *repeat(_POINTER, 4))
_font = _prototype("FPDFTextObj_GetFont", _POINTER, _POINTER)
_font_name = _prototype("FPDFFont_GetBaseFontName", _SIZE, _POINTER, _POINTER, _SIZE)


class Box(NamedTuple):
    """A rectangle in user space: x to the right, y upwards."""

    x0: float
    y0: float
    x1: float
    y1: float


_new_box = partial(tuple.__new__, Box)  # what Box._make does, in C
_new_span = partial(tuple.__new__, Span)


class LineSpans(NamedTuple):
    """Characters `start` to `end` of one line, no blanks around, and its spans in order."""

    start: int
    end: int
    box: Box
    spans: list[Span]


class Chars(list[str]):
    """Characters that repairs change; `changed` has the indexes where they did."""

    __slots__ = ("changed",)

    def __init__(self, characters: Iterable[str]) -> None:
        super().__init__(characters)
        self.changed: list[int] = []

    def __setitem__(self, at: Any, value: Any) -> None:  # noqa: ANN401 - as list has it
        super().__setitem__(at, value)
        if isinstance(at, slice):
            self.changed += range(*at.indices(len(self)))
        else:
            self.changed.append(at)


@dataclass(slots=True)
class Characters:
    """The characters of an open page, and where they stand.

    `text` is as PDFium has it. Repairs change `chars`, one item for each of its
    characters: an item may become empty or several characters, indexes stay.
    What stands between lines belongs to none.
    """

    owner: pypdfium2.PdfTextPage  # what `handle` belongs to, kept open
    handle: ctypes.c_void_p
    text: str
    chars: Chars
    lines: list[LineSpans]
    alphabet: frozenset[str]  # of `text`: which repairs have something to do
    unknown: int = 0  # characters that no rule explains

    def boxes(self, start: int, end: int) -> list[Box]:
        """Each character's box from its origin over its advance width, ascent and descent."""
        return _loose_boxes(self.handle, range(start, end))

    def edges(self, places: Sequence[int]) -> "array[float]":
        """The same boxes as four numbers each: left, top, right, bottom."""
        return _floats(_loose_box, self.handle, places, 4)

    def ink_boxes(self, start: int, end: int) -> list[Box]:
        """Each character's box around its glyph."""
        room = array("d", bytes(32 * (end - start)))
        first = room.buffer_info()[0]
        places = (range(first + 8 * at, first + 8 * at + 32 * (end - start), 32) for at in range(4))
        deque(map(_ink_box, repeat(self.handle), range(start, end), *places), maxlen=0)
        return [Box(x0, y0, x1, y1) for x0, x1, y0, y1 in zip(*[iter(room)] * 4, strict=True)]

    def is_unmapped(self, at: int) -> bool:
        """True when the font does not say which character it is: then it is its code."""
        return bool(_map_error(self.handle, at) == 1)


def read_characters(text_page: pypdfium2.PdfTextPage) -> Characters:
    """The characters of a text page that stays open as long as boxes are asked for."""
    handle = ctypes.cast(text_page.raw, _POINTER)
    text = _text_of(text_page.raw, handle)
    bounds = [line.span() for line in _LINES.finditer(text)]
    starts = _object_starts(handle, text, bounds)
    chars = Chars(text)
    alphabet = frozenset(text)
    if BROKEN_WORD in alphabet:
        for broken in _BROKEN_WORD.finditer(text):
            chars[broken.start()] = "-"
    if not text.isascii():
        for pair in _PAIRS.finditer(text):
            chars[pair.start() : pair.end()] = [_united(pair[0]), ""]
    lines = _lines(handle, bounds, starts)
    return Characters(text_page, handle, text, chars, lines, alphabet)


def _united(pair: str) -> str:
    """The one character that two surrogates stand for."""
    return pair.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _text_of(raw_page: raw.FPDF_TEXTPAGE, handle: ctypes.c_void_p) -> str:
    """One character for each of PDFium's, even where it leaves some out of its text.

    PDFium's are UTF-16 units where the PDF says so: then those beyond come as two surrogates.
    """
    count = max(raw.FPDFText_CountChars(raw_page), 0)
    room = (ctypes.c_ushort * (count + 1))()
    written = raw.FPDFText_GetText(raw_page, 0, count, room)
    units = bytes(room)[: 2 * max(written - 1, 0)]
    text = units.decode("utf-16-le", "replace")
    if 2 * len(text) != len(units):
        text = "".join(map(chr, memoryview(units).cast("H")))
    if len(text) == count:
        return text
    missing, last = count - len(text), len(text) - 1
    if 0 < missing <= MAX_GAPS and last >= 0 and _char_index(handle, last) - last == missing:
        return _with_gaps_filled(text, count, handle)
    return _one_by_one(handle, range(count))


def _with_gaps_filled(text: str, count: int, handle: ctypes.c_void_p) -> str:
    """`text` with the characters that PDFium left out of it, found by bisection."""
    pieces, start, gap = [], 0, 0
    while start < len(text):
        stop = bisect_right(
            range(len(text)), gap, start, key=lambda at: _char_index(handle, at) - at
        )
        after = _char_index(handle, stop) - stop if stop < len(text) else count - len(text)
        pieces += [text[start:stop], _one_by_one(handle, range(stop + gap, stop + after))]
        start, gap = stop, after
    return "".join(pieces)


def _one_by_one(handle: ctypes.c_void_p, places: range) -> str:
    """These characters, asked for one by one; the mark of a broken word is another there."""
    codes = map(_unicode, repeat(handle), places)
    return "".join(BROKEN_WORD if code == _BROKEN_CODE else _character(code) for code in codes)


def _character(code: int) -> str:
    """The character of a code that may be none."""
    return chr(code) if code < 0x110000 else "\ufffd"


def _object_starts(
    handle: ctypes.c_void_p, text: str, bounds: Sequence[tuple[int, int]]
) -> dict[int, Any]:
    """Where text objects begin, in order, and which; each line's start is among them.

    Asked are the ends of each line, in lines of several objects the first
    character of each word, and all characters before a word of another object:
    an object's characters stand together.
    """
    line_starts = [start for start, _ in bounds]
    firsts = _objects(handle, line_starts)
    lasts = _objects(handle, [end - 1 for _, end in bounds])
    places: list[int] = []
    line_ends: set[int] = set()
    for start, end in compress(bounds, map(ne, firsts, lasts)):
        words = text[start:end].split(" ")
        places += compress(accumulate(map(_BLANK_MORE, map(len, words)), initial=start), words)
        places.append(end - 1)
        line_ends.add(len(places) - 1)
    objects = _objects(handle, places)
    inside: list[int] = []
    for at in compress(count(), map(ne, objects, objects[1:])):
        if at not in line_ends:
            inside += range(places[at], places[at + 1] + 1)
    there = _objects(handle, inside)
    starts = dict(zip(line_starts, firsts, strict=True))
    for at in compress(count(1), map(ne, there[1:], there)):
        if there[at] and inside[at] == inside[at - 1] + 1:
            starts[inside[at]] = there[at]
    in_order = sorted(starts)
    return dict(zip(in_order, map(starts.__getitem__, in_order), strict=True))


def _objects(handle: ctypes.c_void_p, places: Sequence[int]) -> list[int | None]:
    """The text object at each place; None for what PDFium added."""
    return list(map(_object, repeat(handle), places))


def _lines(
    handle: ctypes.c_void_p, bounds: Sequence[tuple[int, int]], objects: Mapping[int, int | None]
) -> list[LineSpans]:
    """The lines with their spans."""
    if len(objects) > MAX_SPANS:
        objects = {start: objects[start] for start, _ in bounds}
    spans = _spans(handle, objects)
    starts = list(objects)
    begins = [bisect_left(starts, start) for start, _ in bounds]
    groups = map(spans.__getitem__, map(slice, begins, [*begins[1:], len(spans)]))
    first = _floats(_loose_box, handle, [start for start, _ in bounds], 4)
    last = _floats(_loose_box, handle, [end - 1 for _, end in bounds], 4)
    boxes = map(_new_box, zip(first[::4], first[3::4], last[2::4], first[1::4], strict=True))
    columns = ([start for start, _ in bounds], [end for _, end in bounds], boxes, groups)
    return list(map(partial(tuple.__new__, LineSpans), zip(*columns, strict=True)))


def _spans(handle: ctypes.c_void_p, objects: Mapping[int, int | None]) -> list[Span]:
    """The spans that begin at the keys of `objects`."""
    starts = list(objects)
    sizes = map(_font_size, repeat(handle), starts)
    m = _floats(_matrix, handle, starts, 6)
    a, b, c, d = m[::6], m[1::6], m[2::6], m[3::6]
    uprights: Iterable[bool] = repeat(True)
    scales: Iterable[float] = d
    if any(b) or any(c) or not (starts and min(a) > 0 and min(d) > 0):
        uprights = [y == 0 and x > 0 and z > 0 for x, y, z in zip(a, b, d, strict=True)]
        scales = [abs(x) + abs(y) for x, y in zip(c, d, strict=True)]
    scaled = map(mul, sizes, scales)
    columns = (starts, _fonts(objects.values()), scaled, m[4::6], m[5::6], uprights)
    return list(map(_new_span, zip(*columns, strict=False)))


def _loose_boxes(handle: ctypes.c_void_p, places: Sequence[int]) -> list[Box]:
    values = _floats(_loose_box, handle, places, 4)
    columns = (values[::4], values[3::4], values[2::4], values[1::4])  # left, top, right, bottom
    return list(map(_new_box, zip(*columns, strict=True)))


def _fonts(objects: Iterable[int | None]) -> list[Font]:
    """The font of each text object."""
    handles = list(map(_font, objects))  # None has none
    known = {handle: _read_font(handle) for handle in set(handles)}
    return list(map(known.__getitem__, handles))


def _read_font(handle: int | None) -> Font:
    """Its description; pages share fonts, so that a name is looked into once."""
    if not handle:
        return NO_FONT
    length = _font_name(handle, ctypes.addressof(_NAME_ROOM), MAX_FONT_NAME)
    name = _NAME_ROOM.raw[: max(0, min(length, MAX_FONT_NAME) - 1)]
    font = _KNOWN_FONTS.get(name)
    if font is None:
        if len(_KNOWN_FONTS) >= MAX_KNOWN_FONTS:
            _KNOWN_FONTS.clear()
        font = _KNOWN_FONTS[name] = _described(name)
    return font


def forget_fonts() -> None:
    """Start anew with the next document."""
    _KNOWN_FONTS.clear()


def _described(name: bytes) -> Font:
    """What the name tells; PDFium's weight and the flags call most of TeX's fonts bold."""
    plain = _SUBSET.sub("", name.decode("utf-8", "replace"))
    is_bold, is_italic = (bool(kind.search(plain)) for kind in (_BOLD_NAME, _ITALIC_NAME))
    return Font(plain, is_bold, is_italic)


def _floats(
    function: Callable[..., Any], handle: ctypes.c_void_p, places: Sequence[int], width: int
) -> "array[float]":
    """What `function` writes for each place: `width` C floats each (zeros where it fails)."""
    room = _ROOMS[width]
    room.make_fit(len(places))
    deque(map(function, repeat(handle), places, room.pointers), maxlen=0)
    return room.floats[: width * len(places)]


class _Room:
    """Memory that PDFium writes floats to, with a ready pointer to each group of them."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.floats = array("f")
        self.pointers: list[ctypes.c_void_p] = []

    def make_fit(self, groups: int) -> None:
        """Have room for so many groups, all zeros."""
        if groups > len(self.pointers):
            self.floats = array("f", bytes(4 * self._width * 2 * groups))
            first, step = self.floats.buffer_info()[0], 4 * self._width
            self.pointers = [ctypes.c_void_p(first + step * at) for at in range(2 * groups)]
        ctypes.memset(self.floats.buffer_info()[0], 0, 4 * self._width * groups)


_ROOMS = {4: _Room(4), 6: _Room(6)}
