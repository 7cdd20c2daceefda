"""Schedules: a time zone, the moment to make up for, and the jobs that are runs of one."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the columns; older versions of the service do not mind them."""
    run_script("0012_schedules.sql")


def downgrade() -> None:
    """Drop the columns; a schedule of another time zone goes on in UTC."""
    run_script("0012_down.sql")
