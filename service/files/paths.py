"""Names of files: the path of a paper's PDF or HTML below the storage root, and partial files.

Of it the id and the content decide. So other bytes of the same version get a place of
their own, a file that a row names is never written over by anything else, and
the same bytes, fetched again after a crash, come to the same place. Only what
`ArxivId` accepts becomes a name: digits, letters, `-`, `.` and the `_` that
stands for the slash of an old-style id, which no id contains. Two ids therefore
never share a name, and no id can leave the root.

A partial file is called `<id with version>~<random>~<ETag>.part`. The ETag (in
base64, so that it may hold anything) tells what the bytes are the beginning of;
being part of the name, it cannot be out of step with the file.
"""

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from enum import StrEnum

from service.domain.identifiers import ArxivId


class Ending(StrEnum):
    """What a file is, by the end of its name."""

    PDF = "pdf"
    HTML = "html"


DIGEST_LETTERS = 16  # of the SHA-256 in hex: 64 bits tell the files of one version apart
PARTS = ".partial"  # the folder of partial files
MAX_ETAG_BYTES = 120  # 160 in base64: with the longest id a name stays below 255 bytes

# The digest is missing from names that were given before names had one.
_NAME = re.compile(r"(?P<stem>[\w.-]+v[0-9]+)(-[0-9a-f]{16})?\.(pdf|html)", re.ASCII)
_PART = re.compile(r"(?P<stem>[\w.-]+)~[0-9a-f]{16}~(?P<etag>[\w=-]*)\.part", re.ASCII)
_PROBE = re.compile(r"~[0-9a-f]{16}\.probe", re.ASCII)


def path_for(arxiv_id: ArxivId, sha256: str, ending: Ending = Ending.PDF) -> str:
    """`2301/2301.00001v3-<digest>.pdf`; `hep-th/9901/hep-th_9901001v1-<digest>.pdf`.

    Raises ValueError for an id without a version and for an `ArxivId` that was
    not made by parsing.
    """
    return f"{_folder_of(arxiv_id)}/{stem_of(arxiv_id)}-{sha256[:DIGEST_LETTERS]}.{ending}"


def id_of(path: str) -> ArxivId | None:
    """The version whose PDF or HTML a file of that path is; None when the path is none of ours."""
    folder, _, name = path.rpartition("/")
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        arxiv_id = ArxivId.parse(found["stem"].replace("_", "/"))
    except ValueError:
        return None
    return arxiv_id if folder == _folder_of(arxiv_id) else None


def stem_of(arxiv_id: ArxivId) -> str:
    """The id with its version as one file name without an ending (≤ 40 ASCII characters)."""
    if arxiv_id.version is None:
        raise ValueError("a stored file belongs to one version of a paper")
    if ArxivId.parse(str(arxiv_id)) != arxiv_id:
        raise ValueError("not an arXiv id")
    return str(arxiv_id).replace("/", "_")


def is_plain(path: str) -> bool:
    """True when `path` can only lead downwards: no NUL, no empty step, none with a leading dot."""
    return "\0" not in path and all(step and not step.startswith(".") for step in path.split("/"))


def new_part(stem: str) -> str:
    """A name that no part has yet."""
    return f"{stem}~{secrets.token_hex(8)}~.part"


def part_with(name: str, etag: str | None) -> str:
    """`name` with another ETag in it."""
    stem, token, _ = name.split("~")
    return f"{stem}~{token}~{_encoded(etag)}.part"


def new_probe() -> str:
    """A name for the file that tries out whether the storage can be written."""
    return f"~{secrets.token_hex(8)}.probe"


def etag_of(name: str) -> str | None:
    """The ETag that a part's name records; None when it records none."""
    found = _PART.fullmatch(name)
    if found is None or not found["etag"]:
        return None
    try:
        return urlsafe_b64decode(found["etag"]).decode()
    except (Base64Error, UnicodeDecodeError):
        return None


def is_part_of(name: str, stem: str) -> bool:
    """Whether it is the name of a part of the version that `stem` stands for."""
    found = _PART.fullmatch(name)
    return found is not None and found["stem"] == stem


def is_temporary(name: str) -> bool:
    """Whether it is the name of a part or of a probe."""
    return _PART.fullmatch(name) is not None or _PROBE.fullmatch(name) is not None


def _folder_of(arxiv_id: ArxivId) -> str:
    if not arxiv_id.is_old_style:
        return arxiv_id.paper[:4]
    archive, _, number = arxiv_id.paper.partition("/")
    return f"{archive}/{number[:4]}"


def _encoded(etag: str | None) -> str:
    """The ETag for a name; nothing for one that is too long to be kept."""
    raw = (etag or "").encode(errors="replace")
    return urlsafe_b64encode(raw).decode() if len(raw) <= MAX_ETAG_BYTES else ""
