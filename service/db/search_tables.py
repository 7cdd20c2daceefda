"""Tables of the search: words of texts, and how far rows older than the search have theirs.

A trigger writes the former (migrations/sql/0010_search.sql), so that a text is found
as soon as it is committed, whoever wrote it.
"""

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Index, Integer, Table, Text, func
from sqlalchemy.dialects.postgresql import TSVECTOR

from service.db.tables import metadata

paper_search = Table(
    "paper_search",
    metadata,
    Column(
        "arxiv_id",
        Text,
        ForeignKey("paper_texts.arxiv_id", ondelete="CASCADE"),
        primary_key=True,
        comment="The paper.",
    ),
    Column(
        "part",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="Which 80,000 characters of its text have their places here, from 0.",
    ),
    Column(
        "published_at",
        DateTime(timezone=True),
        nullable=False,
        comment="When version 1 was submitted, as it was then.",
    ),
    Column(
        "words",
        TSVECTOR,
        nullable=False,
        comment="Words of title, abstract and text; kept by the trigger of paper_texts.",
    ),
    # PaperSearchStore
    Index(
        "paper_search_by_word",
        "words",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "on", "gin_pending_list_limit": "65536"},
    ),
    comment="Words of the texts for in=all, apart so that reading and writing texts stays quick.",
)

search_backfill = Table(
    "search_backfill",
    metadata,
    Column("of_table", Text, primary_key=True, comment="papers or paper_texts: whose rows."),
    Column("after_id", Text, nullable=False, comment="The rows up to this arXiv id are done."),
    Column("rows_done", BigInteger, nullable=False, comment="Rows looked at so far."),
    Column(
        "started_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="When it began.",
    ),
    Column(
        "updated_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="When the last step was done.",
    ),
    Column(
        "finished_at",
        DateTime(timezone=True),
        comment="When all rows were done; null while it goes on.",
    ),
    comment="How far rows older than the search have their words; workers go on with it.",
)
