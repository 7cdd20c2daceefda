"""Whether a paper is withdrawn, read from its comment: the only place where arXiv says so.

Conservative on purpose. A withdrawn paper that is missed costs one request for
a PDF that answers 404; a good paper taken for withdrawn would lose its PDF. So
only a clause *about this paper* counts, not one about its predecessor
("supersedes arXiv:…, which was withdrawn") or a journal ("withdrawn from …").
"""

import re

_SUBJECT = r"(?:this|the|our)\s+(?:paper|article|submission|manuscript|work|preprint|e-print|note)"
_VERB = r"(?:has\s+been|had\s+to\s+be|is|was)"
_REASON = r"by|due|because|after|as|since|for|pending|until|owing|in\s+favou?r|on"
_WITHDRAWN = re.compile(
    rf"""(?:^|[.;:!(\[*])\s*                        # a clause begins
    (?:{_SUBJECT}\s+{_VERB}\s+)?(?:temporarily\s+)? # ... about this paper
    withdrawn
    (?=\s*(?:$|[.,;:!)\]*(-])                       # ... and says no more,
      |\s+(?:{_REASON})\b                           # or why and by whom,
      |\s+from\s+(?:the\s+)?arxiv\b)                # or from where: not from a journal
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_withdrawn(comment: str | None) -> bool:
    """True when `comment` (single spaced; None: none) says that this paper is withdrawn."""
    return bool(comment and _WITHDRAWN.search(comment))
