"""The foundation: all tables, the queue engine's schema, rules in SQL, views."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


SQL = Path(__file__).parents[1] / "sql"


def run_script(name: str) -> None:
    """Run every statement of `migrations/sql/<name>` in the migration's transaction.

    asyncpg prepares what comes through `op.execute`, and only a single statement
    can be prepared; the driver's own `execute` takes a whole script. Alembic has
    begun the transaction by then (it took the lock), so nothing is committed early.
    """
    script = (SQL / name).read_text()
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))


def upgrade() -> None:
    """Make everything, in the order in which one needs the other."""
    run_script("0001_queue.sql")
    run_script("0001_job_id.sql")
    run_script("0001_words.sql")
    op.create_table(
        "callers",
        sa.Column("sub", sa.Text(), nullable=False, comment="Subject of the caller's tokens."),
        sa.Column(
            "is_blocked",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="True: every token of this subject is answered with 401.",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why, for other operators."),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was blocked or unblocked.",
        ),
        sa.PrimaryKeyConstraint("sub", name=op.f("callers_pkey")),
        comment="Callers that an operator has blocked; a caller without a row is active.",
    )
    op.create_table(
        "jobs",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("new_job_id()"),
            nullable=False,
            comment="Job id, a UUID of version 7: sorts by creation.",
        ),
        sa.Column(
            "status",
            sa.Text(),
            server_default="pending",
            nullable=False,
            comment="pending, running, or final: completed, failed, cancelled.",
        ),
        sa.Column(
            "request",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What the caller asked for, validated and with defaults filled in.",
        ),
        sa.Column(
            "priority",
            sa.Text(),
            server_default="normal",
            nullable=False,
            comment="low, normal or high: whose tasks run first.",
        ),
        sa.Column(
            "requested_by",
            sa.Text(),
            nullable=True,
            comment="Subject of the token that submitted the job.",
        ),
        sa.Column(
            "idempotency_key",
            sa.Text(),
            nullable=True,
            comment="The caller's Idempotency-Key: same key, same job, for it.",
        ),
        sa.Column(
            "retry_of",
            sa.Uuid(),
            nullable=True,
            comment="The final job whose unfinished papers this one brings in; null for others.",
        ),
        sa.Column(
            "checkpoint",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="Where the harvest goes on after a crash (opaque); null before the first page.",
        ),
        sa.Column(
            "papers_total",
            sa.Integer(),
            nullable=True,
            comment="Papers this job will bring in; null until known.",
        ),
        sa.Column(
            "pages_fetched",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Answers of arXiv stored completely.",
        ),
        sa.Column(
            "papers_fetched",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Papers of this job seen at arXiv, each once.",
        ),
        sa.Column(
            "papers_created",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Papers that were new to us.",
        ),
        sa.Column(
            "papers_updated",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Papers written over an older (or, if asked for, the same) version.",
        ),
        sa.Column(
            "papers_skipped",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Papers left as they were: already held in this version.",
        ),
        sa.Column(
            "pdfs_downloaded",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="PDFs of this job that are in storage.",
        ),
        sa.Column(
            "pdfs_processed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="PDFs of this job whose text is stored.",
        ),
        sa.Column(
            "pdfs_pending",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="PDFs of this job still to be brought in; 0 lets it complete.",
        ),
        sa.Column(
            "pdfs_failed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="PDFs of this job given up on; see job_errors.",
        ),
        sa.Column(
            "pdfs_unavailable",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="PDFs of this job that arXiv does not have.",
        ),
        sa.Column(
            "errors_total",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Rows of this job in job_errors, ever.",
        ),
        sa.Column(
            "resumed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Times a task of this job was taken over from a worker that vanished.",
        ),
        sa.Column(
            "harvest_attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Failed tries of the page in work; 0 again after each page.",
        ),
        sa.Column(
            "harvest_starts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Starts on the page in work that have not ended in order; too many: quarantined.",
        ),
        sa.Column(
            "is_harvested",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="True once the last page is stored: no more papers will come.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the job was submitted.",
        ),
        sa.Column(
            "taken_up_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When a worker first took the job up; null for rows written by hand.",
        ),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), nullable=True, comment="When its work began."
        ),
        sa.Column(
            "completed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it reached a final status.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Last visible change.",
        ),
        sa.Column(
            "version",
            sa.BigInteger(),
            server_default="1",
            nullable=False,
            comment="Grows with every visible change (by trigger); the ETag of the status.",
        ),
        sa.CheckConstraint(
            "(status NOT IN ('pending', 'running')) = (completed_at IS NOT NULL)",
            name=op.f("jobs_completed_iff_final"),
        ),
        sa.CheckConstraint(
            "priority IN ('low', 'normal', 'high')", name=op.f("jobs_priority_known")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'completed', 'failed', 'cancelled')",
            name=op.f("jobs_status_known"),
        ),
        sa.CheckConstraint(
            "length(idempotency_key) <= 255", name=op.f("jobs_idempotency_key_short")
        ),
        sa.CheckConstraint(
            "pages_fetched >= 0 AND papers_fetched >= 0 AND papers_created >= 0 AND papers_updated >= 0 AND papers_skipped >= 0 AND pdfs_downloaded >= 0 AND pdfs_processed >= 0 AND pdfs_pending >= 0 AND pdfs_failed >= 0 AND pdfs_unavailable >= 0 AND errors_total >= 0 AND resumed >= 0 AND harvest_attempts >= 0 AND harvest_starts >= 0",
            name=op.f("jobs_counters_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["retry_of"], ["jobs.id"], name=op.f("jobs_retry_of_fkey"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("jobs_pkey")),
        comment="What callers asked for, and how far each is. One row per job.",
    )
    op.create_index(
        "jobs_active",
        "jobs",
        [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'running')"),
    )
    op.create_index(
        "jobs_active_of_caller",
        "jobs",
        ["requested_by"],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'running')"),
    )
    op.create_index(
        "jobs_one_per_key",
        "jobs",
        ["requested_by", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index(
        "jobs_by_status",
        "jobs",
        ["status", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "jobs_by_end",
        "jobs",
        ["completed_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NOT NULL"),
    )
    op.create_index(
        "jobs_one_active_retry",
        "jobs",
        ["retry_of"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'running')"),
    )
    op.create_index(
        "jobs_retries",
        "jobs",
        ["retry_of"],
        unique=False,
        postgresql_where=sa.text("retry_of IS NOT NULL"),
    )
    op.create_table(
        "papers",
        sa.Column(
            "arxiv_id",
            sa.Text(),
            nullable=False,
            comment="arXiv id without version: 2301.00001, hep-th/9901001.",
        ),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="Newest version seen; never goes back."
        ),
        sa.Column("title", sa.Text(), nullable=False, comment="Title, single spaced."),
        sa.Column("abstract", sa.Text(), nullable=False, comment="Abstract, single spaced."),
        sa.Column(
            "authors",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Authors in arXiv's order.",
        ),
        sa.Column(
            "categories",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Categories, the primary one first.",
        ),
        sa.Column(
            "primary_category", sa.Text(), nullable=False, comment="Primary category, like cs.AI."
        ),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When version 1 was submitted.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When this version was submitted.",
        ),
        sa.Column(
            "doi",
            sa.Text(),
            nullable=True,
            comment="DOI of the published article, where the authors gave one.",
        ),
        sa.Column(
            "journal_ref",
            sa.Text(),
            nullable=True,
            comment="Journal reference, where the authors gave one.",
        ),
        sa.Column(
            "comments",
            sa.Text(),
            nullable=True,
            comment="The authors' comment; the reason of a withdrawal, too.",
        ),
        sa.Column(
            "license",
            sa.Text(),
            nullable=True,
            comment="Licence URL, where the interface tells it.",
        ),
        sa.Column(
            "withdrawn",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="True when this version withdraws the paper.",
        ),
        sa.Column(
            "pdf_state",
            sa.Text(),
            server_default="none",
            nullable=False,
            comment="none, downloaded, processed, failed or unavailable: our copy of the PDF.",
        ),
        sa.Column(
            "pdf_path",
            sa.Text(),
            nullable=True,
            comment="Place of the file, relative to the storage root.",
        ),
        sa.Column(
            "pdf_sha256", sa.Text(), nullable=True, comment="SHA-256 of the file, hexadecimal."
        ),
        sa.Column(
            "pdf_bytes", sa.BigInteger(), nullable=True, comment="Size of the file in bytes."
        ),
        sa.Column(
            "page_count",
            sa.Integer(),
            nullable=True,
            comment="Pages of the PDF; null until its text was extracted.",
        ),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When we first stored the paper.",
        ),
        sa.Column(
            "stored_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When its metadata was last written.",
        ),
        sa.Column(
            "words",
            postgresql.TSVECTOR(),
            sa.Computed("paper_words(title, abstract)", persisted=True),
            nullable=True,
            comment="Words of title and abstract, for text search; kept by PostgreSQL.",
        ),
        sa.Column(
            "author_words",
            postgresql.TSVECTOR(),
            sa.Computed("author_words(authors)", persisted=True),
            nullable=True,
            comment="Words of the authors' names, likewise.",
        ),
        sa.CheckConstraint(
            "(pdf_state IN ('downloaded', 'processed')) = (pdf_path IS NOT NULL) AND (pdf_path IS NULL) = (pdf_sha256 IS NULL) AND (pdf_path IS NULL) = (pdf_bytes IS NULL)",
            name=op.f("papers_file_iff_downloaded"),
        ),
        sa.CheckConstraint(
            "pdf_sha256 ~ '^[0-9a-f]{64}$'", name=op.f("papers_pdf_sha256_hexadecimal")
        ),
        sa.CheckConstraint(
            "pdf_state IN ('none', 'downloaded', 'processed', 'failed', 'unavailable')",
            name=op.f("papers_pdf_state_known"),
        ),
        sa.CheckConstraint("pdf_bytes > 0", name=op.f("papers_pdf_bytes_positive")),
        sa.CheckConstraint("version >= 1", name=op.f("papers_version_from_one")),
        sa.PrimaryKeyConstraint("arxiv_id", name=op.f("papers_pkey")),
        comment="Metadata of every paper brought in, newest version only; CC0 (arXiv).",
    )
    op.create_index("papers_by_pdf_state", "papers", ["pdf_state"], unique=False)
    op.create_index("papers_by_storing", "papers", ["stored_at"], unique=False)
    op.create_index("papers_by_date", "papers", ["published_at", "arxiv_id"], unique=False)
    for name, column in (
        ("papers_by_word", "words"),
        ("papers_by_author", "author_words"),
        ("papers_by_category", "categories"),
    ):
        op.create_index(name, "papers", [column], unique=False, postgresql_using="gin")
    op.create_table(
        "upstream_pace",
        sa.Column("lane", sa.Text(), nullable=False, comment="api (query API and OAI-PMH) or pdf."),
        sa.Column(
            "next_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="No request of the fleet may start before this moment.",
        ),
        sa.Column(
            "silent_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="arXiv asked for silence until then, or refused us.",
        ),
        sa.Column(
            "holder", sa.Uuid(), nullable=True, comment="Whose request is in flight; api only."
        ),
        sa.Column(
            "held_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the holder counts as dead unless it renews.",
        ),
        sa.Column(
            "strikes",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Refusals in a row; each lengthens the next silence.",
        ),
        sa.Column(
            "turns",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Turns to ask that were given out, ever; one that a silence overtook counts too.",
        ),
        sa.Column(
            "refusals",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Answers that asked for silence or refused us, ever.",
        ),
        sa.Column(
            "failing",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="Whose requests found nobody since the last good answer; three make an outage.",
        ),
        sa.Column(
            "failing_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The first of them; null when arXiv answers.",
        ),
        sa.CheckConstraint("lane IN ('api', 'pdf')", name=op.f("upstream_pace_lane_known")),
        sa.CheckConstraint(
            "(holder IS NULL) = (held_until IS NULL)", name=op.f("upstream_pace_held_by_someone")
        ),
        sa.PrimaryKeyConstraint("lane", name=op.f("upstream_pace_pkey")),
        comment="The one clock that keeps arXiv's rules for all replicas together.",
    )
    op.create_table(
        "job_errors",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="Order of storing.",
        ),
        sa.Column("job_id", sa.Uuid(), nullable=False, comment="The job."),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it happened.",
        ),
        sa.Column(
            "stage",
            sa.Text(),
            nullable=False,
            comment="arxiv_fetch, store, pdf_download, pdf_processing or general.",
        ),
        sa.Column(
            "error", sa.Text(), nullable=False, comment="What happened, in words safe to show."
        ),
        sa.Column(
            "code", sa.Text(), nullable=True, comment="The same as a stable word for programs."
        ),
        sa.Column("arxiv_id", sa.Text(), nullable=True, comment="The paper concerned, if one is."),
        sa.Column(
            "attempt",
            sa.Integer(),
            nullable=True,
            comment="The attempt that failed, counted from 1.",
        ),
        sa.CheckConstraint(
            "stage IN ('arxiv_fetch', 'store', 'pdf_download', 'pdf_processing', 'general')",
            name=op.f("job_errors_stage_known"),
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("job_errors_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("job_errors_pkey")),
        comment="What went wrong in jobs; the status shows the latest 100 of each.",
    )
    op.create_index(
        "job_errors_latest",
        "job_errors",
        ["job_id", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "job_papers",
        sa.Column("job_id", sa.Uuid(), nullable=False, comment="The job."),
        sa.Column(
            "arxiv_id",
            sa.Text(),
            nullable=False,
            comment="The paper; in papers too, unless arXiv does not know it.",
        ),
        sa.Column(
            "version", sa.Integer(), nullable=True, comment="Version that this job is to bring in."
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="pending, downloaded, processed, failed, unavailable or skipped.",
        ),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Times work on it was begun, counted before the work; a hand-back is taken off.",
        ),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Of these, how many ended in an error that is worth another try.",
        ),
        sa.Column(
            "unfinished_reads",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Times reading the PDF was begun and its worker died; three: quarantined.",
        ),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=True,
            comment="Why it failed, was skipped or is unavailable: a stable word.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Last change of state.",
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'downloaded', 'processed', 'failed', 'unavailable', 'skipped')",
            name=op.f("job_papers_state_known"),
        ),
        sa.CheckConstraint(
            "attempts >= failures AND failures >= 0 AND unfinished_reads >= 0",
            name=op.f("job_papers_counts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("job_papers_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "arxiv_id", name=op.f("job_papers_pkey")),
        comment="One row per paper that a job touched; the counters of jobs move with its state.",
    )
    op.create_index(
        "job_papers_by_state", "job_papers", ["job_id", "state", "arxiv_id"], unique=False
    )
    op.create_index(
        "job_papers_failing",
        "job_papers",
        [sa.literal_column("updated_at DESC")],
        unique=False,
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.create_index(
        "job_papers_processed",
        "job_papers",
        ["updated_at"],
        unique=False,
        postgresql_where=sa.text("state = 'processed'"),
    )
    op.create_table(
        "paper_texts",
        sa.Column("arxiv_id", sa.Text(), nullable=False, comment="The paper."),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="Version of the PDF that the text is from.",
        ),
        sa.Column("content", sa.Text(), nullable=False, comment="Plain text of the PDF, cleaned."),
        sa.Column(
            "truncated",
            sa.Boolean(),
            nullable=False,
            comment="True when a limit cut the text short.",
        ),
        sa.Column(
            "extracted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the text was stored.",
        ),
        sa.ForeignKeyConstraint(
            ["arxiv_id"],
            ["papers.arxiv_id"],
            name=op.f("paper_texts_arxiv_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("arxiv_id", name=op.f("paper_texts_pkey")),
        comment="Text of papers, apart so that reading metadata stays quick.",
    )
    op.create_table(
        "schedules",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("new_job_id()"),
            nullable=False,
            comment="Schedule id.",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="What people call it."),
        sa.Column(
            "cron", sa.Text(), nullable=False, comment="Cron expression of five fields, UTC."
        ),
        sa.Column(
            "request",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The request of each job it submits.",
        ),
        sa.Column(
            "is_paused",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="True: no run is due.",
        ),
        sa.Column(
            "created_by",
            sa.Text(),
            nullable=True,
            comment="Subject of the token that made it; blocked: no run is due.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was made.",
        ),
        sa.Column(
            "next_run_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it is due next; null while paused, or for a worker to compute.",
        ),
        sa.Column(
            "last_run_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it last submitted a job.",
        ),
        sa.Column("last_job_id", sa.Uuid(), nullable=True, comment="The job it last submitted."),
        sa.CheckConstraint("length(name) <= 100", name=op.f("schedules_name_short")),
        sa.ForeignKeyConstraint(
            ["last_job_id"],
            ["jobs.id"],
            name=op.f("schedules_last_job_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("schedules_pkey")),
        sa.UniqueConstraint("name", name=op.f("schedules_name_key")),
        comment="Recurring harvests.",
    )
    op.create_index(
        "schedules_due",
        "schedules",
        [sa.literal_column("COALESCE(next_run_at, '-infinity'::timestamptz)")],
        unique=False,
        postgresql_where=sa.text("NOT is_paused"),
    )
    op.create_index(
        "schedules_last_job",
        "schedules",
        ["last_job_id"],
        unique=False,
        postgresql_where=sa.text("last_job_id IS NOT NULL"),
    )
    op.execute("INSERT INTO upstream_pace (lane) VALUES ('api'), ('pdf')")
    run_script("0001_functions.sql")
    run_script("0001_views.sql")
    run_script("0001_vacuum.sql")
    op.execute("COMMENT ON TABLE alembic_version IS 'Revision of this schema (Alembic).'")
    op.execute("COMMENT ON COLUMN alembic_version.version_num IS 'The revision.'")


def downgrade() -> None:
    """Drop everything, in the opposite order."""
    run_script("0001_down.sql")
