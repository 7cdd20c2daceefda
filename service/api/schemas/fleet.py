"""What `GET /api/v1/fleet` and the pause of arXiv answer, for the description of the API."""

from typing import Any

from marshmallow import Schema, fields, validate

from service.api.schemas.fields import said
from service.api.schemas.sources import SetSpec
from service.domain.channels import Availability, Channel

# as the service has answered it: the example in the API description
FLEET_EXAMPLE: dict[str, Any] = {
    "at": "2026-11-30T10:50:00.106475Z",
    "workers": [
        {
            "host": "ingest-1",
            "pid": 4711,
            "version": "1.0.0",
            "heartbeat_at": "2026-11-30T10:49:58.206475Z",
            "tasks": 5,
        }
    ],
    "queue": [{"kind": "pdf", "queued": 120, "running": 8, "oldest_due_seconds": 3.5}],
    "channels": [
        {
            "channel": "api",
            "state": "unavailable",
            "since": "2026-11-30T10:48:12.206475Z",
            "next_slot_at": "2026-11-30T10:50:05.206475Z",
            "cooldown_until": None,
            "answers": False,
        }
    ],
    "storage": "available",
    "database": "available",
}
PAUSED_EXAMPLE = {"paused": True, "since": "2026-11-30T10:48:12.206475Z"}
RESUMED_EXAMPLE = {"paused": False, "since": None}


class FleetEventsQuerySchema(Schema):
    """Query parameters of GET /api/v1/fleet/events."""

    set = SetSpec(metadata=said("The set of which coverage is told; not given: all of arXiv."))


class WorkerSchema(Schema):
    """A worker process that is alive."""

    host = fields.String(required=True)
    pid = fields.Integer(required=True)
    version = fields.String(required=True)
    heartbeat_at = fields.DateTime(required=True)
    tasks = fields.Integer(required=True)


class FleetQueueSchema(Schema):
    """The tasks of one kind. `oldest_due_seconds` is 0 when none is due."""

    kind = fields.String(required=True)
    queued = fields.Integer(required=True)
    running = fields.Integer(required=True)
    oldest_due_seconds = fields.Float(required=True)


class ChannelSchema(Schema):
    """One channel to arXiv. `since` is null while it is available.

    `answers` is false from the first request without an answer to the next one with one.
    """

    channel = fields.String(required=True, validate=validate.OneOf(tuple(Channel)))
    state = fields.String(required=True, validate=validate.OneOf(tuple(Availability)))
    since = fields.DateTime(required=True, allow_none=True)
    next_slot_at = fields.DateTime(required=True)
    cooldown_until = fields.DateTime(required=True, allow_none=True)
    answers = fields.Boolean(required=True)


class FleetSchema(Schema):
    """All workers, the queue, the channels to arXiv, storage and database, of one moment."""

    at = fields.DateTime(required=True)
    workers = fields.List(fields.Nested(WorkerSchema), required=True)
    queue = fields.List(fields.Nested(FleetQueueSchema), required=True)
    channels = fields.List(fields.Nested(ChannelSchema), required=True)
    storage = fields.String(required=True, validate=validate.OneOf(("available", "unavailable")))
    database = fields.String(required=True, validate=validate.OneOf(("available", "read_only")))


class PauseSchema(Schema):
    """Whether requests to arXiv are stopped, and since when."""

    paused = fields.Boolean(required=True)
    since = fields.DateTime(required=True, allow_none=True)
