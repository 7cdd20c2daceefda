"""What a disk may do: forget a folder, take half a write, give a name to another file."""

import asyncio
import hashlib
import os
import threading
from pathlib import Path

import pytest

from service.files import blocking, folder, partial_file, paths
from service.files.folder import Root

CONTENT = b"%PDF-1.4 some content that takes several writes %%EOF"


def test_a_new_folder_is_forced_to_disk_in_the_one_above_it(root, monkeypatch):
    """Else a file that was forced to disk may be gone with its folder after a power cut."""
    forced = []

    def fsync(fd: int) -> None:
        forced.append((str(Path(f"/proc/self/fd/{fd}").readlink()), sorted(os.listdir(fd))))

    monkeypatch.setattr(folder.os, "fsync", fsync)
    os.close(Root(root).open_for_writing("hep-th", "9901"))

    assert forced == [
        (str(root), [folder.MARKER, "hep-th"]),
        (str(root / "hep-th"), ["9901"]),
    ]
    os.close(Root(root).open_for_writing("hep-th", "9901"))
    assert len(forced) == 2


async def test_a_disk_that_takes_less_than_it_is_given_is_given_the_rest(
    store, root, arxiv_id, monkeypatch
):
    """As write(2) may, at a signal or a quota: what it returns is what was taken."""

    class Piecemeal(partial_file._HashedFile):
        def write(self, data):
            return super().write(memoryview(data)[:7])

    monkeypatch.setattr(partial_file, "_HashedFile", Piecemeal)
    async with store.partial(arxiv_id) as part:
        await part.write(CONTENT)
        stored = await store.commit(part, arxiv_id)

    assert (root / stored.path).read_bytes() == CONTENT
    assert (stored.sha256, stored.size_bytes) == (
        hashlib.sha256(CONTENT).hexdigest(),
        len(CONTENT),
    )


def test_only_what_was_taken_counts_and_is_in_the_checksum():
    """A pipe that nobody empties takes as much as fits, as a disk may."""
    reading, writing = os.pipe2(os.O_NONBLOCK)
    file = partial_file._HashedFile(writing)
    try:
        taken = file.write(bytes(1 << 21))

        assert 0 < taken < 1 << 21
        assert file.size == taken
        assert file.sha256.hexdigest() == hashlib.sha256(bytes(taken)).hexdigest()
    finally:
        file.close()
        os.close(reading)


@pytest.mark.parametrize("becomes", ["another file", "nothing"])
def test_a_part_whose_name_passed_on_between_open_and_lock_is_not_locked(
    tmp_path, monkeypatch, becomes
):
    """Its writer has just committed it, and another download has begun under the name."""
    name = paths.part_with(paths.new_part("2301.00001v1"), '"etag"')
    (tmp_path / name).write_bytes(b"the first")
    opened = folder.open_file

    def open_file(*args):
        fd = opened(*args)
        (tmp_path / name).rename(tmp_path / "committed.pdf")
        if becomes == "another file":
            (tmp_path / name).write_bytes(b"the second")
        return fd

    monkeypatch.setattr(partial_file, "open_file", open_file)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert partial_file.lock(fd, name) is None
        assert partial_file.remove_abandoned(fd, before=1e12) == 0
    finally:
        os.close(fd)


async def test_work_that_is_cancelled_again_and_again_still_ends_before_its_caller():
    began, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def work() -> None:
        began.set()
        await may_end.wait()
        ended.append(True)

    task = asyncio.create_task(blocking.to_its_end(work()))
    await began.wait()
    for _ in range(3):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await asyncio.wait({task})

    assert task.cancelled()
    assert ended == [True]


async def test_a_probe_whose_asker_leaves_goes_on_for_the_others(store, monkeypatch):
    began, may_end = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(fd: int) -> None:
        began.set()
        may_end.wait(30)
        fsync(fd)

    await store.prepare()
    monkeypatch.setattr(folder.os, "fsync", slow)
    first, second = (asyncio.create_task(store.check_writable()) for _ in range(2))
    await asyncio.to_thread(began.wait, 30)
    first.cancel()
    await asyncio.wait({first})
    may_end.set()

    await second  # raises CancelledError if the probe was its first asker's
