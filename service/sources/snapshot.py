"""Source of a metadata snapshot: a file of JSON lines, read on from where the last batch ended.

A plain file is gone on with at once. A packed one has to be unpacked again up to
that place, unless the same process read it last: files stay open between steps, a
few of them, and a run on a packed one may last longer than others.

Lines that told what is held are known by their digests, and not read any further. The
next batch is made while the last one is stored; what is held may change meanwhile, and then
it is as if that had come after the batch.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from uuid import UUID

from service.arxiv import snapshot_reader
from service.arxiv.snapshot import BadLine, paper_of
from service.arxiv.snapshot_reader import FileMark, Place, SnapshotNotFound, SnapshotReader, find
from service.domain.checkpoint import Checkpoint
from service.domain.jobs import IngestionRequest, SnapshotCriteria
from service.domain.papers import EntryError, Paper
from service.sources.base import NO_DELAY, Batch, HarvestContext, HeldReader, Step, read_state

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


@dataclass(frozen=True, slots=True)
class _Lines:
    """Some lines read, in their order: papers, those that are held as they say (True: met), bad.

    `place` and `bytes_read`: as in the reader's batch.
    """

    papers: Sequence[Paper | tuple[str, bool]]
    bad: Sequence[BadLine]
    place: Place
    bytes_read: int


@dataclass(slots=True)
class _Open:
    """A file under way for a job: `place` is where its next batch begins. One is made ahead."""

    reader: SnapshotReader
    batches: Iterator[snapshot_reader.Batch]
    place: Place
    held: HeldReader
    job_id: UUID
    _ahead: asyncio.Future[_Lines | None] | None = None

    def read_ahead(self) -> asyncio.Future[_Lines | None]:
        """Begin to make the next batch, unless that is under way."""
        if self._ahead is None:
            self._ahead = asyncio.ensure_future(self._read())
        return self._ahead

    async def next(self) -> _Lines | None:
        """The next batch with lines, None at the end."""
        lines = await asyncio.shield(self.read_ahead())
        self._ahead = None
        return lines

    async def _read(self) -> _Lines | None:
        while True:
            batch = await asyncio.to_thread(next, self.batches, None)
            if batch is None:
                return None
            if batch.records or batch.bad:  # else one of a file that is unpacked
                break
        digests = {record.paper: record.digest for record in batch.records}
        told = await self.held.told_by_lines(digests, self.job_id)
        return await asyncio.to_thread(_lines, batch, told)

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
            file = await asyncio.to_thread(self._opened, context, state)
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

    def _opened(self, context: HarvestContext, state: _State) -> _Open:
        wanted: SnapshotCriteria | None = context.request.snapshot
        if self.directory is None or wanted is None:
            raise SnapshotNotFound("SNAPSHOT_DIR is not set")
        path = find(self.directory, wanted.file)
        reader = SnapshotReader(path, place=state.place, expected=state.mark)
        batches = reader.batches(context.request.batch_size)
        return _Open(reader, batches, state.place, context.held, context.job_id)

    async def _keep(self, job_id: UUID, file: _Open, place: Place) -> None:
        file.place = place
        file.read_ahead()
        self._open[job_id] = file
        while len(self._open) > MOST_OPEN:
            await self._open.pop(next(iter(self._open))).close()


def _lines(batch: snapshot_reader.Batch, told: Mapping[str, bool]) -> _Lines:
    """Read on what is not `told` by the lines themselves (by id, whether it was met)."""
    # of a paper with several lines each is read: only one can be what is held
    several = {paper for paper, n in Counter(one.paper for one in batch.records).items() if n > 1}
    papers: list[Paper | tuple[str, bool]] = []
    bad = list(batch.bad)
    for record in batch.records:
        if record.paper in told and record.paper not in several:
            papers.append((record.paper, told[record.paper]))
            continue
        read = paper_of(record)
        if isinstance(read, Paper):
            papers.append(read)
        else:
            bad.append(read)
    bad.sort(key=attrgetter("line"))
    return _Lines(papers, bad, batch.place, batch.bytes_read)


def _step(state: _State, batch: _Lines, reader: SnapshotReader, request: IngestionRequest) -> Step:
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
            records=[one for one in papers if isinstance(one, Paper)],
            unchanged=[one[0] for one in papers if not isinstance(one, Paper) and not one[1]],
            errors=[EntryError(b.reason, b.arxiv_id, code="bad_line", line=b.line) for b in told],
            untold=len(batch.bad) - len(told),
            facts={"bytes_read": batch.bytes_read, "bytes_total": reader.mark.size},
        ),
        following=following.checkpoint(done=following.met >= request.bound),
        is_page=False,
        run=PACKED_RUN if reader.is_packed else NO_DELAY,
    )
