r"""TeX accents and special letters as Unicode (`Erd\H{o}s` → `Erdős`), the way arXiv converts them.

arXivRaw, the snapshot and part of the query API give texts as authors typed
them; OAI's `arXiv` format gives them converted. The rules and the letters are
those of tex2utf in arXiv's public arxiv-base (arxiv/util/tex2utf.py), without
its Greek letters and signs (`\deg`). Besides accents and letters every byte
stays: `$…$`, `%`, `&`, `--`, and braces around a letter (`{\'e}` → `{é}`).
"""

import re
import unicodedata

# Mark → its combining character, and the letters that arXiv's table has with it.
_ACCENTS = {
    "'": ("\u0301", "ACEILNORSUYZaceilnorsuyz"),
    '"': ("\u0308", "AEIOUYaeiouy"),
    ".": ("\u0307", "ACEGIOZacegoz"),
    "=": ("\u0304", "AEIOUYaeiouy"),
    "^": ("\u0302", "ACEGHIJOSUWYaceghijosuwy"),
    "`": ("\u0300", "AEIOUaeiou"),
    "~": ("\u0303", "AINOUainou"),
    "H": ("\u030b", "OUou"),
    "c": ("\u0327", "CEGKLNRSTcegklnrst"),
    "k": ("\u0328", "AEIOUaeiou"),
    "r": ("\u030a", "AUau"),
    "u": ("\u0306", "AEGIOUaegiou"),
    "v": ("\u030c", "ACDEGHIKLNORSTUZacdeghiklnorstuz"),
}
_COMPOSED = {
    mark + letter: unicodedata.normalize("NFC", letter + combining)
    for mark, (combining, letters) in _ACCENTS.items()
    for letter in letters
}
_LETTERS = {
    **{"AA": "Å", "AE": "Æ", "DH": "Ð", "DJ": "Đ", "ETH": "Ð", "L": "Ł", "NG": "Ŋ", "O": "Ø"},
    **{"OE": "Œ", "TH": "Þ", "aa": "å", "ae": "æ", "dh": "ð", "dj": "đ", "eth": "ð", "i": "ı"},
    **{"l": "ł", "ng": "ŋ", "o": "ø", "oe": "œ", "ss": "ß", "th": "þ"},
}
_NAMES = "|".join(sorted(_LETTERS, key=len, reverse=True))
_SWALLOWED = r"(?:\\(?=\ )|\ |\{\})?"  # what ends a macro's name belongs to it
# Every alternative begins with a plain character: so the engine skips quickly to the next.
_MACRO = re.compile(
    rf"""\\\$ | \$\$[^$]*\$\$ | \$(?:[^$\\]|\\.)*\$
    | \\(?P<mark>['`^"~=.]) (?: (?P<bare>[A-Za-z]) | \{{(?P<held>[A-Za-z])\}}
                              | \{{\{{(?P<twice>[A-Za-z])\}}\}} )
    | \\(?P<sign>['`^"~=.uvH]) (?: \{{\\(?P<dotless>[ij])\ ?\}}
                                 | \\(?P<dotless_bare>[ij])(?![A-Za-z]){_SWALLOWED} )
    | \\(?P<word>[Hckruvt]) (?: \{{(?P<under>[A-Za-z])\}} | \{{\{{(?P<deep>[A-Za-z])\}}\}} )
    | \{{\\(?P<name_held>{_NAMES})\}} | \\(?P<name>{_NAMES})(?:\b|(?=_)){_SWALLOWED}
    | \{{\\(?P<j_held>j)\}} | \\(?P<j>j)\s
    """,
    re.VERBOSE | re.DOTALL,
)


def converted(text: str) -> str:
    r"""`text` with its accent macros as the characters they stand for, all else untouched.

    An accent on a letter that arXiv's table has not with it is dropped
    (`\'q` → `q`) when its macro is a sign, and stays when it is a word (`\v{b}`).
    Text without a backslash costs nothing.
    """
    return _MACRO.sub(_character, text) if "\\" in text else text


def _character(macro: re.Match[str]) -> str:
    """What one macro stands for; the match itself where it is a formula or none of arXiv's."""
    kind, part = macro.lastgroup, macro.group
    if kind is None:
        return macro[0]
    letter = part(kind)
    if kind in ("bare", "held", "twice"):
        return _COMPOSED.get(part("mark") + letter, letter)
    if kind in ("dotless", "dotless_bare"):
        return _COMPOSED.get(part("sign") + letter, letter)
    if kind in ("under", "deep"):
        return letter if part("word") == "t" else _COMPOSED.get(part("word") + letter, macro[0])
    return _LETTERS.get(letter, letter)
