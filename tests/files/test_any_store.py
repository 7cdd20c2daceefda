"""What every storage promises, on a folder and on a real S3 server."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import pytest

from service.domain.errors import BadPdf, NotFound
from service.domain.identifiers import ArxivId
from service.domain.papers import StoredPdf
from service.files.local import LocalStore
from service.files.paths import id_of, path_for
from service.files.s3 import PART_BYTES, S3Store, bucket_of
from service.files.store import PdfStore

CONTENT = b"%PDF-1.4 content %%EOF"
LARGE = PART_BYTES * 2 + 12345  # more than one part
OTHER = ArxivId.parse("hep-th/9901001v2")


@dataclass(frozen=True)
class Place:
    """A storage, and a way to look and to meddle behind its back."""

    store: PdfStore
    scratch: Path
    read: Callable[[str], bytes]
    write: Callable[[str, bytes], None]
    remove: Callable[[str], None]
    names: Callable[[], list[str]]

    async def keep(self, arxiv_id: ArxivId, content: bytes) -> StoredPdf:
        async with self.store.partial(arxiv_id) as part:
            for start in range(0, len(content), 1 << 20):
                await part.write(content[start : start + (1 << 20)])
            return await self.store.commit(part, arxiv_id)

    def left_over(self) -> list[str]:
        return [path.name for path in (self.scratch / ".partial").iterdir()]


def a_folder(root: Path) -> Place:
    return Place(
        LocalStore(root, max_bytes=1 << 30),
        root,
        read=lambda path: (root / path).read_bytes(),
        write=lambda path, content: (root / path).write_bytes(content) and None,
        remove=lambda path: (root / path).unlink(),
        names=lambda: [str(path.relative_to(root)) for path in root.rglob("*.pdf")],
    )


def a_bucket(root: Path, name: str, url: str) -> Place:
    bucket = bucket_of(name, prefix="some/where", endpoint=url)

    def names() -> list[str]:
        found = [entry["path"] for batch in obstore.list(bucket) for entry in batch]
        return [path for path in found if path.endswith(".pdf")]

    return Place(
        S3Store(bucket, root, max_bytes=1 << 30),
        root,
        read=lambda path: bytes(obstore.get(bucket, path).bytes()),
        write=lambda path, content: obstore.put(bucket, path, content) and None,
        remove=lambda path: obstore.delete(bucket, path),
        names=names,
    )


@pytest.fixture(params=["folder", "S3"])
async def place(request, tmp_path, aws) -> Place:
    if request.param == "folder":
        place = a_folder(tmp_path / "files")
    else:
        server = request.getfixturevalue("s3_server")
        place = a_bucket(tmp_path / "downloads", server.make_bucket(), server.url)
    await place.store.prepare()
    return place


@pytest.mark.parametrize("size", [len(CONTENT), LARGE])
async def test_what_was_committed_is_there_whole(place, arxiv_id, size):
    content = (CONTENT * (size // len(CONTENT) + 1))[:size]

    stored = await place.keep(arxiv_id, content)

    digest = hashlib.sha256(content).hexdigest()
    assert stored == StoredPdf(path=path_for(arxiv_id, digest), sha256=digest, size_bytes=size)
    assert place.read(stored.path) == content
    assert await place.store.verify(stored.path, stored.sha256, stored.size_bytes)


async def test_an_empty_file_is_never_committed(place, arxiv_id):
    with pytest.raises(BadPdf) as caught:
        await place.keep(arxiv_id, b"")

    assert caught.value.code == "corrupt"
    assert place.names() == []


async def test_a_download_that_is_given_up_leaves_nothing(place, arxiv_id):
    async with place.store.partial(arxiv_id) as part:
        await part.write(CONTENT)

    assert place.names() == []
    assert place.left_over() == []


async def test_a_stored_file_is_verified_by_size_and_content(place, arxiv_id):
    stored = await place.keep(arxiv_id, CONTENT)

    async def is_whole(*, sha256: str = stored.sha256, size: int = stored.size_bytes) -> bool:
        return await place.store.verify(stored.path, sha256, size)

    assert not await is_whole(size=len(CONTENT) + 1)
    assert not await is_whole(sha256="0" * 64)
    place.write(stored.path, CONTENT[::-1])
    assert not await is_whole()
    place.remove(stored.path)
    assert not await is_whole()


async def test_a_local_copy_can_be_read_as_long_as_it_is_held(place, arxiv_id):
    stored = await place.keep(arxiv_id, CONTENT)

    for _ in range(2):  # as it was uploaded, then as it is kept
        async with place.store.local_copy(stored) as path:
            assert path.read_bytes() == CONTENT
    assert place.left_over() == []


async def test_two_readers_of_one_file_do_not_disturb_each_other(place, arxiv_id):
    stored = await place.keep(arxiv_id, CONTENT)

    async with place.store.local_copy(stored) as first:
        async with place.store.local_copy(stored) as second:
            assert second.read_bytes() == CONTENT
        assert first.read_bytes() == CONTENT


async def test_a_sweep_leaves_a_copy_that_is_read_alone(place, arxiv_id):
    stored = await place.keep(arxiv_id, CONTENT)

    async with place.store.local_copy(stored) as path:
        await place.store.sweep(timedelta(0))
        assert path.read_bytes() == CONTENT


async def test_of_a_file_that_was_altered_or_lost_there_is_no_copy(place, arxiv_id):
    stored = await place.keep(arxiv_id, CONTENT)
    async with place.store.local_copy(stored):
        pass

    async def copied() -> None:
        async with place.store.local_copy(stored):
            pass

    place.remove(stored.path)
    with pytest.raises(NotFound):
        await copied()


async def test_other_bytes_of_one_paper_never_take_the_place_of_a_file(place, arxiv_id):
    first, second = await asyncio.gather(
        place.keep(arxiv_id, b"a" * (1 << 20)), place.keep(arxiv_id, b"b" * (1 << 20))
    )

    assert sorted(place.names()) == sorted([first.path, second.path])
    assert place.read(first.path) == b"a" * (1 << 20)
    assert place.read(second.path) == b"b" * (1 << 20)


async def test_the_same_bytes_again_are_the_same_file_and_mend_an_altered_one(place, arxiv_id):
    first = await place.keep(arxiv_id, CONTENT)
    place.write(first.path, b"altered")

    second = await place.keep(arxiv_id, CONTENT)

    assert second == first
    assert place.names() == [first.path]
    assert place.read(first.path) == CONTENT


async def test_the_size_of_a_stored_file_is_known_and_of_a_missing_one_none(place, arxiv_id):
    stored = await place.keep(arxiv_id, CONTENT)

    assert await place.store.size_of(stored.path) == len(CONTENT)
    assert await place.store.size_of("2301/2301.00002v1.pdf") is None
    assert await place.store.size_of("../outside") is None


async def test_all_files_are_listed_in_pieces_and_no_partial_one(place, arxiv_id):
    ids = [arxiv_id, OTHER, ArxivId.parse("2301.00002v1"), ArxivId.parse("0704.0001v1")]
    stored = {(await place.keep(one, CONTENT)).path for one in ids}
    async with place.store.partial(arxiv_id) as part:
        await part.record_etag('"kept"')
        await part.write(CONTENT)

    found, after = [], ""
    while piece := await place.store.list_files(after=after, limit=2):
        assert len(piece) <= 2
        found += piece
        after = piece[-1].path

    assert {file.path for file in found if id_of(file.path)} == stored
    assert len({file.path for file in found}) == len(found)
    age = datetime.now(UTC) - found[0].changed_at
    assert timedelta(seconds=-2) < age < timedelta(minutes=5)


async def test_a_stored_file_is_removed_only_when_it_is_old_enough(place, arxiv_id):
    stored = await place.keep(arxiv_id, CONTENT)
    other = await place.keep(OTHER, CONTENT)

    assert not await place.store.remove(stored.path, older_than=timedelta(hours=1))
    assert await place.store.size_of(stored.path) is not None
    assert await place.store.remove(stored.path)
    assert not await place.store.remove(stored.path)
    assert not await place.store.remove("../outside")
    assert place.names() == [other.path]


async def test_papers_do_not_share_a_name(place, arxiv_id):
    one = await place.keep(arxiv_id, CONTENT)
    other = await place.keep(OTHER, CONTENT)

    assert sorted(place.names()) == sorted([one.path, other.path])


@pytest.mark.parametrize(
    "path",
    [
        "2301/2301.00002v1.pdf",
        "2301",
        "",
        "/etc/passwd",
        "../outside",
        "2301//2301.00001v3.pdf",
        ".arxiv-pdf-store",
        "2301/\0",
        "x" * 300,
    ],
)
async def test_any_other_path_is_not_found(place, arxiv_id, path):
    stored = await place.keep(arxiv_id, CONTENT)
    async with place.store.local_copy(stored):
        pass

    assert not await place.store.verify(path, stored.sha256, stored.size_bytes)
    with pytest.raises(NotFound):
        async with place.store.local_copy(replace(stored, path=path)):
            pass


async def test_it_can_be_written_to(place):
    await place.store.check_writable()


@pytest.mark.parametrize("wanted", [range(len(CONTENT)), range(3), range(5, 9), range(21, 22)])
async def test_any_range_of_a_stored_file_can_be_read(place, arxiv_id, wanted):
    stored = await place.keep(arxiv_id, CONTENT)

    pieces = [piece async for piece in place.store.read(stored.path, wanted)]

    assert b"".join(pieces) == CONTENT[wanted.start : wanted.stop]


@pytest.mark.parametrize("wanted", [range(len(CONTENT) + 1), range(30, 40)])
async def test_a_range_that_a_file_does_not_have_is_not_found(place, arxiv_id, wanted):
    stored = await place.keep(arxiv_id, CONTENT)

    with pytest.raises(NotFound):
        [piece async for piece in place.store.read(stored.path, wanted)]
