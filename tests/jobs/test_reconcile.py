"""Rows and files are compared: what is forgotten, what is removed, and above all what is not."""

import asyncio
import os
from datetime import timedelta

import pytest

from service.config.settings import Settings
from service.db.papers import PaperStore
from service.domain.errors import StorageUnavailable
from service.domain.identifiers import ArxivId
from service.jobs.maintenance import file_check
from service.jobs.maintenance.file_check import SAFE_AGE, FileCheck, Walk
from service.process.resources import pdf_store
from tests.conftest import make_paper

HOUR = timedelta(hours=1)
IDS = [ArxivId(f"2301.0000{number}", 1) for number in range(1, 6)]


@pytest.fixture
async def store(rig):
    store = pdf_store(Settings.from_environ(rig.environment()))
    await store.prepare()
    return store


@pytest.fixture
def kept(rig, store):
    """Store a file of a paper, and a row that names it unless it is not to be named."""

    async def keep(arxiv_id, content=b"%PDF-1.4", *, named=True, age=timedelta(0)):
        async with store.partial(arxiv_id) as part:
            await part.write(content)
            pdf = await store.commit(part, arxiv_id)
        path = rig.folder / "files" / pdf.path
        changed = path.stat().st_mtime - age.total_seconds()
        os.utime(path, (changed, changed))
        if named:
            async with rig.database.transaction() as conn:
                await PaperStore(conn).upsert([make_paper(str(arxiv_id))], overwrite=False)
                await PaperStore(conn).save_file(arxiv_id, pdf)
        return path

    return keep


async def test_all_rows_are_compared_a_few_at_a_time(rig, store, kept):
    paths = [await kept(one) for one in IDS]
    for path in paths:
        path.write_bytes(b"short")
    walks = {"by_size": Walk(2, HOUR), "by_content": Walk(0, HOUR)}
    reconciler = FileCheck(rig.database, store, **walks)

    forgotten = [(await reconciler.step())["forgotten"] for _ in range(4)]

    assert forgotten == [2, 2, 1, 0]


async def test_who_has_looked_at_all_rests_and_begins_anew(rig, store, kept):
    path = await kept(IDS[0])
    resting = FileCheck(rig.database, store)
    restless = FileCheck(rig.database, store, by_size=Walk(200, timedelta(0)))
    for reconciler in (resting, restless):
        await reconciler.step()
    path.unlink()

    assert (await resting.step())["forgotten"] == 0
    assert (await restless.step())["forgotten"] == 1


async def test_old_files_that_no_row_names_are_removed_and_nothing_else(rig, store, kept):
    old = SAFE_AGE + HOUR
    named = await kept(IDS[0], age=old)
    left = await kept(IDS[0], b"%PDF-1.4 before", named=False, age=old)
    older_version = await kept(ArxivId(IDS[0].paper, 2), named=False, age=old)
    young = await kept(IDS[0], b"%PDF-1.4 just now", named=False, age=SAFE_AGE - HOUR)
    of_no_paper = await kept(IDS[1], named=False, age=old)
    foreign = named.with_name("notes.pdf")
    foreign.write_text("not ours")
    os.utime(foreign, (0, 0))
    reconciler = FileCheck(rig.database, store, files=Walk(2, HOUR))

    removed = sum([(await reconciler.step())["removed"] for _ in range(6)])

    assert removed == 2
    assert not left.exists()
    assert not older_version.exists()
    assert all(path.exists() for path in (named, young, of_no_paper, foreign))
    assert await rig.rows("SELECT 1 FROM papers WHERE pdf_path IS NULL") == []


async def test_a_place_that_cannot_be_looked_at_holds_up_no_other(rig, store, kept):
    paths = [await kept(one) for one in IDS[:3]]
    paths[2].unlink()

    class Troubled(type(store)):
        async def size_of(self, path):
            if path.endswith(paths[1].name):
                raise StorageUnavailable(
                    "The PDF storage cannot be used: the disk reports an error"
                )
            return await super().size_of(path)

    troubled = Troubled(rig.folder / "files", max_bytes=1000)
    reconciler = FileCheck(rig.database, troubled)
    with pytest.raises(StorageUnavailable):
        await reconciler.step()

    assert (await reconciler.step())["forgotten"] == 1


async def test_a_storage_that_hangs_is_given_up_in_time(rig, store, kept, monkeypatch):
    await kept(IDS[0])
    monkeypatch.setattr(file_check, "STEP_DEADLINE", timedelta(milliseconds=50))

    class Hanging(type(store)):
        async def size_of(self, path):
            await asyncio.Event().wait()

    with pytest.raises(StorageUnavailable, match="in time"):
        await FileCheck(rig.database, Hanging(rig.folder / "files", max_bytes=1000)).step()


async def test_two_replicas_at_once_do_no_harm(rig, store, kept):
    lost, sound = await kept(IDS[0]), await kept(IDS[1])
    lost.unlink()

    steps = [FileCheck(rig.database, store).step() for _ in range(3)]
    forgotten = sum(step["forgotten"] for step in await asyncio.gather(*steps))

    assert forgotten == 1
    assert sound.exists()
    await rig.assert_sound()


async def test_a_file_that_was_touched_since_it_was_listed_is_not_removed(rig, store, kept):
    """A download has just put it in place again; its row comes a moment later."""
    await kept(IDS[0])
    path = await kept(IDS[0], b"%PDF-1.5", named=False, age=2 * SAFE_AGE)
    listed = store.list_files

    async def list_files(**where):
        found = await listed(**where)
        os.utime(path)
        return found

    store.list_files = list_files
    assert (await FileCheck(rig.database, store).step())["removed"] == 0
    assert path.exists()

    store.list_files = listed
    old = path.stat().st_mtime - 2 * SAFE_AGE.total_seconds()
    os.utime(path, (old, old))
    assert (await FileCheck(rig.database, store).step())["removed"] == 1
