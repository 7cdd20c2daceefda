import asyncio
import hashlib
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from service.domain.errors import BadPdf, NotFound, StorageUnavailable
from service.domain.identifiers import ArxivId
from service.files.local import LocalStore
from service.files.paths import path_for

CONTENT = b"%PDF-1.4 content %%EOF"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def umask_zero():
    before = os.umask(0)
    yield
    os.umask(before)


async def test_a_committed_file_is_what_the_result_says(store, root, keep, arxiv_id):
    stored = await keep(arxiv_id, CONTENT)

    assert stored.path == path_for(arxiv_id, DIGEST)
    assert (root / stored.path).read_bytes() == CONTENT
    assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert stored.size_bytes == len(CONTENT)
    assert list((root / ".partial").iterdir()) == []


async def test_the_file_is_on_disk_before_its_name_and_its_name_before_the_answer(root, arxiv_id):
    steps: list[str] = []

    def watch(fd: int) -> None:
        kind = "file" if stat.S_ISREG(os.fstat(fd).st_mode) else "folder"
        steps.append(f"fsync {kind}, {'named' if target.exists() else 'not named'}")
        if kind == "folder":
            assert os.path.samestat(os.fstat(fd), target.parent.stat())
        os.fsync(fd)

    store = LocalStore(root, max_bytes=1000, fsync=watch)
    target = root / path_for(arxiv_id, DIGEST)

    async with store.partial(arxiv_id) as part:
        await part.write(CONTENT)
        await store.commit(part, arxiv_id)

    assert steps == ["fsync file, not named", "fsync folder, named"]


async def test_a_failed_sync_leaves_no_file_under_the_final_name(root, arxiv_id):
    def fail(fd: int) -> None:
        raise OSError(5, "I/O error")

    store = LocalStore(root, max_bytes=1000, fsync=fail)

    async def download() -> None:
        async with store.partial(arxiv_id) as part:
            await part.write(CONTENT)
            await store.commit(part, arxiv_id)

    with pytest.raises(StorageUnavailable):
        await download()

    assert not (root / path_for(arxiv_id, DIGEST)).exists()
    assert list((root / ".partial").iterdir()) == []


async def test_an_empty_file_is_never_committed(store, root, keep, arxiv_id):
    with pytest.raises(BadPdf) as caught:
        await keep(arxiv_id, b"")

    assert caught.value.code == "corrupt"
    assert not (root / path_for(arxiv_id, DIGEST)).exists()


async def test_the_world_has_no_access_whatever_the_umask(umask_zero, tmp_path, arxiv_id):
    store = LocalStore(tmp_path / "deep" / "root", max_bytes=1000)
    await store.prepare()

    async with store.partial(arxiv_id) as part:
        await part.write(CONTENT)
        partial_mode = stat.S_IMODE(part.path.stat().st_mode)
        await store.commit(part, arxiv_id)

    made = (tmp_path / "deep", *(tmp_path / "deep").rglob("*"))
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in made}
    assert partial_mode == 0o640
    assert modes == {(True, 0o750), (False, 0o640)}


@pytest.mark.parametrize("level", ["target", "parent", "archive"])
async def test_a_symbolic_link_is_refused_and_its_target_untouched(store, root, keep, level):
    arxiv_id = ArxivId.parse("hep-th/9901001v1")
    target = root / path_for(arxiv_id, DIGEST)
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text("untouched")
    link = {"target": target, "parent": target.parent, "archive": target.parent.parent}[level]
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside / "file" if level == "target" else outside)

    with pytest.raises(StorageUnavailable):
        await keep(arxiv_id, CONTENT)

    assert link.is_symlink()
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "untouched"
    assert list((root / ".partial").iterdir()) == []


async def test_a_stored_file_that_became_a_link_is_neither_served_nor_verified(
    store, root, keep, arxiv_id
):
    stored = await keep(arxiv_id, CONTENT)
    elsewhere = root.parent / "elsewhere.pdf"
    (root / stored.path).rename(elsewhere)
    (root / stored.path).symlink_to(elsewhere)

    is_whole = await store.verify(stored.path, stored.sha256, stored.size_bytes)

    assert not is_whole
    with pytest.raises(NotFound):
        async with store.local_copy(stored):
            pass


async def test_two_that_commit_the_same_bytes_at_once_leave_one_whole_file(store, root, arxiv_id):
    both_written = asyncio.Barrier(2)

    async def download():
        async with store.partial(arxiv_id) as part:
            await part.record_etag('"same"')
            await part.write(b"a" * (1 << 20))
            await asyncio.wait_for(both_written.wait(), 10)
            return await store.commit(part, arxiv_id)

    first, second = await asyncio.gather(download(), download())

    assert first == second
    assert (root / first.path).read_bytes() == b"a" * (1 << 20)
    assert len(list((root / first.path).parent.iterdir())) == 1
    assert list((root / ".partial").iterdir()) == []


