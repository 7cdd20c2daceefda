"""Titles of headings: what part of a paper a title names, and how titles are compared."""

import re
import unicodedata
from enum import StrEnum


class Role(StrEnum):
    """A part of a paper that is no section of the document."""

    ABSTRACT = "abstract"
    CONTENTS = "contents"
    REFERENCES = "references"


_ROLES = {
    Role.ABSTRACT: "abstract|summary and keywords",
    Role.CONTENTS: "(?:table of )?contents|list of (?:figures|tables|algorithms)",
    Role.REFERENCES: (
        "references?(?: and notes?| cited)?|(?:selected )?bibliograph(?:y|ies)"
        "|literature(?: cited)?|works cited|references? list|bibliographie"
        "|literatur(?:verzeichnis)?"
    ),
}
_ROLE = {role: re.compile(f"(?:{words})", re.IGNORECASE) for role, words in _ROLES.items()}
_MAX_ROLE = 60  # characters
_INITIALS = frozenset("asctlrbw")  # of the titles above
_KNOWN = re.compile(
    r"(?:general )?introduction|preliminar(?:y|ies)|background|related works?|motivation|"
    r"methods?|methodology|materials and methods|data|observations?|(?:numerical )?experiments?|"
    r"(?:main |numerical |experimental )?results?|discussions?|results? and discussions?|"
    r"(?:summary|discussions?)(?: and (?:conclusions?|discussions?|outlook))?|evaluation|analysis|"
    r"conclusions?(?: and .{3,30})?|concluding remarks|(?:notes?|note) added(?: in proof)?|"
    r"acknowledge?ments?|appendi(?:x|ces)|supplementa(?:ry|l) (?:materials?|information)|"
    r"future works?|limitations|broader impact|notations?|funding|author contributions|"
    r"data availability(?: statement)?|competing interests|conflicts? of interest|outlook",
    re.IGNORECASE,
)
_NOT_KEY = re.compile(r"[\W_]+")
_MARK = re.compile("[\u0300-\u036f]+")  # accents that NFKD sets apart
_WORD = re.compile(r"[^\W\d_]{3,}")
_SPACED = re.compile(r"(?:\b\w ){3,}\w\b")


def role_of(title: str) -> Role | None:
    """The part that a title without its number names, None for a section's."""
    if len(title) > _MAX_ROLE or title.lstrip(" .:—–-*")[:1].lower() not in _INITIALS:
        return None
    plain = unspaced(title).strip(" .:—–-*")
    return next((role for role, words in _ROLE.items() if words.fullmatch(plain)), None)


def is_known(title: str) -> bool:
    """True for titles that many papers have: they show how headings are set in this one."""
    return _KNOWN.fullmatch(unspaced(title).strip(" .:—–-*")) is not None


def unspaced(title: str) -> str:
    """`A B S T R A C T` as `ABSTRACT`."""
    return _SPACED.sub(lambda match: match[0].replace(" ", ""), title)


def key_of(text: str) -> str:
    """Letters and digits only, without case, accents and ligatures."""
    if text.isascii():
        return _NOT_KEY.sub("", text).lower()
    return _NOT_KEY.sub("", unicodedata.normalize("NFKD", text)).lower()


def words_of(text: str) -> list[str]:
    """The words of three letters and more, without case and accents."""
    if not text.isascii():
        text = _MARK.sub("", unicodedata.normalize("NFKD", text))
    return _WORD.findall(text.lower())
