"""File download to a path: complete and checked, or no file at all."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

from aiohttp import hdrs

from arxiv_ingestion_client.answers import Flow
from arxiv_ingestion_client.errors import NOT_OURS, BrokenOff, DamagedFile, ServiceUnreachable
from arxiv_ingestion_client.transport import Ask, Transport

MAX_CONNECTIONS = 10  # for one file: it is gone on with where a connection broke off

_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)", re.ASCII)


async def download(
    transport: Transport, ask: Ask, path: Path, *, max_bytes: int, timeout: timedelta
) -> str:
    """The SHA-256 of the file that is at `path` now; what was there before is replaced.

    The file is written beside `path` first. Raises DamagedFile when it is larger
    than `max_bytes` or not the one that its ETag names, and TimeoutError.
    """
    part = path.with_name(f".{token_hex(8)}.part")
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            file = await asyncio.to_thread(part.open, "xb")
            try:
                digest = await _Copy(file, max_bytes).fill(transport, ask)
            finally:
                await asyncio.to_thread(file.close)
        await asyncio.to_thread(part.replace, path)
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return digest


@dataclass(slots=True)
class _Copy:
    """The file while it grows."""

    file: BinaryIO
    max_bytes: int
    size: int = 0
    etag: str = ""
    digest: Any = field(default_factory=hashlib.sha256)

    async def fill(self, transport: Transport, ask: Ask) -> str:
        """Write the file to its end, over as many connections as are allowed."""
        for left in reversed(range(MAX_CONNECTIONS)):
            headers = {**ask.headers, hdrs.ACCEPT_ENCODING: "identity", **self._rest()}
            async with transport.opened(replace(ask, headers=headers)) as flow:
                try:
                    await self._take(flow)
                    break
                except BrokenOff:
                    if not left:
                        raise
        found: str = self.digest.hexdigest()
        if found != self.etag.strip('"'):
            raise DamagedFile("the file is not the one that its ETag names")
        return found

    def _rest(self) -> Mapping[str, str]:
        """The headers that ask for what is missing, of the same file only."""
        if not self.size:
            return {}
        return {hdrs.RANGE: f"bytes={self.size}-", hdrs.IF_RANGE: self.etag}

    async def _take(self, flow: Flow) -> None:
        if flow.status == 206:
            first = _RANGE.fullmatch(flow.headers.get(hdrs.CONTENT_RANGE, ""))
            if first is None or int(first[1]) != self.size:
                raise ServiceUnreachable(NOT_OURS)
        else:
            await self._begin(flow.headers.get(hdrs.ETAG, ""))
        while piece := await flow.piece():
            self.size += len(piece)
            if self.size > self.max_bytes:
                raise DamagedFile(f"the file is larger than {self.max_bytes} bytes")
            self.digest.update(piece)
            await asyncio.to_thread(self.file.write, piece)

    async def _begin(self, etag: str) -> None:
        """Nothing is kept: this is the first answer, or the file is another one now."""
        self.size, self.etag, self.digest = 0, etag, hashlib.sha256()
        await asyncio.to_thread(self.file.seek, 0)
        await asyncio.to_thread(self.file.truncate)
