"""Waits of jobs and channels: why a job does not move, outages, cooldowns, and the pause."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SQL = Path(__file__).parents[1] / "sql"
WAITS = "'arxiv_unavailable', 'arxiv_cooldown', 'arxiv_paused', 'storage_unavailable'"


def _moment(name: str, comment: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True, comment=comment)


JOBS: "list[sa.Column[Any]]" = [
    sa.Column(
        "facts",
        postgresql.JSONB(),
        server_default=sa.text("'{}'"),
        nullable=False,
        comment="What the job's source has to say; shown in its stats under these names.",
    ),
    sa.Column(
        "waiting_for",
        sa.Text(),
        nullable=True,
        comment="Why a running job does not move: arxiv_unavailable, arxiv_cooldown,"
        " arxiv_paused or storage_unavailable; null when it moves.",
    ),
    _moment("waiting_since", "Since when it waits for that; null when it moves."),
]
CHANNELS: "list[sa.Column[Any]]" = [
    sa.Column(
        "failures",
        sa.Integer(),
        server_default="0",
        nullable=False,
        comment="Requests without an answer in a row; from three on all wait for a probe.",
    ),
    sa.Column("reason", sa.Text(), comment="Why the last of them had no answer."),
    _moment("retry_at", "When the next request may find out whether arXiv is back."),
    _moment("cooldown_since", "When the first of the cooldowns in a row began."),
    sa.Column(
        "is_blocked",
        sa.Boolean(),
        server_default=sa.text("false"),
        nullable=False,
        comment="True when the cooldown is because arXiv forbids us everything (403).",
    ),
    _moment("answered_at", "About when arXiv last gave a proper answer."),
    _moment("paused_since", "When an operator stopped all requests; null: they may go out."),
    _moment("waiting_from", "When the next of the tasks that wait is to come back."),
    sa.Column(
        "waiter", sa.Uuid(), comment="Who gets the next slot, of those who wait for one now."
    ),
    sa.Column("waiter_rank", sa.BigInteger(), comment="The rank of its task; higher goes first."),
    _moment("waiter_until", "When it counts as gone unless it asks again."),
]
COMMENTS = {
    "silent_until": "Cooldown: arXiv asked us to wait until then, or refused us.",
    "strikes": "Cooldowns in a row; each lengthens the next.",
    "turns": "Slots that were given out, ever; one that a cooldown overtook counts too.",
    "failing": "Not used any more: see failures.",
    "failing_since": "First request without an answer; null when arXiv answers.",
}
COMMENTS_BEFORE = {
    "silent_until": "arXiv asked for silence until then, or refused us.",
    "strikes": "Refusals in a row; each lengthens the next silence.",
    "turns": "Turns to ask that were given out, ever; one that a silence overtook counts too.",
    "failing": "Whose requests found nobody since the last good answer; three make an outage.",
    "failing_since": "The first of them; null when arXiv answers.",
}


def upgrade() -> None:
    """Add columns and functions; older versions of the service do not mind them."""
    for column in JOBS:
        op.add_column("jobs", column)
    op.create_check_constraint(op.f("jobs_waiting_for_known"), "jobs", f"waiting_for IN ({WAITS})")
    op.create_check_constraint(
        op.f("jobs_waiting_since_some_moment"),
        "jobs",
        "(waiting_for IS NULL) = (waiting_since IS NULL)",
    )
    op.create_check_constraint(op.f("jobs_facts_by_name"), "jobs", "jsonb_typeof(facts) = 'object'")
    for column in CHANNELS:
        op.add_column("upstream_pace", column)
    _comment(COMMENTS)
    script = (SQL / "0003_harvest.sql").read_text()
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))


def downgrade() -> None:
    """Take them away again."""
    op.execute("DROP TRIGGER jobs_stop_waiting ON jobs")
    for function in ("jobs_stop_waiting", "pause_arxiv", "resume_arxiv"):
        op.execute(f"DROP FUNCTION {function}()")
    _comment(COMMENTS_BEFORE)
    for column in CHANNELS:
        op.drop_column("upstream_pace", column.name)
    for column in JOBS:
        op.drop_column("jobs", column.name)


def _comment(comments: dict[str, str]) -> None:
    for column, comment in comments.items():
        op.execute(f"COMMENT ON COLUMN upstream_pace.{column} IS '{comment}'")
