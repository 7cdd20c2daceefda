import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from service.domain.errors import BadPdf, StorageUnavailable, UpstreamFaulty
from service.domain.identifiers import ArxivId
from service.files.local import LocalStore

ETAG = '"sha1-of/it+é"'

HALF_A_DOWNLOAD = """
import asyncio, sys
from pathlib import Path
from service.domain.identifiers import ArxivId
from service.files.local import LocalStore

async def main():
    arxiv_id = ArxivId.parse(sys.argv[2])
    async with LocalStore(Path(sys.argv[1]), max_bytes=1 << 20).partial(arxiv_id) as part:
        await part.record_etag(sys.argv[3])
        await part.write(b"%PDF-1.4 first half, ")
        print("written", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


@pytest.fixture
def other_process(root: Path, arxiv_id: ArxivId):
    """Another process in the middle of a download of the same paper."""
    command = [sys.executable, "-c", HALF_A_DOWNLOAD, str(root), str(arxiv_id), ETAG]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        yield process
        process.kill()


def parts(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".partial").iterdir())


def age(root: Path, seconds: float) -> None:
    for path in (root / ".partial").iterdir():
        moment = path.lstat().st_mtime - seconds
        os.utime(path, (moment, moment), follow_symlinks=False)


async def test_a_part_of_a_killed_process_is_taken_over(store, root, arxiv_id, other_process):
    other_process.send_signal(signal.SIGKILL)
    other_process.wait(60)

    async with store.partial(arxiv_id) as part:
        found = (part.size, part.etag)
        await part.write(b"second half %%EOF")
        stored = await store.commit(part, arxiv_id)

    whole = b"%PDF-1.4 first half, second half %%EOF"
    assert found == (21, ETAG)
    assert (root / stored.path).read_bytes() == whole
    assert stored.sha256 == hashlib.sha256(whole).hexdigest()
    assert stored.size_bytes == len(whole)
    assert parts(root) == []


async def test_a_part_of_a_living_process_is_left_to_it(store, root, arxiv_id, other_process):
    age(root, 3600)

    async with store.partial(arxiv_id) as part:
        found = (part.size, part.etag)
        swept = await store.sweep(timedelta(0))

    assert found == (0, None)
    assert swept == 0
    assert len(parts(root)) == 1


async def test_another_version_is_not_resumed_from_the_part(store, arxiv_id, other_process):
    other_process.kill()
    other_process.wait(60)

    async with store.partial(ArxivId(arxiv_id.paper, 4)) as part:
        assert part.size == 0


async def test_a_broken_download_is_kept_for_the_next_attempt(store, arxiv_id):
    async def download() -> None:
        async with store.partial(arxiv_id) as part:
            await part.record_etag(ETAG)
            await part.write(b"half")
            raise UpstreamFaulty("cut")

    with pytest.raises(UpstreamFaulty):
        await download()

    async with store.partial(arxiv_id) as part:
        assert (part.size, part.etag) == (4, ETAG)


@pytest.mark.parametrize("etag", [None, "", '"' + "x" * 200 + '"'])
async def test_a_part_that_nobody_could_resume_is_not_kept(store, root, arxiv_id, etag):
    async with store.partial(arxiv_id) as part:
        await part.record_etag(etag)
        await part.write(b"half")

    assert parts(root) == []


async def test_a_bad_download_is_not_kept(store, root, arxiv_id):
    async def download() -> None:
        async with store.partial(arxiv_id) as part:
            await part.record_etag(ETAG)
            await part.write(b"<html>")
            raise BadPdf("no PDF", code="not_pdf")

    with pytest.raises(BadPdf):
        await download()

    assert parts(root) == []


async def test_starting_over_forgets_the_bytes_and_the_etag(store, root, arxiv_id):
    async with store.partial(arxiv_id) as part:
        await part.record_etag(ETAG)
        await part.write(b"x" * 5000)
        await part.truncate()
        after = (part.size, part.etag)
        await part.write(b"new")
        stored = await store.commit(part, arxiv_id)

    assert after == (0, None)
    assert (root / stored.path).read_bytes() == b"new"
    assert stored.sha256 == hashlib.sha256(b"new").hexdigest()


async def test_no_byte_over_the_limit_reaches_the_disk(root, arxiv_id):
    store = LocalStore(root, max_bytes=10)
    sizes: list[int] = []

    async def download() -> None:
        async with store.partial(arxiv_id) as part:
            for _ in range(4):
                await part.write(b"xxxx")
                sizes.append(part.path.stat().st_size)

    with pytest.raises(BadPdf) as caught:
        await download()

    assert caught.value.code == "too_large"
    assert sizes == [4, 8]
    assert parts(root) == []


async def test_a_part_over_a_lowered_limit_is_not_resumed(root, arxiv_id, other_process):
    other_process.kill()
    other_process.wait(60)

    async with LocalStore(root, max_bytes=20).partial(arxiv_id) as part:
        assert part.size == 0
        assert len(parts(root)) == 1


@pytest.mark.parametrize(
    ("content", "looks_like_pdf"),
    [
        (b"%PDF-1.7\n%%EOF", True),
        (b"x" * 1019 + b"%PDF-", True),
        (b"x" * 1020 + b"%PDF-", False),
        (b"<html>", False),
        (b"", False),
    ],
)
async def test_the_header_is_looked_for_in_the_margin(store, arxiv_id, content, looks_like_pdf):
    async with store.partial(arxiv_id) as part:
        await part.write(content)

        assert await part.looks_like_pdf() is looks_like_pdf


async def test_a_cancelled_write_ends_before_the_file_is_closed(store, root, arxiv_id):
    fds = psutil.Process().num_fds()

    async def download() -> None:
        async with store.partial(arxiv_id) as part:
            await part.record_etag(ETAG)
            writing.set_result(part)
            while True:
                await part.write(b"x" * 65536)

    writing = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(download())
    part = await asyncio.wait_for(writing, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    on_disk = [path.stat().st_size for path in (root / ".partial").iterdir()]
    assert on_disk == ([part.size] if part.size else [])
    assert psutil.Process().num_fds() == fds


async def test_the_sweep_removes_old_parts_and_nothing_else(store, root, arxiv_id, other_process):
    other_process.kill()
    other_process.wait(60)
    outside = root.parent / "outside.part"
    outside.write_text("outside")
    partial = root / ".partial"
    for name in ("notes.txt", "x.part", "2301.00001v1~xyz~.part"):
        (partial / name).write_text("foreign")
    (partial / f"2301.00002v1~{'0' * 16}~.part").symlink_to(outside)
    (partial / f"2301.00003v1~{'0' * 16}~.part").mkdir()
    (partial / f"~{'0' * 16}.probe").write_text("left by a crash")
    (root / "2301").mkdir()
    (root / "2301" / "2301.00009v1.pdf").write_text("old")
    before = set(parts(root))
    early = await store.sweep(timedelta(minutes=5))
    age(root, 3600)

    late = await store.sweep(timedelta(minutes=5))

    assert (early, late) == (0, 2)
    gone = before - set(parts(root))
    assert {name.split("~")[0] for name in gone} == {"", str(arxiv_id)}
    assert outside.read_text() == "outside"
    assert (root / "2301" / "2301.00009v1.pdf").read_text() == "old"


async def test_a_planted_link_is_not_taken_for_a_part(store, root, arxiv_id):
    await store.prepare()
    outside = root.parent / "outside"
    outside.write_bytes(b"untouched")
    await store.sweep(timedelta(0))  # makes the folder
    name = f"{arxiv_id}~{'0' * 16}~ImFiYyI=.part"
    (root / ".partial" / name).symlink_to(outside)
    os.link(outside, root / ".partial" / name.replace("000~", "001~"))

    async with store.partial(arxiv_id) as part:
        size = part.size
        await part.write(b"other")

    assert size == 0
    assert outside.read_bytes() == b"untouched"


async def test_a_linked_folder_of_parts_is_refused(store, root, arxiv_id):
    outside = root.parent / "outside"
    outside.mkdir()
    (root / ".partial").symlink_to(outside)

    with pytest.raises(StorageUnavailable):
        async with store.partial(arxiv_id):
            pass

    assert list(outside.iterdir()) == []
