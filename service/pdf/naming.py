"""Where the PDF of a paper lies, as a path relative to the storage root.

The id alone decides, so every replica looks in the same place without asking.
Only what `ArxivId` accepts becomes a name: digits, letters, `-`, `.` and the
`_` that stands for the slash of an old-style id, which no id contains. Two ids
therefore never share a name, and no id can leave the root.
"""

from service.domain.arxiv_id import ArxivId


def path_for(arxiv_id: ArxivId) -> str:
    """`2301/2301.00001v3.pdf`, or `hep-th/9901/hep-th_9901001v1.pdf` for an old-style id.

    Old archives with and without a subject class (`math.GT/0309136`,
    `math/0309136`) stay apart. Raises ValueError for an id without a version
    and for an `ArxivId` that was not made by parsing.
    """
    stem = stem_of(arxiv_id)
    if not arxiv_id.is_old_style:
        return f"{arxiv_id.paper[:4]}/{stem}.pdf"
    archive, _, number = arxiv_id.paper.partition("/")
    return f"{archive}/{number[:4]}/{stem}.pdf"


def stem_of(arxiv_id: ArxivId) -> str:
    """The id with its version as one file name without an ending (≤ 40 ASCII characters)."""
    if arxiv_id.version is None:
        raise ValueError("a stored PDF belongs to one version of a paper")
    if ArxivId.parse(str(arxiv_id)) != arxiv_id:
        raise ValueError("not an arXiv id")
    return str(arxiv_id).replace("/", "_")


def is_plain(path: str) -> bool:
    """True when `path` can only lead downwards: no NUL, no empty step, none with a leading dot."""
    return "\0" not in path and all(step and not step.startswith(".") for step in path.split("/"))
