"""Safe XML parsing for arXiv's answers (Atom and OAI-PMH): bytes in, an lxml tree out.

The bytes are not trusted. A document type is refused outright, so there are no
entities to expand and no DTD to fetch; libxml2 bounds depth (256) and one text
(10 MB), this module the number of tags. Characters that XML does not allow, raw
or as references, are dropped and everything else kept: one such character in one
paper must not cost the whole page. An answer that is cut short stays an error.
"""

import re

from lxml import etree

from service.domain.errors import UpstreamFaulty
from service.domain.papers import single_spaced

MAX_TAGS = 1_000_000  # an Atom page of 2,000 entries has 150,000, 20,000 OAI headers 280,000

_WEB_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+)?html\b", re.I
)
_HEAD_BYTES = 1024  # how far into an answer the beginning of a web page is looked for
# Controls, surrogates in UTF-8, U+FFFE and U+FFFF (XML 1.0, production 2).
_UNXML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xed[\xa0-\xbf][\x80-\xbf]|\xef\xbf[\xbe\xbf]")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]+)|([0-9]+));")
_MAX_DIGITS = 10  # of a reference; one with more (zeros in front included) is dropped
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")


def parse(body: bytes) -> etree._Element:
    """The root of the document `body`, comments and processing instructions left out.

    Read as UTF-8 whatever it declares. Raises UpstreamFaulty for a web page, a
    document type, too many tags, and whatever is not well-formed but for its
    characters. About 10 ms a MB: big bodies belong in a thread.
    """
    _refuse(body)
    try:
        return _root(body)
    except etree.LxmlError:
        cleaned = _without_bad_characters(body)
    if cleaned == body:
        raise UpstreamFaulty("arXiv's answer is no well-formed XML")
    _refuse(cleaned)  # what was dropped may have hidden a document type
    try:
        return _root(cleaned)
    except etree.LxmlError as err:
        raise UpstreamFaulty("arXiv's answer is no well-formed XML") from err


def text_of(element: etree._Element | None) -> str:
    """All text in `element`, that of elements inside included, single spaced; "" for None."""
    if element is None:
        return ""
    if len(element):
        return single_spaced("".join(map(str, element.itertext())))
    return single_spaced(element.text or "")


def _refuse(body: bytes) -> None:
    if _WEB_PAGE.match(body, 0, _HEAD_BYTES):
        raise UpstreamFaulty("arXiv answered with a web page in place of XML")
    if b"<!DOCTYPE" in body or body.startswith(_UTF_16) or body.count(b"<") > MAX_TAGS:
        raise UpstreamFaulty("arXiv's answer is XML of a kind that we do not read")


def _root(body: bytes) -> etree._Element:
    """The tree of `body`; a fresh parser each time, for threads must not share one."""
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the document declares: the checks above saw all of it
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(body, parser)


def _without_bad_characters(body: bytes) -> bytes:
    return _REFERENCE.sub(_if_allowed, _UNXML.sub(b"", body))


def _if_allowed(reference: re.Match[bytes]) -> bytes:
    """The reference itself, or nothing when the character it names is none of XML's."""
    hexadecimal, decimal = reference.groups()
    digits = hexadecimal or decimal
    if len(digits) > _MAX_DIGITS:
        return b""
    code = int(digits, 16 if hexadecimal else 10)
    is_allowed = (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )
    return reference[0] if is_allowed else b""
