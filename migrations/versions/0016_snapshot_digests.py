"""Digests of the snapshot's lines that papers were told by, so that each is read once."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the column."""
    run_script("0016_snapshot_digests.sql")


def downgrade() -> None:
    """Drop it."""
    run_script("0016_down.sql")
