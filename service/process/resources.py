"""Shared resources of API and worker: database pool and PDF store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.config.settings import Settings
from service.db.engine import Database, create_engine
from service.domain.measurements import UNMEASURED, Measurements
from service.domain.outages import OutageLog
from service.files.local import LocalStore
from service.files.s3 import S3Store, bucket_of
from service.files.store import PdfStore


def pdf_store(settings: Settings) -> PdfStore:
    """The storage of the PDFs."""
    if settings.bucket is not None:
        name, prefix = settings.bucket
        bucket = bucket_of(
            name, prefix=prefix, endpoint=settings.s3_endpoint_url, checksum=settings.s3_checksum
        )
        return S3Store(bucket, settings.storage_root, max_bytes=settings.max_pdf_bytes)
    return LocalStore(settings.storage_root, max_bytes=settings.max_pdf_bytes)


@asynccontextmanager
async def database_of(
    url: str,
    *,
    name: str,
    deadline_seconds: float,
    pool_size: int,
    outages: OutageLog | None = None,
    measurements: Measurements = UNMEASURED,
) -> AsyncIterator[Database]:
    """A database pool, closed at the end; `outages` is shared by all pools of a process."""
    engine = create_engine(url, name=f"arxiv-ingestion {name}", pool_size=pool_size)
    database = Database(
        engine, deadline_seconds=deadline_seconds, outages=outages, measurements=measurements
    )
    try:
        yield database
    finally:
        await database.close()
