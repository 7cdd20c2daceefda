"""Workers: which there are, when each was last heard of, and how often one was stalled."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make both tables; older versions of the service do not mind them."""
    run_script("0002_workers.sql")


def downgrade() -> None:
    """Drop both tables."""
    run_script("0002_down.sql")
