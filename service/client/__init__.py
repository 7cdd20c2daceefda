"""What another service imports to use this one: submit, wait, read what was brought in.

    async with IngestionClient("http://ingestion:8000", token) as client:
        job = await client.submit({"search_query": {"category": "cs.AI"}})
        report = await client.wait(job.job_id, timeout=timedelta(minutes=30))

What may be repeated is repeated for a bounded time; what can go wrong is drawn in
`service.client.errors`. Answers may grow keys that this client does not know.
"""

from service.client.calls import PATIENCE
from service.client.errors import (
    BrokenOff,
    ClientError,
    DamagedFile,
    ProblemError,
    ServiceUnreachable,
)
from service.client.ingestion import IngestionClient
from service.client.reports import JobPaperDocument, JobReport, PaperDocument, ScheduleDocument
from service.client.transport import Token

__all__ = [
    "PATIENCE",
    "BrokenOff",
    "ClientError",
    "DamagedFile",
    "IngestionClient",
    "JobPaperDocument",
    "JobReport",
    "PaperDocument",
    "ProblemError",
    "ScheduleDocument",
    "ServiceUnreachable",
    "Token",
]
