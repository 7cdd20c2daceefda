"""The timeline of jobs: events and throughput, written by triggers."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make the tables and triggers; older versions of the service do not mind them."""
    run_script("0008_job_events.sql")


def downgrade() -> None:
    """Drop triggers and tables, and what they told."""
    run_script("0008_down.sql")
