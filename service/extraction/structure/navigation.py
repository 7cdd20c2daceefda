"""PDF navigation: outline (bookmarks), named destinations and URI links of a file.

What LaTeX's hyperref and its like leave in a PDF beside its text, read through
PDFium's raw API. The tables are the file's own claims: each may lie, loop or be
of any length, so every walk here has a bound in count, depth or time, and what lies
beyond it is left out. Positions are in the page's user space, y upwards, the
same as in `service/extraction/layout.py`.
"""

import ctypes
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import pypdfium2.raw as pdfium_c

Handle: TypeAlias = Any  # a raw pointer of PDFium's: a document, a page, a bookmark, …

MAX_BOOKMARKS = 1_000
MAX_DEPTH = 12  # LaTeX knows seven
MAX_DESTINATIONS = 20_000
MAX_LINKS_PER_PAGE = 2_000
MAX_TEXT_BYTES = 4_096  # of a title, a name or a URI; longer ones are no such thing
_DESTINATIONS_SECONDS = 0.5  # PDFium finds the n-th name by counting from the first


@dataclass(frozen=True, slots=True)
class Target:
    """A place in the file: page from 1, and x and y of it where the file says them."""

    page: int
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline; `level` counts from 1; `target` is None if it leads nowhere."""

    title: str
    level: int
    target: Target | None


@dataclass(frozen=True, slots=True)
class Destination:
    """A named place, such as hyperref's `section.3`, `cite.knuth97` or `figure.2`."""

    name: str
    target: Target


@dataclass(frozen=True, slots=True)
class Link:
    """A link annotation to a URI, and its box (x0, y0, x1, y1) on page `page`."""

    page: int
    box: tuple[float, float, float, float]
    uri: str


@dataclass(frozen=True, slots=True)
class Navigation:
    """All of it; `links` in order of pages."""

    bookmarks: tuple[Bookmark, ...] = ()
    destinations: tuple[Destination, ...] = ()
    links: tuple[Link, ...] = ()


def read_navigation(document: Handle, links: Iterable[Link]) -> Navigation:
    """All of a raw PDFium document, with the links that its pages gave while they were open."""
    return Navigation(read_bookmarks(document), read_destinations(document), tuple(links))


def read_bookmarks(document: Handle) -> tuple[Bookmark, ...]:
    """The outline of a raw PDFium document, in order; loops and all beyond the bounds cut off."""
    found: list[Bookmark] = []
    seen: set[int | None] = set()
    stack = [(pdfium_c.FPDFBookmark_GetFirstChild(document, None), 1)]
    while stack and len(found) < MAX_BOOKMARKS:
        bookmark, level = stack.pop()
        if not bookmark or _address(bookmark) in seen:
            continue
        seen.add(_address(bookmark))
        title = _title(bookmark)
        if title:
            found.append(Bookmark(title, level, _bookmark_target(document, bookmark)))
        stack.append((pdfium_c.FPDFBookmark_GetNextSibling(document, bookmark), level))
        if level < MAX_DEPTH:
            child = pdfium_c.FPDFBookmark_GetFirstChild(document, bookmark)
            stack.append((child, level + 1))
    return tuple(found)


def read_destinations(document: Handle) -> tuple[Destination, ...]:
    """The named destinations of a raw PDFium document, those that lead to a page."""
    count = min(pdfium_c.FPDF_CountNamedDests(document), MAX_DESTINATIONS)
    end = time.monotonic() + _DESTINATIONS_SECONDS
    found = []
    for index in range(count):
        if index % 64 == 0 and time.monotonic() > end:
            break
        named = _named_destination(document, index)
        if named is not None:
            found.append(named)
    return tuple(found)


def read_links(document: Handle, page: Handle, number: int) -> tuple[Link, ...]:
    """The URI links of a loaded raw PDFium page, the `number`th, in the file's order."""
    return tuple(_links(document, page, number))


