r"""BibTeX entries of papers.

arXiv's titles and names are what authors typed: Unicode, with TeX in between. Unicode stays
(the answer is UTF-8, as biber and BibTeX's successors read it), formulas and commands stay,
and what would break the file or the document is escaped: `& % # _` and the like outside of
formulas, a `$` without its pair, and braces that do not match, which BibTeX counts even
behind a backslash.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FORMULA = re.compile(r"(?<!\\)\$(?:[^$\\]|\\.)+\$", re.DOTALL)
_BRACE = re.compile(r"\\?[{}]")
_NAMED = {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
# What a backslash is before is matched with it: escaped already, an accent (`\^o`), a command.
_SPECIAL = re.compile(r"\\.|[&%#_$~^]", re.DOTALL)
_IN_FORMULA = re.compile(r"\\.|[&%#]", re.DOTALL)
_ORGANIZATION = re.compile(r"\b(?:Collaborations?|Consortium|Team|Group|Network)\b", re.IGNORECASE)
_IS_LIST = re.compile(r"\band\b|,", re.IGNORECASE)  # in one name: BibTeX would take it apart


def entry(paper: Mapping[str, Any]) -> str:
    """The entry of a paper (a document of `PaperSchema`), with a line feed at its end."""
    lines = "".join(f"  {name} = {value},\n" for name, value in _fields(paper))
    return f"@misc{{arxiv:{paper['arxiv_id']},\n{lines}}}\n"


def _fields(paper: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    published = datetime.fromisoformat(paper["published_at"])
    yield "title", _braced(text(paper["title"]))
    yield "author", _braced(" and ".join(_names(paper["authors"])))
    yield "year", _braced(f"{published.year:04}")
    yield "month", _MONTHS[published.month - 1]
    yield "eprint", _braced(paper["arxiv_id"])
    yield "archivePrefix", "{arXiv}"
    yield "primaryClass", _braced(paper["primary_category"])
    if paper["doi"]:
        yield "doi", _braced(_verbatim(paper["doi"]))
    if paper["journal_ref"]:
        yield "note", _braced(text(paper["journal_ref"]))
    yield "url", _braced(f"https://arxiv.org/abs/{paper['arxiv_id']}")


def _braced(value: str) -> str:
    return f"{{{value}}}"


def _names(authors: Iterable[str]) -> Iterator[str]:
    """Names as BibTeX takes them apart: those of groups stay whole, in braces."""
    for name in authors:
        escaped = text(name)
        is_whole = _ORGANIZATION.search(name) or _IS_LIST.search(name)
        yield _braced(escaped) if is_whole else escaped


def text(value: str) -> str:
    """`value` within a field: one line, balanced, its special characters escaped."""
    line = _balanced(" ".join(value.split()))
    written, end = [], 0
    for formula in _FORMULA.finditer(line):
        written += [_plain(line[end : formula.start()]), _formula(formula[0])]
        end = formula.end()
    return "".join([*written, _plain(line[end:])])


def _plain(part: str) -> str:
    return _SPECIAL.sub(lambda found: _escaped(found[0]), _closed(part))


def _formula(part: str) -> str:
    inner = _IN_FORMULA.sub(lambda found: _escaped(found[0]), part[1:-1])
    return f"${inner}$" if _is_balanced(inner) else _plain(part)


def _escaped(found: str) -> str:
    if found.startswith("\\"):
        return found  # a command, an accent, or escaped already
    return _NAMED.get(found, f"\\{found}")


def _closed(part: str) -> str:
    """A backslash at the very end would take the brace behind it along."""
    backslashes = len(part) - len(part.rstrip("\\"))
    return f"{part[:-1]}\\textbackslash{{}}" if backslashes % 2 else part


def _balanced(value: str) -> str:
    """`value` with the braces that have no partner written by name."""
    opened: list[re.Match[str]] = []
    alone: list[re.Match[str]] = []
    for brace in _BRACE.finditer(value):
        if brace[0].endswith("{"):
            opened.append(brace)
        elif opened:
            opened.pop()
        else:
            alone.append(brace)
    for brace in sorted([*opened, *alone], key=lambda one: one.start(), reverse=True):
        name = "left" if brace[0].endswith("{") else "right"
        value = f"{value[: brace.start()]}\\textbrace{name}{{}}{value[brace.end() :]}"
    return value


def _is_balanced(value: str) -> bool:
    return _balanced(value) == value


def _verbatim(value: str) -> str:
    """A DOI as it is, but for what BibTeX would count: percent-encoded, as in a URL."""
    return value.replace("{", "%7B").replace("}", "%7D").replace("\\", "%5C")
