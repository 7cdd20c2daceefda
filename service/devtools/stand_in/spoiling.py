"""Putting into an XML answer what XML forbids, as arXiv's answers have had it now and then."""

import re

# Two character references that name no character, a vertical tab, U+FFFF, and a NUL.
ILLEGAL = b"&#x1;&#xD800;\x0b\xef\xbf\xbf\x00"
_FIRST_TITLE = re.compile(rb"<(?:entry|record)>.*?<(?:dc:)?title>", re.DOTALL)


def with_illegal_characters(body: bytes, junk: bytes = b"") -> bytes:
    """`body` with `junk` (none: ILLEGAL) at the beginning of its first paper's title.

    A body without papers stays as it is.
    """
    return _FIRST_TITLE.sub(lambda match: match[0] + (junk or ILLEGAL), body, count=1)
