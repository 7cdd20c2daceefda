"""The papers of a bulk job are found by an index."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the index."""
    run_script("0013_papers_by_job.sql")


def downgrade() -> None:
    """Drop it."""
    run_script("0013_down.sql")
