"""Group D of the fault list, the disk: what is written where, and what when that cannot be."""

import os
import shutil
import stat

import pytest

from service.domain.jobs import Criteria, JobStatus
from tests.faults.disks import mounted
from tests.faults.processes import file_without_row, headers, serving, until, until_not_ready

OLD_STYLE = "SELECT pdf_path FROM papers WHERE arxiv_id LIKE '%/%' AND pdf_path IS NOT NULL"
PUT_OFF = "SELECT 1 FROM pgqueuer WHERE status = 'queued' AND execute_after > updated"
DUE = "UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued' RETURNING 1"


@pytest.fixture
def umask_zero():
    before = os.umask(0)
    yield
    os.umask(before)


async def test_case_63_files_lie_under_names_of_their_own_and_are_not_the_worlds(umask_zero, rig):
    ids = tuple(map(rig.replica.corpus.id_of, range(60)))
    old = [one for one in ids if one.is_old_style][:3]
    new = [one for one in ids if not one.is_old_style][:3]
    assert old
    assert new

    await rig.ingested(criteria=Criteria(ids=(*old, *new)), max_papers=6)

    root = rig.folder / "files"
    stored = [root / path for path in rig.files()]
    assert len(stored) == len({path.name for path in stored}) > 3
    assert len(await rig.rows(OLD_STYLE)) > 0
    for path in stored:
        assert path.resolve().is_relative_to(root.resolve())
        assert len(path.name.encode()) <= 255
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in root.rglob("*")}
    assert modes <= {(True, 0o750), (False, 0o640)}


@pytest.mark.parametrize("level", ["target", "parent"])
async def test_case_64_a_planted_link_is_refused_and_what_it_leads_to_untouched(rig, level):
    criteria = Criteria(ids=(rig.replica.corpus.id_of(0),))
    await rig.ingested(criteria=criteria, max_papers=1)
    ((path, _),) = rig.files().items()
    await rig.forget()
    target = rig.folder / "files" / path
    outside = rig.folder / "outside"
    outside.mkdir()
    (outside / "file").write_text("untouched")
    if level == "parent":
        shutil.rmtree(target.parent)
        target.parent.symlink_to(outside)
    else:
        target.symlink_to(outside / "file")
    link = target if level == "target" else target.parent
    job_id = await rig.submit(criteria=criteria, max_papers=1)

    async with rig.worker():
        await until(rig, PUT_OFF)
        found = [entry.name for entry in outside.iterdir()], (outside / "file").read_text()
        link.unlink()
        await rig.rows(f"WITH due AS ({DUE}) SELECT 1")
        job = await rig.final(job_id)

    assert found == (["file"], "untouched")
    assert (job.status, job.pdfs_processed, job.errors_total) == (JobStatus.COMPLETED, 1, 0)
    assert (outside / "file").read_text() == "untouched"
    await rig.assert_sound()


async def test_case_65_a_full_disk_is_waited_for(rig, tools):
    with mounted(rig.folder / "files", "2m") as disk:
        async with serving(rig, tools) as (_, url, client):
            await disk.fill()
            job_id = await rig.submit(max_papers=2)
            await until(rig, PUT_OFF)
            seen = await looked(client, url, job_id)
            left = rig.parts()
            await disk.free()
            job = await rig.final(job_id)

    assert seen == (200, "running")
    assert left == []
    assert (job.status, job.errors_total, job.pdfs_failed) == (JobStatus.COMPLETED, 0, 0)


async def looked(client, url, job_id):
    """What callers see of the job while the storage cannot be used, once that is known."""
    await until_not_ready(client, url)
    async with client.get(f"{url}/api/v1/ingestion/job/{job_id}", headers=headers()) as answer:
        return answer.status, (await answer.json())["status"]


@pytest.mark.parametrize("state", ["missing", "another folder"])
async def test_case_66_a_storage_that_is_away_fails_no_job_and_is_waited_for(rig, tools, state):
    files, away = rig.folder / "files", rig.folder / "away"
    async with serving(rig, tools) as (_, url, client):
        shutil.move(files, away)
        if state == "another folder":
            files.mkdir()  # the mount point alone
        job_id = await rig.submit(max_papers=2)
        await until(rig, PUT_OFF)
        seen = await looked(client, url, job_id)
        written = list(files.rglob("*")) if files.exists() else []
        if files.exists():
            files.rmdir()
        shutil.move(away, files)
        job = await rig.final(job_id)

    assert seen == (200, "running")
    assert written == []
    assert (job.status, job.errors_total, job.pdfs_failed) == (JobStatus.COMPLETED, 0, 0)
    await rig.assert_sound()


async def test_case_67_the_whole_file_has_its_name_before_a_row_says_so(rig):
    """That it is on the disk by then is in `tests/files/test_store.py`."""
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 1, "seconds": 60}])
    job_id = await rig.submit(max_papers=1)

    async with rig.worker():
        async with file_without_row(rig):
            in_place = rig.files()
            claimed = await rig.rows("SELECT 1 FROM papers WHERE pdf_path IS NOT NULL")
        await rig.final(job_id)

    assert (len(in_place), claimed) == (1, [])
    assert rig.files() == in_place
    await rig.assert_sound()
