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
_SPACED = re.compile(r"(?:\b\w ){3,}\w\b")


def role_of(title: str) -> Role | None:
    """The part that a title without its number names, None for a section's."""
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
    plain = unicodedata.normalize("NFKD", text) if not text.isascii() else text
    return "".join(c for c in plain.lower() if c.isalnum())


def words_of(text: str) -> list[str]:
    """The words of three letters and more, without case and accents."""
    plain = unicodedata.normalize("NFKD", text) if not text.isascii() else text
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.findall(r"[^\W\d_]{3,}", plain.lower())
