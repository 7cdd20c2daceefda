"""Exports of papers to a file: whole, or no file at all."""

import asyncio
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from arxiv_ingestion_client.transport import Ask, Transport

FORMATS = {
    "bibtex": "application/x-bibtex",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


async def export_file(transport: Transport, ask: Ask, path: Path, *, timeout: timedelta) -> int:
    """Write the answer to `path`, and return its size in bytes.

    It is written beside `path` first: an answer that breaks off (BrokenOff), an error
    (ProblemError) or TimeoutError leave `path` as it was.
    """
    part = path.with_name(f".{token_hex(8)}.part")
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            file = await asyncio.to_thread(part.open, "xb")
            try:
                size = await _copy(transport, ask, file)
            finally:
                await asyncio.to_thread(file.close)
        await asyncio.to_thread(part.replace, path)
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return size


async def _copy(transport: Transport, ask: Ask, file: BinaryIO) -> int:
    size = 0
    async with transport.opened(ask) as flow:
        while piece := await flow.piece():
            size += await asyncio.to_thread(file.write, piece)
    return size
