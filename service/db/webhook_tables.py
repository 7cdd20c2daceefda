"""Tables of webhooks: who wants to be told, and each attempt to tell them.

The rows of an ending job are written by a trigger (migrations/sql/0006_webhooks.sql), so
that they are there whoever ends it: the service, or an operator in SQL.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from service.db.columns import listed, moment
from service.db.tables import metadata
from service.domain.webhooks import DeliveryStatus, WebhookEvent

webhooks = Table(
    "webhooks",
    metadata,
    Column(
        "id",
        Uuid,
        primary_key=True,
        server_default=text("new_job_id()"),
        comment="Subscription id, a UUID of version 7.",
    ),
    Column("url", Text, nullable=False, comment="Where its deliveries are sent."),
    Column(
        "events",
        ARRAY(Text),
        nullable=False,
        comment="Events it is for: job.completed, job.failed, job.cancelled.",
    ),
    Column(
        "labels",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="Labels that a job must have for it, all of them.",
    ),
    Column("secret", Text, nullable=False, comment="What its deliveries are signed with; secret."),
    Column(
        "paused",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True: it gets nothing; what happens meanwhile is not made up for.",
    ),
    moment("disabled_at", "When its receiver answered 410."),
    Column("disabled_reason", Text, comment="Why it was disabled: a stable word."),
    Column("created_by", Text, comment="Subject of the token that made it."),
    moment("created_at", "When it was made.", now=True),
    CheckConstraint(
        f"cardinality(events) > 0 AND events <@ ARRAY[{listed(WebhookEvent)}]", name="events_known"
    ),
    CheckConstraint("jsonb_typeof(labels) = 'object'", name="labels_by_name"),
    CheckConstraint(
        "(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled_for_a_reason"
    ),
    Index("webhooks_of_caller", "created_by"),
    comment="Subscriptions: who is called back when jobs end.",
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column(
        "id",
        Uuid,
        primary_key=True,
        server_default=text("new_job_id()"),
        comment="Id of this attempt, a UUID of version 7: sorts by creation.",
    ),
    Column(
        "webhook_id",
        Text,
        nullable=False,
        comment="The header webhook-id: the same for all attempts of one delivery.",
    ),
    Column(
        "subscription_id",
        Uuid,
        ForeignKey("webhooks.id", ondelete="CASCADE"),
        comment="The subscription; null for the callback_url of a request.",
    ),
    Column(
        "job_id",
        Uuid,
        ForeignKey("jobs.id", ondelete="CASCADE"),
        nullable=False,
        comment="The job that ended.",
    ),
    Column("event", Text, nullable=False, comment="job.completed, job.failed or job.cancelled."),
    Column("url", Text, nullable=False, comment="Where it is sent."),
    Column("attempt", Integer, nullable=False, comment="Which attempt this is, from 1."),
    Column(
        "status",
        Text,
        nullable=False,
        server_default=DeliveryStatus.PENDING,
        comment="pending, or final: delivered, failed.",
    ),
    Column("http_status", Integer, comment="What the receiver answered, if it did."),
    Column("error", Text, comment="Why the attempt failed: a stable word."),
    moment("created_at", "When the attempt was queued.", now=True),
    moment("next_attempt_at", "When it is due; null once final."),
    moment("ended_at", "When it was delivered or failed."),
    CheckConstraint(f"event IN ({listed(WebhookEvent)})", name="event_known"),
    CheckConstraint(f"status IN ({listed(DeliveryStatus)})", name="status_known"),
    CheckConstraint("attempt >= 1", name="attempt_from_one"),
    CheckConstraint("(status = 'pending') = (ended_at IS NULL)", name="ended_iff_final"),
    CheckConstraint("(status = 'pending') = (next_attempt_at IS NOT NULL)", name="due_iff_pending"),
    # DeliveryStore.resend: one attempt of a delivery at a time
    Index(
        "webhook_deliveries_one_pending",
        "webhook_id",
        unique=True,
        postgresql_where=text("status = 'pending'"),
    ),
    # DeliveryStore.list_overdue
    Index(
        "webhook_deliveries_due",
        "next_attempt_at",
        postgresql_where=text("status = 'pending'"),
    ),
    # DeliveryStore.list_page, by each of its filters, and the foreign keys
    Index("webhook_deliveries_by_job", "job_id", "id"),
    Index("webhook_deliveries_by_status", "status", "id"),
    Index("webhook_deliveries_by_subscription", "subscription_id"),
    comment="Attempts to call back, one row each.",
)
