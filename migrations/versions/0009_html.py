"""HTML of papers: pages held, their state in each job, documents of both sources, the channel."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add columns, a table and a channel.

    Workers of an older version cannot store documents beside it: they come back to their PDFs.
    """
    run_script("0009_html.sql")


def downgrade() -> None:
    """Drop them again, documents made of HTML too."""
    run_script("0009_down.sql")
