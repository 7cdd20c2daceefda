"""Tables of the search: words of texts, and how far rows older than the search have theirs.

A trigger writes the former (migrations/sql/0010_search.sql), so that a text is found
as soon as it is committed, whoever wrote it.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from service.db.columns import moment, paper_key
from service.db.tables import metadata

paper_search = Table(
    "paper_search",
    metadata,
    paper_key("paper_texts"),
    Column(
        "part",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="Which 80,000 characters of its text have their places here, from 0.",
    ),
    moment("published_at", "When version 1 was submitted, as it was then.", required=True),
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
    moment("started_at", "When it began.", now=True),
    moment("updated_at", "When the last step was done.", now=True),
    moment("finished_at", "When all rows were done; null while it goes on."),
    comment="How far rows older than the search have their words; workers go on with it.",
)
