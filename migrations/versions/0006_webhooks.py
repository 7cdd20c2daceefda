"""Webhooks: subscriptions, attempts to deliver, and the trigger that queues them; labels of jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Make the tables and the trigger; older versions of the service do not mind them."""
    op.create_table(
        "webhooks",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("new_job_id()"),
            nullable=False,
            comment="Subscription id, a UUID of version 7.",
        ),
        sa.Column("url", sa.Text(), nullable=False, comment="Where its deliveries are sent."),
        sa.Column(
            "events",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Events it is for: job.completed, job.failed, job.cancelled.",
        ),
        sa.Column(
            "labels",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Labels that a job must have for it, all of them.",
        ),
        sa.Column(
            "secret",
            sa.Text(),
            nullable=False,
            comment="What its deliveries are signed with; secret.",
        ),
        sa.Column(
            "paused",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="True: it gets nothing; what happens meanwhile is not made up for.",
        ),
        sa.Column(
            "disabled_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When its receiver answered 410.",
        ),
        sa.Column(
            "disabled_reason",
            sa.Text(),
            nullable=True,
            comment="Why it was disabled: a stable word.",
        ),
        sa.Column(
            "created_by", sa.Text(), nullable=True, comment="Subject of the token that made it."
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was made.",
        ),
        sa.CheckConstraint("jsonb_typeof(labels) = 'object'", name=op.f("webhooks_labels_by_name")),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_reason IS NULL)",
            name=op.f("webhooks_disabled_for_a_reason"),
        ),
        sa.CheckConstraint(
            "cardinality(events) > 0 AND events <@ ARRAY['job.completed', 'job.failed', 'job.cancelled']",
            name=op.f("webhooks_events_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("webhooks_pkey")),
        comment="Subscriptions: who is called back when jobs end.",
    )
    op.create_index("webhooks_of_caller", "webhooks", ["created_by"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("new_job_id()"),
            nullable=False,
            comment="Id of this attempt, a UUID of version 7: sorts by creation.",
        ),
        sa.Column(
            "webhook_id",
            sa.Text(),
            nullable=False,
            comment="The header webhook-id: the same for all attempts of one delivery.",
        ),
        sa.Column(
            "subscription_id",
            sa.Uuid(),
            nullable=True,
            comment="The subscription; null for the callback_url of a request.",
        ),
        sa.Column("job_id", sa.Uuid(), nullable=False, comment="The job that ended."),
        sa.Column(
            "event",
            sa.Text(),
            nullable=False,
            comment="job.completed, job.failed or job.cancelled.",
        ),
        sa.Column("url", sa.Text(), nullable=False, comment="Where it is sent."),
        sa.Column(
            "attempt", sa.Integer(), nullable=False, comment="Which attempt this is, from 1."
        ),
        sa.Column(
            "status",
            sa.Text(),
            server_default=sa.text("'pending'"),
            nullable=False,
            comment="pending, or final: delivered, failed.",
        ),
        sa.Column(
            "http_status",
            sa.Integer(),
            nullable=True,
            comment="What the receiver answered, if it did.",
        ),
        sa.Column(
            "error", sa.Text(), nullable=True, comment="Why the attempt failed: a stable word."
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the attempt was queued.",
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it is due; null once final.",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was delivered or failed.",
        ),
        sa.CheckConstraint(
            "event IN ('job.completed', 'job.failed', 'job.cancelled')",
            name=op.f("webhook_deliveries_event_known"),
        ),
        sa.CheckConstraint(
            "(status = 'pending') = (ended_at IS NULL)",
            name=op.f("webhook_deliveries_ended_iff_final"),
        ),
        sa.CheckConstraint(
            "(status = 'pending') = (next_attempt_at IS NOT NULL)",
            name=op.f("webhook_deliveries_due_iff_pending"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'delivered', 'failed')",
            name=op.f("webhook_deliveries_status_known"),
        ),
        sa.CheckConstraint("attempt >= 1", name=op.f("webhook_deliveries_attempt_from_one")),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["webhooks.id"],
            name=op.f("webhook_deliveries_subscription_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("webhook_deliveries_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_deliveries_pkey")),
        comment="Attempts to call back, one row each.",
    )
    op.create_index(
        "webhook_deliveries_by_job", "webhook_deliveries", ["job_id", "id"], unique=False
    )
    op.create_index(
        "webhook_deliveries_by_status", "webhook_deliveries", ["status", "id"], unique=False
    )
    op.create_index(
        "webhook_deliveries_by_subscription",
        "webhook_deliveries",
        ["subscription_id"],
        unique=False,
    )
    op.create_index(
        "webhook_deliveries_due",
        "webhook_deliveries",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "webhook_deliveries_one_pending",
        "webhook_deliveries",
        ["webhook_id"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "jobs_by_label",
        "jobs",
        [sa.literal_column("(request -> 'labels')")],
        postgresql_using="gin",
        postgresql_where=sa.text("request ? 'labels'"),
    )
    script = (SQL / "0006_webhooks.sql").read_text(encoding="utf-8")
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))


def downgrade() -> None:
    """Drop the trigger and the tables; callbacks that wait are lost."""
    op.execute("DROP TRIGGER jobs_call_back ON jobs")
    op.execute("DROP FUNCTION jobs_call_back()")
    op.execute("DELETE FROM pgqueuer WHERE entrypoint = 'webhook'")
    op.drop_index("jobs_by_label", "jobs")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