def _links(document: Handle, page: Handle, number: int) -> Iterator[Link]:
    position, link, box = ctypes.c_int(0), pdfium_c.FPDF_LINK(), pdfium_c.FS_RECTF()
    for _ in range(MAX_LINKS_PER_PAGE):
        if not pdfium_c.FPDFLink_Enumerate(page, position, link):
            return
        action = pdfium_c.FPDFLink_GetAction(link)
        if not action or pdfium_c.FPDFAction_GetType(action) != pdfium_c.PDFACTION_URI:
            continue
        uri = _text(pdfium_c.FPDFAction_GetURIPath, document, action).decode("utf-8", "replace")
        if uri and pdfium_c.FPDFLink_GetAnnotRect(link, box):
            yield Link(number, (box.left, box.bottom, box.right, box.top), uri.rstrip("\0"))


def _bookmark_target(document: Handle, bookmark: Handle) -> Target | None:
    dest = pdfium_c.FPDFBookmark_GetDest(document, bookmark)
    if not dest:
        action = pdfium_c.FPDFBookmark_GetAction(bookmark)
        if action and pdfium_c.FPDFAction_GetType(action) == pdfium_c.PDFACTION_GOTO:
            dest = pdfium_c.FPDFAction_GetDest(document, action)
    return _target(document, dest)


def _named_destination(document: Handle, index: int) -> Destination | None:
    size = ctypes.c_long(0)
    pdfium_c.FPDF_GetNamedDest(document, index, None, size)
    if not 0 < size.value <= MAX_TEXT_BYTES:
        return None
    buffer = ctypes.create_string_buffer(size.value)
    target = _target(document, pdfium_c.FPDF_GetNamedDest(document, index, buffer, size))
    return Destination(_utf16(buffer.raw), target) if target else None


def _target(document: Handle, dest: Handle) -> Target | None:
    """Where a PDFium destination leads, None if to no page of this file."""
    page = pdfium_c.FPDFDest_GetDestPageIndex(document, dest) if dest else -1
    if page < 0:
        return None
    count, numbers = ctypes.c_ulong(0), (ctypes.c_float * 4)()
    view = pdfium_c.FPDFDest_GetView(dest, count, numbers)
    match view, count.value:
        case pdfium_c.PDFDEST_VIEW_XYZ, _:
            return Target(page + 1, *_location(dest))
        case ((pdfium_c.PDFDEST_VIEW_FITH | pdfium_c.PDFDEST_VIEW_FITBH), 1):
            return Target(page + 1, None, numbers[0])
        case pdfium_c.PDFDEST_VIEW_FITR, 4:  # left, bottom, right, top
            return Target(page + 1, numbers[0], numbers[3])
        case _:
            return Target(page + 1)


def _location(dest: Handle) -> tuple[float | None, float | None]:
    has = [ctypes.c_int(0) for _ in range(3)]
    at = [ctypes.c_float(0) for _ in range(3)]
    if not pdfium_c.FPDFDest_GetLocationInPage(dest, *has, *at):
        return None, None
    return (at[0].value if has[0].value else None), (at[1].value if has[1].value else None)


def _title(bookmark: Handle) -> str:
    return " ".join(_utf16(_text(pdfium_c.FPDFBookmark_GetTitle, bookmark)).split())


def _text(call: Callable[..., int], *arguments: Handle) -> bytes:
    """The bytes of a PDFium call that fills a buffer; empty when there are too many."""
    size = call(*arguments, None, 0)
    if not 0 < size <= MAX_TEXT_BYTES:
        return b""
    buffer = ctypes.create_string_buffer(size)
    call(*arguments, buffer, size)
    return buffer.raw


def _utf16(raw: bytes) -> str:
    return raw.decode("utf-16-le", "replace").rstrip("\0")


def _address(bookmark: Handle) -> int | None:
    return ctypes.cast(bookmark, ctypes.c_void_p).value
