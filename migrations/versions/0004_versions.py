"""Versions of papers, affiliations and datestamps; what an audit found; ids without subject class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SQL = Path(__file__).parents[1] / "sql"


def _flag(name: str, comment: str) -> "sa.Column[Any]":
    return sa.Column(
        name, sa.Boolean(), server_default=sa.text("false"), nullable=False, comment=comment
    )


def _moment(name: str, comment: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, comment=comment)


def _count(name: str, comment: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Integer(), nullable=False, comment=comment)


PAPERS: "list[sa.Column[Any]]" = [
    sa.Column(
        "affiliations",
        postgresql.JSONB(),
        server_default=sa.text("'[]'"),
        nullable=False,
        comment="Per author, in the same order, the texts of where he works; [] when never told.",
    ),
    sa.Column(
        "submitter",
        sa.Text(),
        comment="Who submitted it, by name; null when no source told it.",
    ),
    sa.Column(
        "datestamp",
        sa.Date(),
        comment="Day (UTC) that arXiv lists the record with: that of its last change;"
        " null while only searches told of the paper.",
    ),
    _flag(
        "license_told",
        "True when a source that tells licences described it: null then means none given.",
    ),
    sa.Column("job_id", sa.Uuid(), comment="The last job that stored it; it may be gone by now."),
]

LINE: "sa.Column[Any]" = sa.Column(
    "line", sa.Integer(), comment="Line of a snapshot's file, counted from 1."
)


def upgrade() -> None:
    """Add columns and tables; older versions of the service do not mind them."""
    for column in PAPERS:
        op.add_column("papers", column)
    op.create_check_constraint(
        op.f("papers_affiliations_by_author"), "papers", "jsonb_typeof(affiliations) = 'array'"
    )
    op.add_column("job_errors", LINE)
    _create_versions()
    _create_coverage()
    script = (SQL / "0004_versions.sql").read_text()
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))


def _create_versions() -> None:
    op.create_table(
        "paper_versions",
        sa.Column("arxiv_id", sa.Text(), nullable=False, comment="The paper."),
        _count("version", "Its version, counted from 1."),
        _moment("submitted_at", "When this version was submitted."),
        sa.Column(
            "size_kb",
            sa.Integer(),
            comment="Size of its source in kilobytes, where arXiv tells it.",
        ),
        sa.Column(
            "source_type",
            sa.Text(),
            comment="arXiv's letters: I withdrawn, D pdfTeX, H HTML, P PostScript, X docx,"
            " A ancillary files, S source not public; null where not told.",
        ),
        _flag("withdrawn", "True when this version withdraws the paper."),
        sa.Column(
            "license", sa.Text(), comment="Licence URI told while this was the newest version."
        ),
        _flag(
            "license_told",
            "True when a source that tells licences described it while it was the newest.",
        ),
        sa.CheckConstraint("version >= 1", name=op.f("paper_versions_version_from_one")),
        sa.CheckConstraint("size_kb >= 0", name=op.f("paper_versions_size_kb_not_negative")),
        sa.ForeignKeyConstraint(
            ["arxiv_id"],
            ["papers.arxiv_id"],
            name=op.f("paper_versions_arxiv_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("arxiv_id", "version", name=op.f("paper_versions_pkey")),
        comment="Every known version of every paper, from arXiv's history of it.",
    )


def _create_coverage() -> None:
    op.create_table(
        "coverage",
        sa.Column(
            "set", sa.Text(), nullable=False, comment="OAI-PMH set (cs, cs:cs:AI); '' for all."
        ),
        sa.Column(
            "day",
            sa.Date(),
            nullable=False,
            comment="Datestamp (UTC) that the records are listed by.",
        ),
        _count("listed", "Papers that arXiv lists for this day."),
        _count("missing", "Of these, how many are not held."),
        _count("stale", "Of these, how many are held with an older datestamp, or without one."),
        _moment("checked_at", "When the last audit of this set compared this day."),
        sa.CheckConstraint(
            "missing >= 0 AND stale >= 0 AND missing + stale <= listed",
            name=op.f("coverage_counts_add_up"),
        ),
        sa.PrimaryKeyConstraint("set", "day", name=op.f("coverage_pkey")),
        comment="What the last audit of each set and day found; healing moves the counts.",
    )


def downgrade() -> None:
    """Take them away again; ids keep the form in which arXiv shows them."""
    op.drop_column("job_errors", "line")
    op.drop_table("coverage")
    op.drop_table("paper_versions")
    op.drop_constraint(op.f("papers_affiliations_by_author"), "papers")
    for column in PAPERS:
        op.drop_column("papers", column.name)
