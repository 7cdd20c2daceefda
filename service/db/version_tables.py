"""The table of texts of older versions, beside `tables.py`."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    Table,
    Text,
    func,
)

from service.db.tables import metadata
from service.domain.papers import TextState

_STATES = ", ".join(repr(str(state)) for state in TextState)

older_texts = Table(
    "older_texts",
    metadata,
    Column("arxiv_id", Text, primary_key=True, comment="The paper."),
    Column(
        "version",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="Version of the PDF that the text is from.",
    ),
    Column("content", Text, nullable=False, comment="Plain text of the PDF, cleaned."),
    Column("truncated", Boolean, nullable=False, comment="True when a limit cut the text short."),
    Column(
        "extracted_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="When the text was stored.",
    ),
    Column("text_state", Text, comment="full, cut or empty."),
    Column(
        "pages",
        JSON,
        comment="Where each page stands in content: number, start, end (code points).",
    ),
    Column(
        "furniture",
        JSON,
        comment="Lines left out of content: page, kind (head, foot, page_number, stamp), text.",
    ),
    Column("extractor", Text, comment="What made the text, with its version."),
    Column(
        "quality",
        JSON,
        comment="Figures of the extraction: ms, unknown_characters, pages_without_text.",
    ),
    CheckConstraint(f"text_state IN ({_STATES})", name="text_state_known"),
    ForeignKeyConstraint(
        ["arxiv_id", "version"],
        ["paper_versions.arxiv_id", "paper_versions.version"],
        name="older_texts_arxiv_id_version_fkey",
        ondelete="CASCADE",
    ),
    comment="Texts of older versions whose files are kept; those of the newest are in paper_texts.",
)
