"""Snapshots: the whole file comes in, from wherever it was broken off; bad lines are told."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from service.arxiv.snapshot import paper_of, record_in
from service.db.papers import PaperStore
from service.devtools.stand_in.server import ReplicaOptions, running_replica
from service.devtools.stand_in.snapshot import lines, write_snapshot
from service.domain.jobs import JobStatus, OaiCriteria, SnapshotCriteria
from tests.jobs.conftest import TAKES_OVER, kill

PAPERS = 2000
STATE = "SELECT arxiv_id, ctid::text, xmin::text FROM papers ORDER BY 1"


@pytest.fixture
async def replica():
    async with running_replica(ReplicaOptions(papers=PAPERS)) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "snapshots"
    folder.mkdir()
    return folder


async def submit(rig, name, **changes):
    values = {"source": "snapshot", "process_pdfs": False, "max_papers": None, "batch_size": 100}
    return await rig.submit(**{**values, **changes}, snapshot=SnapshotCriteria(file=name))


async def imported(rig, folder, name, **changes):
    async with rig.worker(SNAPSHOT_DIR=str(folder)):
        return await rig.final(await submit(rig, name, **changes))


async def count(rig):
    ((papers, versions),) = await rig.rows(
        "SELECT (SELECT count(*) FROM papers), (SELECT count(*) FROM paper_versions)"
    )
    return papers, versions


@pytest.fixture
def read(monkeypatch):
    """The papers whose lines are read on: those that are not known by their digests."""
    found = []

    def reading(record):
        found.append(record.paper)
        return paper_of(record)

    monkeypatch.setattr("service.sources.snapshot.paper_of", reading)
    return found


@pytest.mark.parametrize("ending", ["json", "json.gz", "json.zst", "json.zip"])
async def test_every_line_is_stored(rig, folder, ending):
    write_snapshot(rig.replica.records, folder / f"arxiv.{ending}")

    job = await imported(rig, folder, f"arxiv.{ending}")

    assert (job.status, job.papers_created, job.errors) == (JobStatus.COMPLETED, PAPERS, ())
    size = (folder / f"arxiv.{ending}").stat().st_size
    assert job.facts == {"bytes_read": size, "bytes_total": size}
    assert (await count(rig))[0] == PAPERS
    assert await rig.rows("SELECT 1 FROM job_papers") == []


async def test_a_second_import_writes_nothing_and_reads_no_line_on(rig, folder, read):
    write_snapshot(rig.replica.records, folder / "arxiv.json")
    await imported(rig, folder, "arxiv.json")
    before = await rig.rows(STATE)
    assert len(read) == PAPERS
    read.clear()

    job = await imported(rig, folder, "arxiv.json")

    assert (job.papers_fetched, job.papers_skipped) == (PAPERS, PAPERS)
    assert await rig.rows(STATE) == before
    assert read == []


def some_lines(rig, folder, number):
    """A file of `number` papers: what its lines tell."""
    text = list(lines(rig.replica.records))[:number]
    (folder / "arxiv.json").write_bytes(b"".join(text))
    return [paper_of(record_in(line.rstrip(b"\n"), n)) for n, line in enumerate(text, 1)]


async def test_what_others_have_told_since_is_compared_with_the_line(rig, folder, read):
    harvested, searched, older, *_ = some_lines(rig, folder, 20)
    await imported(rig, folder, "arxiv.json")
    others = replace(older.versions[0], submitted_at=older.published_at - timedelta(days=1))
    async with rig.database.transaction() as conn:
        store = PaperStore(conn)
        told = {"title": "Another", "snapshot_digest": None}
        await store.merge([replace(harvested, **told)])
        await store.upsert([replace(searched, **told)], overwrite=True)
        await store.save_versions(
            [replace(older, versions=(others, *older.versions[1:]), snapshot_digest=None)]
        )
    read.clear()

    job = await imported(rig, folder, "arxiv.json")

    wanted = [harvested, searched, older]
    assert read == [paper.arxiv_id.paper for paper in wanted]
    assert (job.papers_fetched, job.papers_updated, job.papers_skipped) == (20, 3, 17)
    held = await rig.rows(
        "SELECT title, submitted_at FROM papers JOIN paper_versions v USING (arxiv_id)"
        " WHERE arxiv_id = ANY (:ids) AND v.version = 1 ORDER BY arxiv_id",
        ids=read,
    )
    assert [(row.title, row.submitted_at) for row in held] == [
        (paper.title, paper.published_at) for paper in wanted
    ]


async def test_lines_that_were_read_in_another_way_are_read_again(rig, folder, read, monkeypatch):
    some_lines(rig, folder, 20)
    await imported(rig, folder, "arxiv.json")
    before = await rig.rows(STATE)
    read.clear()
    monkeypatch.setattr("service.arxiv.snapshot.READING", b"another")

    job = await imported(rig, folder, "arxiv.json")

    assert (len(read), job.papers_skipped) == (20, 20)
    assert await rig.rows(STATE) == before


async def test_pdfs_of_papers_that_are_held_as_they_come_are_brought_in(rig, folder, read):
    some_lines(rig, folder, 20)
    await imported(rig, folder, "arxiv.json")
    read.clear()

    job = await imported(rig, folder, "arxiv.json", process_pdfs=True)

    assert (job.papers_skipped, job.pdfs_processed + job.pdfs_unavailable, read) == (20, 20, [])
    await rig.assert_sound()


@pytest.mark.parametrize("ending", ["json", "json.gz"])
async def test_it_goes_on_after_a_crash(rig, folder, ending):
    write_snapshot(rig.replica.records, folder / f"arxiv.{ending}")
    settings = {"SNAPSHOT_DIR": str(folder)}
    job_id = await submit(rig, f"arxiv.{ending}", batch_size=10)
    for papers in (100, 500):
        async with rig.process(**settings) as process:
            await rig.until(job_id, lambda job, n=papers: job.papers_fetched >= n)
            await kill(process)
    async with rig.worker(**settings, **TAKES_OVER):
        job = await rig.final(job_id)

    assert (job.status, job.papers_created) == (JobStatus.COMPLETED, PAPERS)
    assert (job.papers_fetched, job.papers_updated) == (PAPERS, 0)


async def test_bad_lines_are_told_and_the_rest_is_stored(rig, folder):
    good = list(lines(rig.replica.records))[:50]
    text = [*good[:10], b"{nonsense}", *good[10:20], b"[]", *good[20:]]
    (folder / "arxiv.json").write_bytes(b"\n".join(line.strip() for line in text) + b"\n")

    job = await imported(rig, folder, "arxiv.json")

    assert (job.status, job.papers_created) == (JobStatus.COMPLETED, 50)
    told = [(error.stage, error.code, error.line) for error in job.errors]
    assert told == [("store", "bad_line", 11), ("store", "bad_line", 22)]


async def test_of_many_bad_lines_the_first_thousand_are_told_and_all_are_counted(rig, folder):
    (folder / "arxiv.json").write_bytes(b"{nonsense}\n" * 1234)

    job = await imported(rig, folder, "arxiv.json")

    assert (job.status, job.errors_total) == (JobStatus.COMPLETED, 1234)
    ((kept,),) = await rig.rows("SELECT count(*) FROM job_errors")
    assert kept == 1000


async def test_a_cut_file_fails_after_all_its_good_lines(rig, folder):
    write_snapshot(rig.replica.records, folder / "arxiv.json.gz")
    whole = (folder / "arxiv.json.gz").read_bytes()
    (folder / "arxiv.json.gz").write_bytes(whole[: len(whole) // 2])

    job = await imported(rig, folder, "arxiv.json.gz")

    assert job.status is JobStatus.FAILED
    assert [error.code for error in job.errors] == ["snapshot_truncated"]
    assert 0 < job.papers_created == (await count(rig))[0] < PAPERS


@pytest.mark.parametrize(
    ("name", "code"),
    [("none.json", "snapshot_not_found"), ("image.json", "snapshot_unreadable")],
)
async def test_no_file_and_no_snapshot_fail_with_their_codes(rig, folder, name, code):
    (folder / "image.json").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))

    job = await imported(rig, folder, name)

    assert (job.status, [error.code for error in job.errors]) == (JobStatus.FAILED, [code])


async def test_a_file_that_changed_since_the_checkpoint_fails(rig, folder):
    path = folder / "arxiv.json"
    write_snapshot(rig.replica.records, path)
    job_id = await submit(rig, path.name, batch_size=10)
    async with rig.process(SNAPSHOT_DIR=str(folder)) as process:
        await rig.until(job_id, lambda job: job.papers_fetched >= 100)
        await kill(process)
    os.utime(path, (1, 1))

    async with rig.worker(SNAPSHOT_DIR=str(folder), **TAKES_OVER):
        job = await rig.final(job_id)

    assert [error.code for error in job.errors] == ["snapshot_changed"]


async def test_no_more_than_max_papers_come(rig, folder):
    write_snapshot(rig.replica.records, folder / "arxiv.json")

    job = await imported(rig, folder, "arxiv.json", max_papers=250)

    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 250)


async def test_metadata_of_both_sources_agree(rig, folder):
    """A snapshot behind a harvest of the same day changes nothing but what it alone tells."""
    write_snapshot(rig.replica.records, folder / "arxiv.json")
    await imported(rig, folder, "arxiv.json")
    fields = (
        "SELECT arxiv_id, version, title, abstract, authors, affiliations, categories, doi,"
        " journal_ref, comments, license, submitter, datestamp, published_at, updated_at"
        " FROM papers ORDER BY 1"
    )
    told = await rig.rows(fields)
    await rig.rows("WITH a AS (DELETE FROM papers) SELECT 1")

    async with rig.worker():
        harvest = await rig.submit(
            source="oai", oai=OaiCriteria(), process_pdfs=False, max_papers=None
        )
        await rig.final(harvest)

    assert await rig.rows(fields) == told
