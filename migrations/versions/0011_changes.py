"""The change feed: what changed of papers, written by triggers, in an order readers can trust."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add tables, functions and triggers; papers that are held become the feed's beginning."""
    run_script("0011_changes.sql")


def downgrade() -> None:
    """Take them away again; readers of the feed begin anew after the next upgrade."""
    run_script("0011_down.sql")
