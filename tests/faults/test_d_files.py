"""Rows and files: cases 54 and 68. Whatever comes between them, they agree in the end."""

import base64
import shutil
from datetime import timedelta

import pytest

from service.config.settings import Settings
from service.db.papers import PaperStore
from service.domain.errors import StorageUnavailable
from service.domain.identifiers import ArxivId
from service.domain.jobs import JobStatus
from service.domain.papers import StoredPdf
from service.jobs.maintenance.file_check import FileCheck, Walk
from service.process.resources import pdf_store
from tests.conftest import make_paper
from tests.faults.processes import file_without_row, until
from tests.hostile import saying
from tests.jobs.conftest import TAKES_OVER, kill

PAPER = ArxivId("2301.00001", 1)
CLAIMED = "SELECT pdf_path, pdf_sha256 FROM papers WHERE pdf_path IS NOT NULL"


async def store_of(rig):
    store = pdf_store(Settings.from_environ(rig.environment()))
    await store.prepare()
    return store


async def rows_agree_with_files(rig) -> bool:
    """Each row's file has the checksum that the row says; files that no row names do not count."""
    files = rig.files()
    rows = await rig.rows(CLAIMED)
    return bool(rows) and all(files.get(row.pdf_path) == row.pdf_sha256 for row in rows)


async def downloaded(store, content: bytes) -> StoredPdf:
    async with store.partial(PAPER) as part:
        await part.write(content)
        return await store.commit(part, PAPER)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["as they came", "the other way"])
async def test_case_54_two_downloads_with_other_bytes_whose_rows_come_in_either_order(rig, order):
    store = await store_of(rig)
    async with rig.database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper(str(PAPER))], overwrite=False)
    pdfs = [await downloaded(store, content) for content in (b"%PDF- one", b"%PDF- another")]

    for number in order:
        async with rig.database.transaction() as conn:
            left = await PaperStore(conn).save_file(PAPER, pdfs[number])
        assert await rows_agree_with_files(rig)
        if left is not None:
            await store.remove(left)

    assert [row.pdf_sha256 for row in await rig.rows(CLAIMED)] == [pdfs[order[-1]].sha256]
    await rig.assert_sound()  # one file, that of the row


async def test_case_54_killed_with_other_bytes_in_place_and_the_row_not_written(rig):
    """arXiv has rebuilt the PDF: until the row says so, it names the file that it described."""
    body = base64.b64encode(saying("as it was before")).decode()
    before = {"kind": "body", "content_type": "application/pdf", "body_base64": body}
    rig.replica.script([{**before, "lane": "pdf", "number": 1}])
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 2, "seconds": 60}])
    async with rig.worker():
        await rig.final(await rig.submit(max_papers=1))
    again = await rig.submit(max_papers=1, skip_duplicates=False)
    async with rig.process() as process, file_without_row(rig):
        await kill(process)
    in_place, agreed = len(rig.files()), await rows_agree_with_files(rig)

    async with rig.worker(**TAKES_OVER):
        job = await rig.final(again)

    assert (in_place, agreed) == (2, True)
    assert (job.status, job.pdfs_processed) == (JobStatus.COMPLETED, 1)
    await rig.assert_sound()


async def test_case_68_a_file_that_was_deleted_is_fetched_again(rig):
    async with rig.worker():
        await rig.final(await rig.submit(max_papers=3))
    lost = sorted(rig.files())[1]
    (rig.folder / "files" / lost).unlink()

    async with rig.worker():  # finds it by itself
        await until(rig, "SELECT 1 FROM papers WHERE pdf_state = 'none'")
        job = await rig.final(await rig.submit(max_papers=3))

    assert (job.papers_skipped, job.pdfs_processed) == (3, 1)
    assert lost in rig.files()
    await rig.assert_sound()


async def test_case_68_a_file_that_was_altered_in_place_is_fetched_again(rig):
    """Of the same size as before: only its content tells."""
    async with rig.worker():
        await rig.final(await rig.submit(max_papers=3))
    store, before = await store_of(rig), rig.files()
    altered = rig.folder / "files" / sorted(before)[1]
    altered.write_bytes(altered.read_bytes()[::-1])

    by_content = Walk(2, timedelta(hours=1))
    reconciler = FileCheck(rig.database, store, by_content=by_content)
    found = [(await reconciler.step())["forgotten"] for _ in range(2)]
    async with rig.worker():
        job = await rig.final(await rig.submit(max_papers=3))

    assert sum(found) == 1
    assert job.pdfs_processed == 1
    assert rig.files() == before
    await rig.assert_sound()


async def test_case_68_a_file_lost_before_its_text_was_read_is_fetched_again_at_no_cost(rig):
    """As when another job's bytes take its place: nobody is to blame, so no attempt is counted."""
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 1, "seconds": 60}])
    job_id = await rig.submit(max_papers=1)

    async with rig.worker():
        async with file_without_row(rig):
            (lost,) = rig.files()
            (rig.folder / "files" / lost).unlink()
        job = await rig.final(job_id)

    assert (job.pdfs_processed, job.errors_total) == (1, 0)
    assert [row.failures for row in await rig.rows("SELECT failures FROM job_papers")] == [0]
    await rig.assert_sound()


async def test_case_68_a_storage_that_is_away_makes_no_row_forget(rig):
    async with rig.worker():
        await rig.final(await rig.submit(max_papers=2))
    files, away = rig.folder / "files", rig.folder / "away"
    store, rows = await store_of(rig), await rig.rows(CLAIMED)
    shutil.move(files, away)
    files.mkdir()  # the mount point alone

    with pytest.raises(StorageUnavailable):
        await FileCheck(rig.database, store).step()
    files.rmdir()
    shutil.move(away, files)

    assert await FileCheck(rig.database, store).step() == {"forgotten": 0, "removed": 0}
    assert await rig.rows(CLAIMED) == rows
