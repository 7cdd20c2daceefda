"""Tables of a job's timeline: what happened, and how much in each interval.

Triggers write them (migrations/sql/0008_job_events.sql), so that they tell what was
committed, whoever did it: the service, or an operator in SQL.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Integer,
    Table,
    Text,
    func,
)

from service.db.columns import job_key, moment, one_of
from service.db.tables import metadata
from service.domain.job_events import JobEventKind

job_events = Table(
    "job_events",
    metadata,
    job_key(),
    Column(
        "id",
        BigInteger,
        Identity(),
        primary_key=True,
        comment="Order of events; each job's are in the order of their commits.",
    ),
    Column(
        "at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
        comment="When it happened; of a page or wait that stands for several: the first.",
    ),
    Column(
        "event",
        Text,
        nullable=False,
        comment="created, started, page, waiting, finished or callback.",
    ),
    Column("number", Integer, comment="Pages or waits of the job so far, this row's included."),
    Column(
        "times",
        Integer,
        nullable=False,
        server_default="1",
        comment="How many pages or waits the row stands for; from the 501st on several share one.",
    ),
    moment("ended_at", "When the wait ended, null while it lasts; the last of several pages."),
    Column("papers_fetched", Integer, comment="Papers of the job fetched with this page."),
    Column("reason", Text, comment="What was waited for: a value of jobs.waiting_for."),
    Column("status", Text, comment="How the job finished, or what became of the callback."),
    Column("webhook_id", Text, comment="Header webhook-id of the callback."),
    Column("attempt", Integer, comment="Which attempt of the callback it was, from 1."),
    Column("http_status", Integer, comment="What the receiver answered, if it did."),
    Column("error", Text, comment="Why the attempt failed: a stable word."),
    CheckConstraint(one_of("event", JobEventKind), name="event_known"),
    CheckConstraint("times >= 1", name="times_from_one"),
    CheckConstraint(
        "at >= '0001-01-01 00:00:00+00' AND at < '10000-01-01 00:00:00+00'",
        name="moments_in_range",
    ),
    comment="What happened to each job, in order; written by triggers, at most some thousand"
    " rows a job.",
)

job_intervals = Table(
    "job_intervals",
    metadata,
    job_key(),
    Column(
        "at",
        DateTime(timezone=True),
        primary_key=True,
        comment="Begin of the interval: 10 s in a job's first hour, then a minute, from the"
        " second day on ten minutes, from the eleventh on an hour.",
    ),
    Column("papers", Integer, nullable=False, server_default="0", comment="Papers fetched in it."),
    Column(
        "pdfs",
        Integer,
        nullable=False,
        server_default="0",
        comment="PDFs whose text was stored in it.",
    ),
    CheckConstraint("papers >= 0 AND pdfs >= 0", name="counts_not_negative"),
    comment="What each job did in each interval of time; written by a trigger.",
)
