"""Asyncio client of the arXiv ingestion service: submit, wait, read papers.

    async with IngestionClient("http://ingestion:8000", token) as client:
        job = await client.submit({"search_query": {"category": "cs.AI"}})
        report = await client.wait(job.job_id, timeout=timedelta(minutes=30))

What may be repeated is repeated for a bounded time; what can go wrong is drawn in
`arxiv_ingestion_client.errors`. Answers may grow keys that this client does not know.
"""

from arxiv_ingestion_client.calls import MAX_WAIT
from arxiv_ingestion_client.errors import (
    BrokenOff,
    ClientError,
    DamagedFile,
    ProblemError,
    ServiceUnreachable,
    WebhookRefused,
)
from arxiv_ingestion_client.ingestion import IngestionClient
from arxiv_ingestion_client.reports import (
    ChangeDocument,
    DeliveryDocument,
    ErrorGroupDocument,
    EstimateDocument,
    FoundPaperDocument,
    JobEventDocument,
    JobPaperDocument,
    JobReport,
    PaperDocument,
    ReferenceDocument,
    ScheduleDocument,
    ThroughputDocument,
    WebhookDocument,
)
from arxiv_ingestion_client.transport import Token
from arxiv_ingestion_client.webhooks import verify_webhook

__all__ = [
    "MAX_WAIT",
    "BrokenOff",
    "ChangeDocument",
    "ClientError",
    "DamagedFile",
    "DeliveryDocument",
    "ErrorGroupDocument",
    "EstimateDocument",
    "FoundPaperDocument",
    "IngestionClient",
    "JobEventDocument",
    "JobPaperDocument",
    "JobReport",
    "PaperDocument",
    "ProblemError",
    "ReferenceDocument",
    "ScheduleDocument",
    "ServiceUnreachable",
    "ThroughputDocument",
    "Token",
    "WebhookDocument",
    "WebhookRefused",
    "verify_webhook",
]
