"""Author lists: raw author lines split into names and affiliations, names in one form.

A line such as `A. Baldi (1), L. David (1,2) ((1) CfA, (2) MPE)` is how authors
type it and how arXivRaw and the snapshot hand it on; the query API and OAI's
`arXiv` format give names one by one. The rules are those of arXiv's public author
parser (arxiv-base, arxiv/authors): commas, colons, ` and ` and ` & ` part names,
parentheses behind a name are its affiliation or refer to a list at the end, and
who has none takes that of the next who has. Whatever the source, a name reads
`Forenames Keyname Suffix`, so that one paper has the same authors from each.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from service.arxiv.tex_accents import converted
from service.domain.papers import single_spaced

Author = tuple[str, tuple[str, ...]]  # a name, and its affiliations in their order
Authors = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]  # names, affiliations of each

_PARENTHESIS = re.compile(r"([()])")
_AND = re.compile(r",?\s+(?:and|&)\s")
_SEPARATOR = re.compile(r"[,:]")
_INITIAL = re.compile(r"(?<!\\)\.(?=[^\s.,])")
_SUFFIX_COMMA = re.compile(r"\s*,\s*(?=(?:(?:Jr|Sr)\.?|[IV]{2,})$)")
_ODD = re.compile(r"(?P<suffix>(?:Jr|Sr)\.?|[IV]{2,})|[\W_]*|[eE][tT]\.?\s+[aA][lL]\b.*", re.DOTALL)
_LONGEST_SUFFIX = 12  # characters; more of I and V than anybody bears
_COLLABORATION = re.compile(r"\s(?:collaboration|group|team)s?\b", re.IGNORECASE)
_MAX_TRIES = 8  # such words looked at in one name; bounds what a hostile one costs
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
_REFERENCES = re.compile(r"\d+(?:\s*(?:,|&|and)\s*\d+)*\s*,?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_DEFINITION = re.compile(r"(\d+)\)\s*(\S.*)", re.DOTALL)


def split(line: str) -> Authors:
    """Names and affiliations in a raw author line, TeX accents converted; linear in its length."""
    blocks = list(_blocks(converted(single_spaced(line))))
    defined = _definitions(blocks)
    authors: list[Author] = []
    may_follow = False  # whether a parenthesis now would stand right behind a name
    for block in blocks:
        if not block.startswith("("):
            names = _SEPARATOR.split(_AND.sub(",", block))
            authors += [(name.strip(), ()) for name in names if name.strip()]
            may_follow = bool(names[-1].strip())
        elif may_follow:
            authors[-1] = (authors[-1][0], _affiliations(block, defined))
            may_follow = False
    return _shared(list(_one_form(authors)))


def listed(authors: Iterable[Author]) -> Authors:
    """Names and affiliations of authors that a source gives one by one, names in our form."""
    spaced = ((single_spaced(converted(name)), texts) for name, texts in authors)
    people = list(_one_form(spaced))
    affiliations = (tuple(map(converted, texts)) for _, texts in people)
    return tuple(name for name, _ in people), tuple(affiliations)


def _blocks(text: str) -> Iterator[str]:
    """`text` cut at its outer parentheses: names, `(…)`, names, …; one too many closes nothing."""
    if "(" not in text:
        yield text.replace(")", "")
        return
    depth, block = 0, ""
    for part in _PARENTHESIS.split(text):
        if part == "(" and depth == 0:
            yield block
            block = ""
        depth += (part == "(") - (part == ")" and depth > 0)
        if part != ")" or block.startswith("("):
            block += part
        if part == ")" and depth == 0:
            yield block
            block = ""
    yield block


def _definitions(blocks: list[str]) -> dict[str, str]:
    """Number → affiliation, from a block like `((1) CfA, (2) MPE)`."""
    found: dict[str, str] = {}
    for block in blocks:
        if block.startswith(("((", "( (")):
            pieces = (_DEFINITION.fullmatch(piece) for piece in block.split("("))
            found |= {match[1]: match[2].rstrip(" .,)") for match in pieces if match}
    return found


def _affiliations(block: str, defined: dict[str, str]) -> tuple[str, ...]:
    """What the parenthesis behind a name says: one affiliation, or references to several."""
    text = _PARENTHESIS.split(block, maxsplit=2)[2].strip()
    if _REFERENCES.fullmatch(text):
        return tuple(defined[number] for number in _NUMBER.findall(text) if number in defined)
    return (text,) if text else ()


def _one_form(authors: Iterable[Author]) -> Iterator[Author]:
    """Authors with normalized names; a lone suffix joins its name, what is no name is dropped."""
    waiting: Author | None = None
    for written, affiliations in authors:
        name = _normalized(written)
        odd = None if _is_plain(name) else _ODD.fullmatch(name)
        if odd is None:
            if waiting:
                yield waiting
            waiting = (name, affiliations)
        elif waiting and odd["suffix"]:
            waiting = (f"{waiting[0]} {name}", waiting[1] or affiliations)
    if waiting:
        yield waiting


def _is_plain(name: str) -> bool:
    """True for a name that is certainly none of `_ODD`: quicker to tell than by matching."""
    return len(name) > _LONGEST_SUFFIX and name[0].isalpha() and name[0] not in "eE"


def _normalized(name: str) -> str:
    """`name`, single spaced, with a blank behind each initial and no comma before a suffix."""
    if "." in name:
        name = _INITIAL.sub(". ", name)
    if "," in name:
        name = _SUFFIX_COMMA.sub(" ", name).strip(" ,")
    return name


def _shared(authors: list[Author]) -> Authors:
    """Affiliations given to the authors before who have none, but not to a collaboration."""
    first = 0
    while first < len(authors) and (name := _collaboration(authors[first][0])):
        authors[first] = (name, ())
        first += 1
    names, affiliations = [name for name, _ in authors], [texts for _, texts in authors]
    inherited: tuple[str, ...] = ()
    for index in range(len(authors) - 1, first - 1, -1):
        inherited = affiliations[index] or inherited
        affiliations[index] = inherited
    return tuple(names), tuple(affiliations)


def _collaboration(name: str) -> str | None:
    """The collaboration that `name` names, as arXiv cuts it out: plain letters and digits only."""
    for found in islice(_COLLABORATION.finditer(name), _MAX_TRIES):
        others = name[: found.start()].rstrip(_PLAIN)
        if len(others) < found.start():
            return name[len(others) : found.end()].strip()
    return None
