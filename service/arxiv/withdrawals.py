"""Withdrawal detection: by source type, or by the comment of the paper.

arXiv marks a withdrawn version with the source type `I`, in arXivRaw only, and
not always; everywhere else the comment is all there is. Only a clause *about
this paper as it stands* counts ("this paper is being withdrawn", "we withdraw"),
not one about an earlier version, a claim in it, its predecessor ("supersedes
arXiv:…, which was withdrawn"), a journal ("withdrawn from …") or the market.
Conservative on purpose: a withdrawn paper that is missed costs one request for a
PDF that answers 404; a good paper taken for withdrawn would lose its PDF.
"""

import re
from collections.abc import Sequence

from service.domain.papers import PaperVersion

_THING = (
    r"(?:paper|article|submission|manuscript|work|preprint|pre-print|e-?print|note|letter"
    r"|report|draft|document|contribution|version|posting)"
)
_THIS = rf"(?:this|the|our|present|current|arxiv)(?:\s+(?:present|current|arxiv))?\s+{_THING}"
_ASIDE = r"(?:\s*\([^()]{0,60}\)|\s*,[^,.;]{0,60},)?"
_WHO = (
    r"(?:we|i|(?:the\s+)?(?:(?:first|corresponding|present|submitting)\s+)?authors?(?:\s?\(s\))?)"
)
_AUXILIARY = (
    r"(?:\s+(?:is|was|are|were|be|been|being|has|have|had|must|to|needs?|now|hereby|therefore|thus"
    r"|temporarily|voluntarily|currently|subsequently|since|recently|already|also|just|formally"
    r"|officially|completely|entirely|again|hence|however|unfortunately)){0,7}"
)
_WANTING = r"(?:\s+(?:decided|chosen?|wish(?:es)?|would|like|want(?:s)?|had|have|has|to)){0,4}"
_WITHDRAWN = r"(?:with?dra?wn|withdraw(?:n|ed|en)?|retracted)"
_WITHDRAW = r"(?:withdr[ae]w(?:s|n|ing)?|retract(?:s|ed)?)"
_ELSEWHERE = (  # ... from a journal, a conference, the market; from arXiv is no elsewhere
    r"(?!\s+(?:by\s+(?:the\s+|its\s+)?authors?\s+)?from\s+"
    r"(?!(?:the\s+)?(?:arxiv|e-?print|archive|preprint|public)))"
    r"(?!\s+by\s+(?:the\s+)?(?:journal|publisher|editor|conference))"
)
_REASON = (
    r"by|due|because|after|as|since|for|pending|until|owing|on|upon|at|following|temporarily"
    r"|in\s+(?:favou?r|order|light|view)|to\s+(?:be|correct|fix|revise)|and\s+(?:replaced|superseded)"
)
_NO_MORE = rf"(?=\s*(?:$|[.,;:!)\]*/-])|\s+(?:{_REASON})\b|\s+from\s+(?:the\s+)?arxiv\b)"
_BEGINS = r"(?:^|[.,;:!?(\[*\-])\s*"
_NOTE = r"(?:(?:please\s+)?not(?:e|ice)\s+that\s+|unfortunately\s+)?"

_CLAUSES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # this paper has now been withdrawn
        rf"\b(?P<about>{_THIS}){_ASIDE}{_AUXILIARY}\s+{_WITHDRAWN}\b{_ELSEWHERE}",
        # Paper withdrawn. Submission has been withdrawn by the author
        rf"{_BEGINS}{_NOTE}{_THING}{_AUXILIARY}\s+{_WITHDRAWN}\b{_NO_MORE}{_ELSEWHERE}",
        # Withdrawn due to an error; has been withdrawn
        rf"(?:{_BEGINS}|^(?:is|has|was){_AUXILIARY}\s+){_NOTE}(?:(?:temporarily|now)\s+)?"
        rf"{_WITHDRAWN}\b{_NO_MORE}{_ELSEWHERE}",
        # we withdraw (this paper); the authors have withdrawn
        rf"\b(?P<whose>{_WHO}){_AUXILIARY}{_WANTING}\s+{_WITHDRAW}\b"
        rf"(?:\s+(?:{_THIS}|it)\b{_ELSEWHERE}|{_NO_MORE}{_ELSEWHERE})",
    )
]
# Behind one of these words "this paper" is not what the clause is about.
_PART_OF = re.compile(
    r"\b(?:of|in|to|from|by|with|(?<!note )(?<!notice )that|which|than|for|if|when|before"
    r"|after|until|over|on|not|and)\s+$",
    re.IGNORECASE,
)
_RESTORED = re.compile(r"\b(?:reinstat|restored\b|un-?withdrawn|no\s+longer\s+withdrawn)", re.I)
_MENTIONED = re.compile(r"with?dr|retract", re.IGNORECASE)
_LONGEST = 2_000  # characters of a comment that are read; real ones have at most some hundred


def is_withdrawn(comment: str | None, versions: Sequence[PaperVersion] = ()) -> bool:
    """True when `comment` (single spaced; None: none) or the newest of `versions` says so."""
    if versions and versions[-1].is_withdrawn:
        return True
    if not comment or not _MENTIONED.search(comment) or _RESTORED.search(comment):
        return False
    text = comment[:_LONGEST]
    return any(_says_so(clause, text) for clause in _CLAUSES)


def _says_so(clause: re.Pattern[str], text: str) -> bool:
    """True when `clause` stands in `text` and is about this paper, not about a part of it."""
    for found in clause.finditer(text):
        if not clause.groups or not _PART_OF.search(text, 0, found.start()):
            return True
    return False
