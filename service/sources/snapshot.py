"""Source of a metadata snapshot: a file of JSON lines, read on from where the last batch ended.

A plain file is gone on with at once. A packed one has to be unpacked again up to
that place, unless the same process read it last: files stay open between steps, a
few of them, and a run on a packed one may last longer than others.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from service.arxiv import snapshot_reader
from service.arxiv.snapshot_reader import FileMark, Place, SnapshotNotFound, SnapshotReader, find
from service.domain.checkpoint import Checkpoint
from service.domain.jobs import IngestionRequest, SnapshotCriteria
from service.domain.papers import EntryError
from service.sources.base import NO_DELAY, Batch, HarvestContext, Step, read_state

SNAPSHOT = "snapshot"
FORMAT = 1
MOST_OPEN = 4  # files that stay open between steps
MOST_ERRORS = 1000  # bad lines that are told, each; the others are only counted
PACKED_RUN = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Behind `line` lines and `offset` unpacked bytes of the file with this size and time.

    `met` papers and `bad` lines came so far.
    """

    offset: int = 0
    line: int = 0
    size: int | None = None
    modified_ns: int | None = None
    met: int = 0
    bad: int = 0

    def checkpoint(self, *, done: bool = False) -> Checkpoint:
        """The checkpoint that holds this."""
        return Checkpoint(
            source=SNAPSHOT, format=FORMAT, state=asdict(self), done=done, needs_arxiv=False
        )

    @property
    def place(self) -> Place:
        """Where to go on."""
        return Place(self.offset, self.line)

    @property
    def mark(self) -> FileMark | None:
        """The state of the file, None before it was opened."""
        if self.size is None or self.modified_ns is None:
            return None
        return FileMark(self.size, self.modified_ns)


@dataclass(slots=True)
class _Open:
    """A file under way: `place` is where its next batch begins. One is read ahead, in a thread."""

    reader: SnapshotReader
    batches: Iterator[snapshot_reader.Batch]
    place: Place
    _ahead: asyncio.Future[snapshot_reader.Batch | None] | None = None

    def read_ahead(self) -> asyncio.Future[snapshot_reader.Batch | None]:
        """Begin to read the next batch, unless that is under way."""
        if self._ahead is None:
            self._ahead = asyncio.ensure_future(asyncio.to_thread(next, self.batches, None))
        return self._ahead

    async def next(self) -> snapshot_reader.Batch | None:
        """The next batch with lines, None at the end."""
        while True:
            batch = await asyncio.shield(self.read_ahead())
            self._ahead = None
            if batch is None or batch.papers or batch.bad:  # else one of a file that is unpacked
                return batch

    async def close(self) -> None:
        """Close the file, once nobody reads it any more."""
        if self._ahead is not None:
            await asyncio.wait({self._ahead})
            if not self._ahead.cancelled():
                self._ahead.exception()  # of a batch that nobody wants any more
        self.reader.close()


@dataclass(frozen=True, slots=True)
class SnapshotSource:
    """Files in `directory` (None: there are none)."""

    directory: Path | None
    name: str = SNAPSHOT
    _open: dict[UUID, _Open] = field(default_factory=dict)

    def serves(self, request: IngestionRequest) -> bool:
        """Requests for this source."""
        return request.source == SNAPSHOT

    def first(self, _: IngestionRequest) -> Checkpoint:
        """The beginning of the file."""
        return _State().checkpoint()

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The next lines; raises SnapshotNotFound, -Unreadable, -Truncated and -Changed."""
        state = read_state(checkpoint, FORMAT, _State)
        file = self._open.pop(context.job_id, None)
        if file is None or file.place != state.place:
            if file is not None:
                await file.close()
            file = await asyncio.to_thread(self._opened, context.request, state)
        try:
            batch = await file.next()
        except BaseException:
            await file.close()
            raise
        if batch is None:
            await file.close()
            return Step(following=state.checkpoint(done=True), is_page=False)
        step = _step(state, batch, file.reader, context.request)
        if step.following.done:
            await file.close()
        else:
            await self._keep(context.job_id, file, batch.place)
        return step

    def _opened(self, request: IngestionRequest, state: _State) -> _Open:
        wanted: SnapshotCriteria | None = request.snapshot
        if self.directory is None or wanted is None:
            raise SnapshotNotFound("SNAPSHOT_DIR is not set")
        path = find(self.directory, wanted.file)
        reader = SnapshotReader(path, place=state.place, expected=state.mark)
        return _Open(reader, reader.batches(request.batch_size), state.place)

    async def _keep(self, job_id: UUID, file: _Open, place: Place) -> None:
        file.place = place
        file.read_ahead()
        self._open[job_id] = file
        while len(self._open) > MOST_OPEN:
            await self._open.pop(next(iter(self._open))).close()


def _step(
    state: _State, batch: snapshot_reader.Batch, reader: SnapshotReader, request: IngestionRequest
) -> Step:
    papers = batch.papers[: max(0, request.bound - state.met)]
    told = batch.bad[: max(0, MOST_ERRORS - state.bad)]
    following = _State(
        offset=batch.place.offset,
        line=batch.place.line,
        size=reader.mark.size,
        modified_ns=reader.mark.modified_ns,
        met=state.met + len(papers),
        bad=state.bad + len(batch.bad),
    )
    return Step(
        batch=Batch(
            records=papers,
            errors=[EntryError(b.reason, b.arxiv_id, code="bad_line", line=b.line) for b in told],
            untold=len(batch.bad) - len(told),
            facts={"bytes_read": batch.bytes_read, "bytes_total": reader.mark.size},
        ),
        following=following.checkpoint(done=following.met >= request.bound),
        is_page=False,
        run=PACKED_RUN if reader.is_packed else NO_DELAY,
    )
