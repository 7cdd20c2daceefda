"""S3 storage of PDFs, for fleets without a shared folder.

A download lands in a folder of this host first, is checked there, and is then
uploaded. S3 shows an object only when its last byte has come, also one that
was sent in parts, so no reader ever sees a short one; each part carries its
SHA-256, which the server compares before it takes it. An upload whose sender
died leaves parts that nobody sees; a lifecycle rule of the bucket removes them
(docs/operations.md).

obstore's blocking calls are used, in threads: its asynchronous ones may abort the
process when it ends (PyO3/pyo3-async-runtimes#40).

What was just uploaded is kept on this host until its text has been read, so
that no PDF crosses the network twice without need.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store as Bucket

from service.domain.errors import NotFound, StorageUnavailable
from service.domain.papers import StoredPdf
from service.files.blocking import in_thread
from service.files.folder import MARKER, storage_errors
from service.files.local_copies import Copies
from service.files.partial_file import Part
from service.files.paths import is_plain
from service.files.store import KeptFile, PdfStore

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import S3Config

T = TypeVar("T")

PART_BYTES = 8 << 20  # S3 wants parts of 5 MiB at least; a smaller PDF goes in one request
PARTS_AT_ONCE = 4
BLOCK_BYTES = 1 << 20
THREADS = 16  # transfers at once, in one process
REQUEST_TIMEOUT = timedelta(seconds=20)  # one part; a hanging server holds up an exit so long
CONNECT_TIMEOUT = timedelta(seconds=5)
RETRIES = 2
RETRY_TIMEOUT = timedelta(seconds=10)
TRANSFER_DEADLINE = timedelta(minutes=10)  # for the largest PDF, on a slow line
PROBE_DEADLINE = timedelta(seconds=2)  # a readiness probe waits no longer than 2.5 s
PROBE_EVERY = timedelta(seconds=10)
PROBE = ".probe"
_TYPES = {"pdf": "application/pdf", "html": "text/html"}


def bucket_of(name: str, *, prefix: str, endpoint: str | None, checksum: str = "sha256") -> Bucket:
    """A bucket, with credentials and region from the AWS variables of the environment.

    `endpoint`: URL of a server that is not Amazon's; http only if it says so.
    `checksum`: `sha256`, or `none` for a server that refuses the headers of checksums.
    """
    config: S3Config = {} if checksum == "none" else {"checksum_algorithm": "SHA256"}
    if endpoint is not None:
        config["endpoint"] = endpoint
    return Bucket(
        name,
        prefix=prefix or None,
        config=config,
        client_options={
            "timeout": REQUEST_TIMEOUT,
            "connect_timeout": CONNECT_TIMEOUT,
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_TIMEOUT},
    )


class S3Store(PdfStore):
    """PDFs as objects of `bucket`, downloads in progress below `folder`; see `PdfStore`.

    What another host has begun is not gone on with, and half an upload is the bucket's to
    remove.
    """

    def __init__(self, bucket: Bucket, folder: Path, *, max_bytes: int) -> None:
        super().__init__(folder, max_bytes=max_bytes)
        self._bucket = bucket
        self._copies = Copies(self._root)
        # Threads of our own: an S3 that hangs must not hold those that files are written with.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")
        self._written_at = -PROBE_EVERY.total_seconds()  # loop time

    async def prepare(self) -> None:
        """Make the local folder, and mark the bucket as ours."""
        await super().prepare()
        await self._put(MARKER, b"")

    async def _keep(self, part: Part, pdf: StoredPdf) -> None:
        """Upload the part under its final key, in one step; an object already there is replaced.

        An upload that nobody waits for any more goes on in its thread, reading the
        part. So that file loses its name: no later download can take it over, and
        what lands under the key is what the key says.
        """
        try:
            await self._put(pdf.path, part.path)
        except asyncio.CancelledError:
            await part.discard()
            raise
        with storage_errors():
            await in_thread(self._copies.keep, part, pdf.sha256)

    async def verify(self, path: str, sha256: str, size_bytes: int) -> bool:
        """Reads the whole object, unless its size already tells."""
        digest = hashlib.sha256()
        try:
            async for block in self._blocks(path, range(size_bytes), size_bytes=size_bytes):
                digest.update(block)
        except NotFound:
            return False
        return digest.hexdigest() == sha256

    @asynccontextmanager
    async def local_copy(self, pdf: StoredPdf) -> AsyncIterator[Path]:
        """The file as it was uploaded just now, or a download of it; gone at the end."""
        with storage_errors():
            copy = await in_thread(self._copies.open, pdf.sha256)
        try:
            if not copy.is_filled:
                await self._fill(copy.fd, pdf)
            yield copy.path
        finally:
            await in_thread(self._copies.close, copy)

    async def read(self, path: str, wanted: range) -> AsyncGenerator[bytes]:
        """Pieces of at most 1 MiB; an object that is replaced meanwhile raises NotFound."""
        async for block in self._blocks(path, wanted):
            yield block

    async def check_writable(self) -> None:
        """Try the local folder, and the bucket unless it took something in the last ten seconds."""
        await super().check_writable()
        now = asyncio.get_running_loop().time()
        if now - self._written_at >= PROBE_EVERY.total_seconds():
            await self._put(PROBE, b"", deadline=PROBE_DEADLINE)

    async def size_of(self, path: str) -> int | None:
        """One request for each object."""
        with s3_errors():
            meta = await self._meta_of(path)
        return None if meta is None else meta["size"]

    async def list_files(self, *, after: str, limit: int) -> Sequence[KeptFile]:
        """In the order of the keys; the service's own marker and probe are among them."""
        stream = obstore.list(self._bucket, offset=after or None, chunk_size=limit)
        with s3_errors():
            found = await self._in_thread(next, stream, ())
        return [KeptFile(meta["path"], meta["last_modified"]) for meta in found]

    async def remove(self, path: str, *, older_than: timedelta = timedelta(0)) -> bool:
        """By the clock of S3; an object that is replaced in the very moment may go too."""
        with s3_errors():
            meta = await self._meta_of(path)
            if meta is None or meta["last_modified"] > datetime.now(UTC) - older_than:
                return False
            await self._in_thread(obstore.delete, self._bucket, path)
            return True

    async def _put(
        self, key: str, what: Path | bytes, *, deadline: timedelta = TRANSFER_DEADLINE
    ) -> None:
        put = partial(
            obstore.put,
            attributes={"Content-Type": _TYPES.get(key.rpartition(".")[2], _TYPES["pdf"])},
            chunk_size=PART_BYTES,
            max_concurrency=PARTS_AT_ONCE,
        )
        with s3_errors():
            async with asyncio.timeout(deadline.total_seconds()):
                await self._in_thread(put, self._bucket, key, what)
        self._written_at = asyncio.get_running_loop().time()

    async def _blocks(
        self, path: str, wanted: range, *, size_bytes: int | None = None
    ) -> AsyncGenerator[bytes]:
        """These bytes of the object, block by block; NotFound if it has them not, or another size.

        Each block is a request, so that a deadline is one of a block, whatever the
        size. An object that is replaced meanwhile ends it.
        """
        with s3_errors():
            meta = await self._meta_of(path)
            size = -1 if meta is None else meta["size"]
            if meta is None or wanted.stop > size or size_bytes not in (None, size):
                raise NotFound("PDF not found", code="pdf_not_found")
            for start in range(wanted.start, wanted.stop, BLOCK_BYTES):
                end = min(start + BLOCK_BYTES, wanted.stop)
                yield await self._in_thread(self._block, path, (start, end), meta["e_tag"])

    async def _meta_of(self, path: str) -> "ObjectMeta | None":
        """None when there is no such object."""
        if not is_plain(path):
            return None
        try:
            return await self._in_thread(obstore.head, self._bucket, path)
        except FileNotFoundError:
            # A bucket that has gone away is no missing file.
            await self._in_thread(obstore.head, self._bucket, MARKER)
            return None

    def _block(self, path: str, between: tuple[int, int], etag: str | None) -> bytes:
        options: GetOptions = {"range": between, "if_match": etag}
        try:
            block = bytes(obstore.get(self._bucket, path, options=options).bytes())
        except (FileNotFoundError, PreconditionError) as err:
            raise NotFound("PDF not found", code="pdf_not_found") from err
        if len(block) != between[1] - between[0]:
            raise NotFound("PDF not found", code="pdf_not_found")
        return block

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        """What `work` returns; a caller that is cancelled does not wait for its end.

        That harms nothing: an upload shows the whole file or none, whoever waits.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    async def _fill(self, fd: int, pdf: StoredPdf) -> None:
        digest, size = hashlib.sha256(), pdf.size_bytes
        async for block in self._blocks(pdf.path, range(size), size_bytes=size):
            digest.update(block)
            with storage_errors():
                await in_thread(os.write, fd, block)
        if digest.hexdigest() != pdf.sha256:
            raise NotFound("PDF not found", code="pdf_not_found")


@contextmanager
def s3_errors() -> Iterator[None]:
    """Map failures of S3 and the way to it to `StorageUnavailable`, in words without a URL."""
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as err:
        raise StorageUnavailable("The PDF storage cannot be used: access is denied") from err
    except FileNotFoundError as err:
        raise StorageUnavailable("The PDF storage cannot be used: the bucket is missing") from err
    except (BaseError, OSError) as err:  # TimeoutError is one of the second
        raise StorageUnavailable(
            "The PDF storage cannot be used: S3 does not answer as it should"
        ) from err
