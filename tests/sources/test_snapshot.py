"""A snapshot between steps: what is open, and what is read before it is asked for."""

from uuid import UUID

import psutil
import pytest

from service.arxiv.pace import Requester
from service.arxiv.snapshot import paper_of, record_in
from service.arxiv.snapshot_reader import SnapshotTruncated
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.records import Records
from service.devtools.stand_in.snapshot import lines, write_snapshot
from service.domain.jobs import IngestionRequest, SnapshotCriteria
from service.sources.base import HarvestContext
from service.sources.snapshot import MOST_OPEN, SnapshotSource
from tests.sources.conftest import Held

PAPERS, SIZE = 60, 10
RECORDS = Records(Corpus(papers=PAPERS, seed=7))
REQUEST = IngestionRequest(
    source="snapshot", snapshot=SnapshotCriteria(file="arxiv.json"), batch_size=SIZE
)


def context(number: int, held: Held | None = None) -> HarvestContext:
    async def check() -> None: ...

    return HarvestContext(
        job_id=UUID(int=number),
        request=REQUEST,
        held=held or Held(),
        requester=Requester(str(number), check),
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "arxiv.json"
    write_snapshot(RECORDS, path)
    return path


async def steps(source, given: HarvestContext):
    """All steps of a job."""
    made = [await source.fetch(given, source.first(REQUEST))]
    while not made[-1].following.done:
        made.append(await source.fetch(given, made[-1].following))
    return made


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
    whole = b"".join(list(lines(RECORDS))[: SIZE + 2])
    path.write_bytes(whole[:-20])
    source = SnapshotSource(path.parent)

    first = await source.fetch(context(1), source.first(REQUEST))
    second = await source.fetch(context(1), first.following)
    with pytest.raises(SnapshotTruncated):
        await source.fetch(context(1), second.following)

    assert [len(step.batch.records) for step in (first, second)] == [SIZE, 1]
    assert opened(path) == 0


async def test_lines_that_told_what_is_held_are_not_read_on(path, monkeypatch):
    read = []

    def reading(record):
        read.append(record.paper)
        return paper_of(record)

    monkeypatch.setattr("service.sources.snapshot.paper_of", reading)
    first = [record_in(text.rstrip(b"\n"), n) for n, text in enumerate(lines(RECORDS), 1)][:SIZE]
    other = UUID(int=7)
    told = {
        **{one.paper: (one.digest, False) for one in first[:3]},
        first[3].paper: (first[3].digest, True),
        first[4].paper: (other, False),
    }

    step, *_ = await steps(SnapshotSource(path.parent), context(1, Held(lines=told)))

    ids = [one.paper for one in first]
    assert step.batch.unchanged == ids[:3]
    assert [paper.arxiv_id.paper for paper in step.batch.records] == ids[4:] == read[: SIZE - 4]
    assert [paper.snapshot_digest for paper in step.batch.records] == [
        one.digest for one in first[4:]
    ]
    assert step.following.state["met"] == SIZE


async def test_each_of_several_lines_of_a_paper_is_read(path):
    text = next(iter(lines(RECORDS)))
    path.write_bytes(text + text.replace(b'"title":"', b'"title":"Not '))
    record = record_in(text.rstrip(b"\n"), 1)
    held = Held(lines={record.paper: (record.digest, False)})

    step, *_ = await steps(SnapshotSource(path.parent), context(1, held))

    assert (len(step.batch.records), list(step.batch.unchanged)) == (2, [])
