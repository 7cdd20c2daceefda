"""Webhook payload: what is told about a job that ended, in less than 20 kB."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

MAX_BYTES = 20_000  # exclusive; Standard Webhooks 1.0 recommends at most 20 kB
SHOWN_ERRORS = 10


def payload(
    event: str, status: Mapping[str, Any], *, timestamp: datetime | str | None, status_url: str
) -> bytes:
    """`{"type","timestamp","data"}` as JSON; `status` is the status object of the job.

    Of it the request is left out, and all errors but the latest ten. Where that is still
    too long, older errors go first, then the labels: the status at `status_url` has all.
    """
    stats = {name: value for name, value in status["stats"].items() if name != "request"}
    for shown in range(SHOWN_ERRORS, -1, -1):
        body = _written(event, status, stats, timestamp, status_url, shown)
        if len(body) < MAX_BYTES:
            return body
    few = {name: value for name, value in stats.items() if _is_plain(value)}
    return _written(event, status, few, timestamp, status_url, 0)


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, int | float) or len(str(value)) <= 100


def _written(
    event: str,
    status: Mapping[str, Any],
    stats: Mapping[str, Any],
    timestamp: datetime | str | None,
    status_url: str,
    shown: int,
) -> bytes:
    errors = status["errors"][-shown:] if shown else []
    data = {
        **status,
        "progress": {**status["progress"], "errors": errors},
        "errors": errors,
        "stats": stats,
        "status_url": status_url,
    }
    return orjson.dumps({"type": event, "timestamp": timestamp, "data": data})
