"""Workers: which there are, when each was last heard of, and how often one was stalled."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _moment(name: str, comment: str) -> "sa.Column[object]":
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text("now()"),
        nullable=False,
        comment=comment,
    )


def upgrade() -> None:
    """Make both tables; older versions of the service do not mind them."""
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False, comment="Made anew by each worker process."),
        sa.Column("host", sa.Text(), nullable=False, comment="Name of its host."),
        sa.Column("pid", sa.Integer(), nullable=False, comment="Its process id on that host."),
        sa.Column("version", sa.Text(), nullable=False, comment="Version of the service it runs."),
        sa.Column(
            "lease_seconds",
            sa.Float(),
            nullable=False,
            comment="Its LEASE_SECONDS; silent for two of them it counts as gone.",
        ),
        _moment("started_at", "When it started."),
        _moment("heartbeat_at", "When it was last heard of, by the database clock."),
        sa.Column(
            "tasks",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Tasks it had in hand then.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("workers_pkey")),
        sa.CheckConstraint("tasks >= 0", name=op.f("workers_tasks_not_negative")),
        sa.CheckConstraint("lease_seconds > 0", name=op.f("workers_lease_positive")),
        comment="Worker processes; each removes its row when it ends in order.",
    )
    op.create_table(
        "fleet_counters",
        sa.Column("name", sa.Text(), nullable=False, comment="What is counted, such as stalls."),
        sa.Column(
            "value",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="How often it happened, ever, on any replica.",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("fleet_counters_pkey")),
        sa.CheckConstraint("value >= 0", name=op.f("fleet_counters_value_not_negative")),
        comment="What happened on any replica, counted for the metrics across restarts.",
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("fleet_counters")
    op.drop_table("workers")
