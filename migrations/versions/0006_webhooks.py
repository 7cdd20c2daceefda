"""Webhooks: subscriptions, attempts to deliver, and the trigger that queues them; labels of jobs."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make the tables and the trigger; older versions of the service do not mind them."""
    run_script("0006_webhooks.sql")


def downgrade() -> None:
    """Drop the trigger and the tables; callbacks that wait are lost."""
    run_script("0006_down.sql")
