"""A page of arXiv's HTML as bytes: parsed within limits, its signs read, its document made."""

import re
from collections import Counter
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree
from lxml.etree import _Element

from service.extraction.html import displays, floats, inline, reference_items, structure
from service.extraction.html.builder import Builder
from service.extraction.html.characters import one_line
from service.extraction.html.limits import MAX_ATTRIBUTES, MAX_BYTES, MAX_TAGS, Unreadable
from service.extraction.html.roles import Role, class_tokens
from service.extraction.html.walk import Walk

Element = _Element

_MANY_ATTRIBUTES = re.compile(  # possessive throughout: no page costs more than its length
    rb"""<[A-Za-z][^\s>]{0,100}+
    (?:[\s/]++ [^\s/>="']{1,200}+ (?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"']++))?+ )
    """
    + b"{%d}" % (MAX_ATTRIBUTES + 1),
    re.VERBOSE,
)
_GENERATOR = re.compile(rb"<!--\s*(Generated[^>]{0,200}?LaTeXML[^>]{0,200}?)\s*-->")
_FATAL = b"Conversion to HTML had a Fatal error"  # ar5iv's notice, at the end of the page
_WATERMARK = re.compile(r"arXiv:\s*(\S+?)v(\d+)(?![\w.])")

HANDLERS = {
    Role.DROP: inline.drop,
    Role.ERROR: inline.error,
    Role.MATH: displays.formula,
    Role.NOTE: inline.note,
    Role.TITLE: structure.title,
    Role.SECTION: structure.section,
    Role.ABSTRACT: structure.abstract,
    Role.BIBLIOGRAPHY: structure.bibliography,
    Role.BIBITEM: reference_items.item,
    Role.LABEL: structure.label,
    Role.THEOREM: structure.theorem,
    Role.PROOF: structure.proof,
    Role.LIST: structure.list_block,
    Role.ITEM: structure.item,
    Role.EQUATION: displays.equation,
    Role.EQUATION_ROW: displays.equation_row,
    Role.FIGURE: floats.figure,
    Role.CAPTION: floats.caption,
    Role.LISTING: floats.listing,
    Role.LISTING_LINE: structure.block,
    Role.TABULAR: floats.table,
    Role.ROW: floats.row,
    Role.CELL: floats.cell,
    Role.RAISED: inline.raised,
    Role.BREAK: inline.line_break,
    Role.BLOCK: structure.block,
    Role.INLINE: inline.inline,
}


@dataclass(frozen=True, slots=True)
class Signs:
    """What a page says of itself, outside of the paper's text.

    `watermark` is (id, version) as printed, None if the page has none. `generator`
    and `licence` as printed. `is_fatal`: the converter says that it broke off.
    """

    html_title: str
    watermark: tuple[str, int] | None
    generator: str | None
    licence: str | None
    is_fatal: bool


def parse(data: bytes) -> _Element:
    """The element tree; raises Unreadable ("html_too_large", "html_unreadable").

    Nothing is fetched and no entity is expanded but HTML's own characters.
    """
    if len(data) > MAX_BYTES or data.count(b"<") > MAX_TAGS or _MANY_ATTRIBUTES.search(data):
        raise Unreadable("html_too_large")
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        tree = etree.fromstring(data, parser)
    except etree.LxmlError as err:
        raise Unreadable("html_unreadable") from err
    if tree is None:
        raise Unreadable("html_unreadable")
    return tree


def find_root(tree: _Element) -> _Element:
    """The element of the paper; raises Unreadable ("html_no_document")."""
    candidates = tree.iterfind(".//*[@class]")
    root = next((e for e in candidates if "ltx_document" in class_tokens(e)), None)
    if root is None:
        raise Unreadable("html_no_document")
    return root


def read_signs(data: bytes, tree: _Element) -> Signs:
    """What the page says of itself."""
    generator = _GENERATOR.search(data, 0, 100_000)
    title = next(tree.iter("title"), None)
    return Signs(
        html_title=" ".join((title.text or "").split())[:500] if title is not None else "",
        watermark=_watermark(_by_id(data, tree, "watermark-tr")),
        generator=one_line(generator.group(1).decode("utf-8", "replace")) if generator else None,
        licence=_by_id(data, tree, "license-tr").removeprefix("License: ")[:200] or None,
        is_fatal=_FATAL in data,
    )


def read_body(root: _Element) -> tuple[Builder, Counter[str]]:
    """All that the paper's element holds, and the counts of what was met; raises Unreadable."""
    builder = Builder()
    walk = Walk(builder, HANDLERS)
    walk.run(root)
    return builder, walk.counts


def _by_id(data: bytes, tree: _Element, wanted: str) -> str:
    if wanted.encode() not in data:
        return ""  # spares a walk over the whole tree
    found = tree.find(f".//*[@id='{wanted}']")
    return "" if found is None else one_line("".join(map(str, found.itertext())))


def _watermark(text: str) -> tuple[str, int] | None:
    match = _WATERMARK.search(unquote(text)[:200])
    return (match.group(1), int(match.group(2)[:6])) if match else None
