"""The foundation: all tables, the queue engine's schema, rules in SQL, views."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make everything, in the order in which one needs the other."""
    for part in ("queue", "job_id", "words", "tables", "functions", "views", "vacuum"):
        run_script(f"0001_{part}.sql")


def downgrade() -> None:
    """Drop everything, in the opposite order."""
    run_script("0001_down.sql")
