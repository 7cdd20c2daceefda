"""Waits of jobs and channels: why a job does not move, outages, cooldowns, and the pause."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add columns and functions; older versions of the service do not mind them."""
    run_script("0003_harvest.sql")


def downgrade() -> None:
    """Take them away again."""
    run_script("0003_down.sql")