async def test_no_reader_ever_sees_a_short_file(store, root, keep, arxiv_id):
    content = b"a" * (1 << 20)
    target = root / path_for(arxiv_id, hashlib.sha256(content).hexdigest())
    sizes: set[int] = set()
    looks, stop = 0, threading.Event()

    def poll() -> None:
        nonlocal looks
        while not stop.is_set():
            looks += 1
            if target.exists():
                sizes.add(len(target.read_bytes()))

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        for _ in range(20):
            await keep(arxiv_id, content)
    finally:
        stop.set()
        reader.join(10)

    assert sizes == {1 << 20}
    assert looks > 100


async def test_a_stored_file_is_verified_by_size_and_content(store, root, keep, arxiv_id):
    stored = await keep(arxiv_id, CONTENT)

    assert await store.verify(stored.path, stored.sha256, stored.size_bytes)
    assert not await store.verify(stored.path, stored.sha256, stored.size_bytes + 1)
    assert not await store.verify(stored.path, "0" * 64, stored.size_bytes)
    (root / stored.path).write_bytes(CONTENT[::-1])
    assert not await store.verify(stored.path, stored.sha256, stored.size_bytes)
    (root / stored.path).unlink()
    assert not await store.verify(stored.path, stored.sha256, stored.size_bytes)


async def test_the_local_copy_of_a_stored_file_is_the_file(store, root, keep, arxiv_id):
    stored = await keep(arxiv_id, CONTENT)

    async with store.local_copy(stored) as path:
        assert path == root / stored.path
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "path",
    [
        "2301/2301.00002v1.pdf",
        "2301",
        "",
        "/etc/passwd",
        "../outside",
        "2301/../../outside",
        "2301/./2301.00001v3.pdf",
        "2301//2301.00001v3.pdf",
        ".arxiv-pdf-store",
        "2301/2301.00001v3.pdf/x",
        "2301/\0",
        "x" * 300,
    ],
)
async def test_any_other_path_is_not_found(store, root, keep, arxiv_id, path):
    stored = await keep(arxiv_id, CONTENT)
    (root.parent / "outside").write_text("outside")

    with pytest.raises(NotFound):
        async with store.local_copy(replace(stored, path=path)):
            pass
    assert not await store.verify(path, "0" * 64, 7)


async def test_a_named_pipe_is_no_stored_file_and_blocks_nobody(store, root, keep, arxiv_id):
    stored = await keep(arxiv_id, CONTENT)
    (root / stored.path).unlink()
    os.mkfifo(root / stored.path)

    async with asyncio.timeout(10):
        assert not await store.verify(stored.path, stored.sha256, stored.size_bytes)
        with pytest.raises(StorageUnavailable):
            await keep(arxiv_id, CONTENT)


async def test_what_is_no_file_or_not_ours_to_see_is_not_listed(store, root, keep, arxiv_id):
    stored = await keep(arxiv_id, CONTENT)
    (root / "2301/link.pdf").symlink_to(root / stored.path)
    (root / "0000").symlink_to(root / "2301")
    (root / "a/b/c/d").mkdir(parents=True)
    (root / "a/b/c/d/deep.pdf").write_bytes(CONTENT)

    found = await store.list_files(after="", limit=10)

    assert [file.path for file in found] == [stored.path]
    assert await store.list_files(after=stored.path, limit=10) == []


async def test_a_link_in_place_of_a_file_is_not_removed(store, root, keep, arxiv_id):
    stored = await keep(arxiv_id, CONTENT)
    (root / stored.path).rename(root.parent / "elsewhere.pdf")
    (root / stored.path).symlink_to(root.parent / "elsewhere.pdf")

    assert not await store.remove(stored.path)
    assert (root / stored.path).is_symlink()


async def test_no_descriptor_is_left_open(store, keep, arxiv_id):
    stored = await keep(arxiv_id, CONTENT)
    before = psutil.Process().num_fds()

    for _ in range(3):
        await keep(arxiv_id, CONTENT)
        await store.verify(stored.path, stored.sha256, stored.size_bytes)
        async with store.local_copy(stored):
            pass
        await store.check_writable()
        await store.size_of(stored.path)
        await store.list_files(after="", limit=1)
        await store.remove(stored.path)
        with pytest.raises(NotFound):
            async with store.local_copy(replace(stored, path="2301/no.pdf")):
                pass

    assert psutil.Process().num_fds() == before


async def test_preparing_twice_or_together_is_preparing_once(tmp_path: Path, arxiv_id):
    stores = [LocalStore(tmp_path / "a" / "b", max_bytes=1000) for _ in range(4)]

    await asyncio.gather(*(store.prepare() for store in stores))
    await stores[0].prepare()

    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == [".arxiv-pdf-store"]
