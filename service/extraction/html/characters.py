"""Unicode normalisation of text taken from HTML: NFC, no controls, plain hyphens and ligatures."""

import re
import unicodedata

_SPACE = re.compile(r"\s+")
_DROPPED = "\u00ad\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\ufffe\uffff"
_PLAIN = {
    **dict.fromkeys(map(ord, _DROPPED)),
    **dict.fromkeys([*range(9), *range(14, 32), *range(127, 160)]),
    0x2010: "-",  # the hyphen of its own code point; the keyboard's is the usual one
    0x2329: "\u27e8",
    0x232A: "\u27e9",
    **{0xFB00 + i: text for i, text in enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"))},
}
_UNKNOWN = re.compile("[\ufffd\ue000-\uf8ff\U000f0000-\U0010fffd]")


def clean(text: str) -> str:
    """`text` in NFC without control characters other than tab and line ends."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", text.translate(_PLAIN))


def one_line(text: str) -> str:
    """`text` cleaned, with every run of white space as one blank, none at the ends."""
    return _SPACE.sub(" ", clean(text)).strip()


def count_unknown(text: str) -> int:
    """Replacement characters and code points for private use: glyphs that nobody named."""
    return 0 if text.isascii() else len(_UNKNOWN.findall(text))
