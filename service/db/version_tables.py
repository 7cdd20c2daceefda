"""The table of texts of older versions, beside `tables.py`."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Table,
    Text,
)

from service.db.columns import one_of, text_columns, version_key
from service.db.tables import metadata
from service.domain.papers import TextState

older_texts = Table(
    "older_texts",
    metadata,
    Column("arxiv_id", Text, primary_key=True, comment="The paper."),
    version_key("Version of the PDF that the text is from."),
    *text_columns(text_state="full, cut or empty."),
    CheckConstraint(one_of("text_state", TextState), name="text_state_known"),
    ForeignKeyConstraint(
        ["arxiv_id", "version"],
        ["paper_versions.arxiv_id", "paper_versions.version"],
        name="older_texts_arxiv_id_version_fkey",
        ondelete="CASCADE",
    ),
    comment="Texts of older versions whose files are kept; those of the newest are in paper_texts.",
)
