import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from service.domain.errors import StorageUnavailable
from service.files.local import LocalStore

# Runs against a disk of 2 MiB (argv 1), in a mount namespace of its own.
SMALL_DISK = """
import asyncio, json, subprocess, sys
from pathlib import Path
from service.domain.identifiers import ArxivId
from service.domain.errors import ServiceError
from service.domain.papers import StoredPdf
from service.files.local import LocalStore

root = Path(sys.argv[1])
store = LocalStore(root, max_bytes=1 << 30)

async def outcome(work):
    try:
        await work
    except ServiceError as err:
        return f"{err.code}: {err}"
    return "fine"

async def download(size):
    arxiv_id = ArxivId.parse("2301.00001v1")
    async with store.partial(arxiv_id) as part:
        await part.record_etag('"e"')
        while part.size < size:
            await part.write(bytes(64 << 10))
        await store.commit(part, arxiv_id)

def left():
    return [path.name for path in (root / ".partial").iterdir()]

def remount(options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(root)], check=True)

async def opened(store):
    (path,) = root.glob("2301/*.pdf")
    stored = StoredPdf(path=str(path.relative_to(root)), sha256="", size_bytes=0)
    async with store.local_copy(stored):
        pass

async def main():
    seen = {"at first": await outcome(store.check_writable())}
    seen["download"], seen["left"] = await outcome(download(4 << 20)), left()
    seen["full"] = await outcome(store.check_writable())
    remount("size=16m")
    seen["larger"] = await outcome(store.check_writable())
    seen["again"] = await outcome(download(4 << 20))
    remount("ro")
    seen["read-only"] = await outcome(store.check_writable())
    seen["read-only download"] = await outcome(download(1))
    seen["still read"] = await outcome(opened(store))
    remount("rw")
    seen["writable"] = await outcome(store.check_writable())
    (root / "filler").write_bytes(bytes(11 << 20))
    seen["hardly room"] = await outcome(store.check_writable())
    (root / "filler").unlink()
    seen["room"] = await outcome(store.check_writable())
    print(json.dumps(seen))

asyncio.run(main())
"""

FILE_SIZE_LIMIT = """
import asyncio, resource, sys
from pathlib import Path
from service.domain.identifiers import ArxivId
from service.domain.errors import StorageUnavailable
from service.files.local import LocalStore

async def main():
    store = LocalStore(Path(sys.argv[1]), max_bytes=1 << 20)
    await store.prepare()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    async with store.partial(ArxivId.parse("2301.00001v1")) as part:
        await part.record_etag('"e"')
        try:
            while True:
                await part.write(bytes(30_000))
        except StorageUnavailable as err:
            left = list((Path(sys.argv[1]) / ".partial").iterdir())
            print(left, err, part.size)

asyncio.run(main())
"""


@pytest.fixture
def small_disk(root: Path):
    """Run a script with a tmpfs of 2 MiB at `root`; skip where nobody may mount one."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs unshare(1)")
    inside = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
    if subprocess.run([*inside, mount, str(root), "true"], check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs in a namespace")

    def run(script: str) -> dict[str, object]:
        command = [*inside, mount, str(root), sys.executable, "-c", script, str(root)]
        done = subprocess.run(command, check=True, capture_output=True, timeout=60)
        return json.loads(done.stdout)

    return run


def test_a_full_or_read_only_disk_is_survived_and_said(small_disk):
    seen = small_disk(SMALL_DISK)

    full = "storage_unavailable: The PDF storage cannot be used: the disk is full"
    read_only = "storage_unavailable: The PDF storage cannot be used: it is read-only"
    assert seen == {
        "at first": "fine",
        "download": full,
        "left": [],
        "full": full,
        "larger": "fine",
        "again": "fine",
        "read-only": read_only,
        "read-only download": read_only,
        "still read": "fine",
        "writable": "fine",
        "hardly room": full,
        "room": "fine",
    }


def test_a_write_that_the_system_cuts_short_is_no_download(root):
    command = [sys.executable, "-c", FILE_SIZE_LIMIT, str(root)]

    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)

    away = "The PDF storage cannot be used: a file may not grow that far"
    assert done.stdout == f"[] {away} 100000\n"


async def test_a_missing_root_is_away_until_it_is_back(store, root, keep, arxiv_id):
    stored = await keep(arxiv_id, b"content")
    root.rename(root.with_name("gone"))

    with pytest.raises(StorageUnavailable):
        await keep(arxiv_id, b"content")
    with pytest.raises(StorageUnavailable):
        await store.check_writable()
    with pytest.raises(StorageUnavailable):
        await store.verify(stored.path, stored.sha256, stored.size_bytes)
    with pytest.raises(StorageUnavailable):
        async with store.local_copy(stored):
            pass
    with pytest.raises(StorageUnavailable):
        await store.sweep(timedelta(0))
    assert not root.exists()

    root.with_name("gone").rename(root)
    await store.check_writable()
    assert await store.verify(stored.path, stored.sha256, stored.size_bytes)


async def test_another_folder_in_the_place_of_the_root_is_not_written_to(
    store, root, keep, arxiv_id
):
    stored = await keep(arxiv_id, b"content")
    root.rename(root.with_name("gone"))
    root.mkdir()

    with pytest.raises(StorageUnavailable):
        await store.check_writable()
    with pytest.raises(StorageUnavailable):
        await keep(arxiv_id, b"content")
    with pytest.raises(StorageUnavailable):
        await store.verify(stored.path, stored.sha256, stored.size_bytes)

    assert list(root.iterdir()) == []
    root.rmdir()
    root.with_name("gone").rename(root)
    await store.check_writable()


async def test_a_file_in_the_place_of_the_root_is_away(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    store = LocalStore(tmp_path / "file", max_bytes=1000)

    with pytest.raises(StorageUnavailable):
        await store.check_writable()
    with pytest.raises(StorageUnavailable):
        await store.prepare()


async def test_the_root_itself_may_be_a_link(tmp_path: Path, root):
    (tmp_path / "link").symlink_to(root)

    await LocalStore(tmp_path / "link", max_bytes=1000).check_writable()

    assert list((root / ".partial").iterdir()) == []


async def test_no_message_shows_a_path(tmp_path: Path):
    store = LocalStore(tmp_path / "nowhere", max_bytes=1000)

    with pytest.raises(StorageUnavailable) as caught:
        await store.check_writable()

    assert "nowhere" not in str(caught.value)
