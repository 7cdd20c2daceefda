"""Tables of the change feed: what changed, in which transaction, and the order readers see.

All rows are written by triggers (migrations/sql/0011_changes.sql), so that they are there
whoever changes a paper: the service, or an operator in SQL.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)

from service.db.columns import moment, one_of
from service.db.tables import metadata
from service.domain.changes import ChangeKind

paper_change_batches = Table(
    "paper_change_batches",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="Order of making."),
    Column(
        "transaction_id",
        BigInteger,
        nullable=False,
        comment="The transaction whose changes these are; of use only until there is a position.",
    ),
    Column(
        "position",
        BigInteger,
        comment="Its place in the feed, given once it is committed; null: readers do not see it.",
    ),
    moment("ordered_at", "When it got its place."),
    # ChangeStore.page: the order of the feed
    Index("paper_change_batches_by_position", "position", unique=True),
    # paper_change_batch() and order_paper_changes(): the few that have no place yet
    Index(
        "paper_change_batches_unordered",
        "transaction_id",
        postgresql_where=text("position IS NULL"),
    ),
    comment="The changes of one transaction; a row gets its place in the feed after its commit.",
)

paper_changes = Table(
    "paper_changes",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, comment="Row of paper_change_batches."),
    Column("id", BigInteger, Identity(), primary_key=True, comment="Order within the batch."),
    moment("at", "When it changed: when the transaction began.", now=True),
    Column("arxiv_id", Text, nullable=False, comment="The paper; it may be removed by now."),
    Column("version", Integer, nullable=False, comment="Its version, or that of the file."),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="removed, created, version, withdrawn, license, metadata: one of a paper in a"
        " transaction; pdf, text, document.",
    ),
    Column(
        "subject",
        Text,
        Computed(
            "CASE WHEN kind IN ('pdf', 'text', 'document') THEN kind ELSE 'paper' END",
            persisted=True,
        ),
        nullable=False,
        comment="What changed: paper, pdf, text or document; each once in a transaction.",
    ),
    Column("job_id", Uuid, comment="The job that changed it; null for operators' SQL."),
    CheckConstraint(one_of("kind", ChangeKind), name="kind_known"),
    Index("paper_changes_once", "batch_id", "arxiv_id", "subject", unique=True),
    comment="What changed of papers, for GET /papers/changes; written by triggers.",
)

paper_change_feed = Table(
    "paper_change_feed",
    metadata,
    Column(
        "is_only",
        Boolean,
        primary_key=True,
        server_default=text("true"),
        comment="There is one row.",
    ),
    Column(
        "last_position",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="The last position given; never goes back. Whoever orders locks the row.",
    ),
    Column(
        "trimmed_position",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Up to this place (position, id) retention has removed the feed.",
    ),
    Column(
        "trimmed_id",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="The id of the last change removed, at trimmed_position.",
    ),
    Column(
        "origin",
        Text,
        comment="Server and timeline of the last position: another one leaves a gap behind it.",
    ),
    CheckConstraint("is_only", name="one_row"),
    comment="Where the change feed begins and ends.",
)
