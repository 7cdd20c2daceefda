"""arXiv identifiers as a value: which paper, and which version of it.

Two schemes are in use (info.arxiv.org/help/arxiv_identifier.html):
`2301.00001` (YYMM.number; four digits before 2015, five since) and, until March
2007, `hep-th/9901001` or `math.GT/0309136` (archive, optional subject class,
YYMMNNN). Both may end in a version, `v3`. Everything that names a paper goes
through here first, so that no other text ever reaches a URL or a path.
"""

import re
from dataclasses import dataclass
from typing import Self

_MONTH = r"\d\d(?:0[1-9]|1[0-2])"
_NEW = rf"{_MONTH}\.\d{{4,5}}"
_OLD = rf"[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{{2}})?/{_MONTH}\d{{3}}"
_ARXIV_ID = re.compile(rf"(?P<paper>{_NEW}|{_OLD})(?:v(?P<version>[1-9]\d{{0,3}}))?", re.ASCII)

MAX_LENGTH = 40  # "astro-ph.CO/9901001v9999" has 24; anything longer is no id


@dataclass(frozen=True, slots=True, order=True)
class ArxivId:
    """One paper, `paper` without its version; `version` is None for "the latest"."""

    paper: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id of either scheme; raises ValueError for anything else, blanks included."""
        match = _ARXIV_ID.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise ValueError("not an arXiv id")
        version = match["version"]
        return cls(match["paper"], int(version) if version else None)

    @property
    def is_old_style(self) -> bool:
        """True for ids of the scheme used until March 2007 (`hep-th/9901001`)."""
        return "/" in self.paper

    def __str__(self) -> str:
        return self.paper if self.version is None else f"{self.paper}v{self.version}"
