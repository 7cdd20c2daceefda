"""The table of arXiv's HTML pages that are held, beside `tables.py`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Table,
    Text,
)

from service.db.columns import moment, paper_key, version_key
from service.db.tables import metadata

html_pages = Table(
    "html_pages",
    metadata,
    paper_key(),
    version_key("Its version."),
    Column(
        "path", Text, nullable=False, comment="Place of the file, relative to the storage root."
    ),
    Column("sha256", Text, nullable=False, comment="SHA-256 of the file, hexadecimal."),
    Column("bytes", BigInteger, nullable=False, comment="Size of the file in bytes."),
    Column("etag", Text, comment="ETag that arXiv sent with it, if it was a strong one."),
    Column("license", Text, comment="Licence as the page names it; it matters for passing it on."),
    Column("generator", Text, comment="What made the page, as it says."),
    Column("converter", Text, nullable=False, comment="What last judged it, with its version."),
    Column("pdf_sha256", Text, comment="SHA-256 of the PDF it was compared with; null: none."),
    Column("refused", Text, comment="Why no document is made of it, a stable word; null: one is."),
    Column("quality", JSON, nullable=False, comment="Figures of that judgement."),
    moment("fetched_at", "When it was fetched.", now=True),
    CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_hexadecimal"),
    CheckConstraint("pdf_sha256 ~ '^[0-9a-f]{64}$'", name="pdf_sha256_hexadecimal"),
    CheckConstraint("bytes > 0", name="bytes_positive"),
    comment="HTML pages of papers that are in storage, and how each was judged.",
)
