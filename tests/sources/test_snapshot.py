"""A snapshot between steps: what is open, and what is read before it is asked for."""

from uuid import UUID

import psutil
import pytest

from service.arxiv.pace import Requester
from service.arxiv.snapshot_reader import SnapshotTruncated
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.records import Records
from service.devtools.stand_in.snapshot import lines, write_snapshot
from service.domain.jobs import IngestionRequest, SnapshotCriteria
from service.sources.base import HarvestContext
from service.sources.snapshot import MOST_OPEN, SnapshotSource

PAPERS, SIZE = 60, 10
REQUEST = IngestionRequest(
    source="snapshot", snapshot=SnapshotCriteria(file="arxiv.json"), batch_size=SIZE
)


def context(number: int) -> HarvestContext:
    async def check() -> None: ...

    return HarvestContext(
        job_id=UUID(int=number),
        request=REQUEST,
        held=None,
        requester=Requester(str(number), check),
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "arxiv.json"
    write_snapshot(Records(Corpus(papers=PAPERS, seed=7)), path)
    return path


def opened(path) -> int:
    """How often this process has the file open."""
    return sum(one.path == str(path) for one in psutil.Process().open_files())


async def test_many_jobs_in_turns_all_get_every_line_with_few_files_open(path):
    source, jobs = SnapshotSource(path.parent), range(MOST_OPEN + 3)
    places = dict.fromkeys(jobs, source.first(REQUEST))
    met = {job: [] for job in jobs}
    most = 0

    while not all(place.done for place in places.values()):
        for job in jobs:
            if not places[job].done:
                step = await source.fetch(context(job), places[job])
                met[job] += [paper.arxiv_id.paper for paper in step.batch.records]
                places[job] = step.following
                most = max(most, opened(path))

    assert len(met[0]) == len(set(met[0])) == PAPERS
    assert all(ids == met[0] for ids in met.values())
    assert most <= MOST_OPEN
    assert opened(path) == 0


async def test_what_is_wrong_with_lines_read_ahead_is_told_by_the_step_that_wants_them(path):
    whole = b"".join(list(lines(Records(Corpus(papers=PAPERS, seed=7))))[: SIZE + 2])
    path.write_bytes(whole[:-20])
    source = SnapshotSource(path.parent)

    first = await source.fetch(context(1), source.first(REQUEST))
    second = await source.fetch(context(1), first.following)
    with pytest.raises(SnapshotTruncated):
        await source.fetch(context(1), second.following)

    assert [len(step.batch.records) for step in (first, second)] == [SIZE, 1]
    assert opened(path) == 0
