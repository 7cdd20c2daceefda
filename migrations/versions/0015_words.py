"""Plainer words in comments that operators read."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Say it plainly."""
    run_script("0015_words.sql")


def downgrade() -> None:
    """Say it as before."""
    run_script("0015_down.sql")
