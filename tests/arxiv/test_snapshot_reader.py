import gzip
import io
import os
import time
import tracemalloc
import zipfile

import orjson
import pytest

from service.arxiv.snapshot import MAX_LINE_BYTES
from service.arxiv.snapshot_blocks import BLOCK_BYTES, SnapshotTruncated, SnapshotUnreadable, blocks
from service.arxiv.snapshot_reader import (
    FileMark,
    Place,
    SnapshotChanged,
    SnapshotNotFound,
    SnapshotReader,
    find,
)
from service.domain import zstd

COUNT = 1200


def line(number):
    return orjson.dumps(
        {
            "id": f"2401.{number:05}",
            "title": f"Title {number}",
            "authors": "A. B",
            "categories": "cs.AI",
            "abstract": os.urandom(500).hex(),  # so that packed files have many blocks
            "versions": [{"version": "v1", "created": "Tue, 2 Jan 2024 10:00:00 GMT"}],
            "update_date": "2024-01-03",
        }
    )


LINES = [line(number) for number in range(1, COUNT + 1)]
TEXT = b"\n".join(LINES) + b"\n"


def zipped(text, method=zipfile.ZIP_DEFLATED, names=("arxiv.json",)):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("folder/", "")
        archive.writestr("__MACOSX/._arxiv.json", "clutter")
        for name in names:
            archive.writestr(name, text)
    return packed.getvalue()


FORMATS = {
    "plain": lambda text: text,
    "gzip": gzip.compress,
    "zstd": zstd.compress,
    "zip": zipped,
    "stored zip": lambda text: zipped(text, zipfile.ZIP_STORED),
    "gzip in parts": lambda text: (
        gzip.compress(text[:1000]) + gzip.compress(text[1000:]) + b"\0" * 9
    ),
    "zstd in parts": lambda text: zstd.compress(text[:1000]) + zstd.compress(text[1000:]),
}


@pytest.fixture
def written(tmp_path):
    def write(content, name="snapshot"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def read(path, *, place=None, expected=None, size=500):
    """Ids, bad lines and places of one pass; and the error that ended it, if any."""
    ids, bad, places, error = [], [], [], None
    with SnapshotReader(path, place=place, expected=expected) as reader:
        try:
            for batch in reader.batches(size):
                ids += [record.paper for record in batch.records]
                bad += batch.bad
                places.append(batch.place)
                assert 0 <= batch.bytes_read <= reader.mark.size
        except (SnapshotTruncated, SnapshotUnreadable, SnapshotChanged) as err:
            error = err
    return ids, bad, places, error


IDS = [f"2401.{number:05}" for number in range(1, COUNT + 1)]


@pytest.mark.parametrize("pack", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_every_line_once_in_order(written, pack):
    ids, bad, places, error = read(written(pack(TEXT)))

    assert (ids, bad, error) == (IDS, [], None)
    assert places[-1] == Place(len(TEXT), COUNT)
    assert places[0] == Place(len(b"\n".join(LINES[:500])) + 1, 500)


@pytest.mark.parametrize("pack", FORMATS.values(), ids=FORMATS)
def test_from_every_place_the_rest_follows_and_nothing_twice(written, pack):
    path = written(pack(TEXT))
    with SnapshotReader(path) as reader:
        mark = reader.mark
    _, _, places, _ = read(path, size=700)

    for place in [Place(), *places]:
        ids, bad, _, error = read(path, place=place, expected=mark, size=333)
        assert (ids, bad, error) == (IDS[place.line :], [], None)


def test_bad_and_blank_lines_are_counted_where_they_are(written):
    text = b"\n".join([b"\xef\xbb\xbf" + LINES[0], b"{bad", b"", LINES[1], b"  ", b"[]", LINES[2]])

    ids, bad, places, error = read(written(text), size=2)

    assert (ids, error) == (IDS[:3], None)
    assert [(one.line, one.reason) for one in bad] == [
        (2, "the line is no JSON"),
        (6, "the line is no JSON object"),
    ]
    assert places[-1] == Place(len(text), 7)
    again = read(written(text), place=places[0], size=2)
    assert [one.line for one in again[1]] == [6]


@pytest.mark.parametrize("pack", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.97])
def test_a_cut_file_gives_its_good_lines_and_then_its_error(written, pack, part):
    packed = pack(TEXT)

    ids, bad, _, error = read(written(packed[: int(len(packed) * part)]))

    assert isinstance(error, SnapshotTruncated)
    assert error.code == "snapshot_truncated"
    assert bad == []
    assert ids == IDS[: len(ids)]
    # a block of zstd, or what zlib holds back, may be lost; no more than that
    assert COUNT * part - len(ids) < 400


def test_a_plain_file_without_its_last_line_feed_is_whole(written):
    assert read(written(TEXT[:-1]))[0] == IDS
    assert isinstance(read(written(TEXT[:-2]))[3], SnapshotTruncated)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   \n",
        b"\x89PNG\r\n\x1a\n" + b"x" * 1000,
        b"[1, 2]\n",
        b"id,title\n1,2\n",
        zipped(TEXT, names=("a.json", "b.json")),
        zipped(TEXT, names=()),
        zipped(TEXT, zipfile.ZIP_BZIP2),
        b"\x1f\x8b" + b"nonsense" * 100,
        b"\x28\xb5\x2f\xfd" + b"\xff" * 100,
        gzip.compress(TEXT[:50_000]) + b"something else",
        gzip.compress(TEXT[:50_000])[:-8] + b"\0" * 8,
    ],
)
def test_a_wrong_or_damaged_file_is_unreadable(written, content):
    try:
        error = read(written(content))[3]
    except SnapshotUnreadable as err:  # when it is opened
        error = err

    assert isinstance(error, SnapshotUnreadable)
    assert error.code == "snapshot_unreadable"


def test_damage_in_a_zip_is_found_by_its_checksum(written):
    packed = bytearray(zipped(TEXT, zipfile.ZIP_STORED))
    at = packed.index(b"Title 600") + 1
    packed[at] ^= 1

    ids, _, _, error = read(written(bytes(packed)))

    assert len(ids) == COUNT
    assert isinstance(error, SnapshotUnreadable)


def test_another_size_or_time_than_at_the_checkpoint_is_refused(written):
    path = written(TEXT)
    with SnapshotReader(path) as reader:
        mark = reader.mark
    assert mark == FileMark(len(TEXT), path.stat().st_mtime_ns)

    for changed in (FileMark(mark.size + 1, mark.modified_ns), FileMark(mark.size, 1)):
        with pytest.raises(SnapshotChanged) as caught:
            SnapshotReader(path, expected=changed)
        assert caught.value.code == "snapshot_changed"


def test_a_file_that_changes_while_it_is_read_is_refused(written):
    path = written(TEXT)

    with SnapshotReader(path) as reader:
        batches = reader.batches(100)
        next(batches)
        with path.open("ab") as file:
            file.write(LINES[0])
        with pytest.raises(SnapshotChanged):
            list(batches)


def test_a_line_without_end_costs_no_memory_and_only_itself(written):
    long = b'{"id": "' + b"x" * (12 * MAX_LINE_BYTES) + b'"}'
    path = written(b"\n".join([LINES[0], long, LINES[1], b""]))

    tracemalloc.start()
    ids, bad, places, error = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 5 * MAX_LINE_BYTES

    assert (ids, error) == (IDS[:2], None)
    assert [(one.line, one.reason) for one in bad] == [(2, "the line is too long")]
    assert places[-1].offset == len(LINES[0]) + len(long) + len(LINES[1]) + 3


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress, zipped])
def test_a_bomb_is_unpacked_in_blocks(written, pack):
    packed = written(pack(b"\0" * 64 * BLOCK_BYTES))

    with packed.open("rb") as file:
        sizes = [len(block) for block in blocks(file)]

    assert sum(sizes) == 64 * BLOCK_BYTES
    assert max(sizes) <= BLOCK_BYTES


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress, zipped])
def test_while_a_packed_file_is_unpacked_to_its_place_batches_without_lines_come(
    written, pack, monkeypatch
):
    monkeypatch.setattr("service.arxiv.snapshot_reader.SKIPPED_AT_ONCE", BLOCK_BYTES // 2)
    path = written(pack(TEXT))
    place = read(path, size=1000)[2][0]

    with SnapshotReader(path, place=place) as reader:
        first, *others = list(reader.batches(1000))

    assert (first.records, first.bad, first.place) == ((), (), place)
    assert first.bytes_read > 0
    assert sum(len(batch.records) for batch in others) == COUNT - 1000


def test_a_place_behind_the_end_of_a_packed_file_is_an_error(written):
    error = read(written(gzip.compress(TEXT)), place=Place(len(TEXT) + 1, COUNT))[3]

    assert isinstance(error, SnapshotTruncated)


def test_a_packed_file_is_passed_over_about_as_fast_as_it_is_unpacked(written):
    """Nothing is looked at line by line; of the processor, and measured against unpacking."""
    text = TEXT * 40
    packed = gzip.compress(text, 1)
    path = written(packed)
    passing, unpacking = [], []
    for _ in range(3):
        began = time.process_time()
        ids, _, _, _ = read(path, place=Place(len(text), 40 * COUNT))
        passed = time.process_time()
        gzip.decompress(packed)
        unpacking.append(time.process_time() - passed)
        passing.append(passed - began)

    assert ids == []
    assert min(passing) < 3 * min(unpacking)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "missing", "folder", "x\0", "out", "loop"]
)
def test_only_a_file_in_the_directory_is_found(tmp_path, name):
    home = tmp_path / "snapshots"
    (home / "folder").mkdir(parents=True)
    (tmp_path / "x").write_bytes(TEXT)
    (home / "out").symlink_to(tmp_path / "x")
    (home / "loop").symlink_to(home / "loop")

    with pytest.raises(SnapshotNotFound) as caught:
        find(home, name)

    assert caught.value.code == "snapshot_not_found"
    assert str(tmp_path) not in str(caught.value)


def test_a_file_and_a_link_within_the_directory_are_found(tmp_path):
    (tmp_path / "a.json").write_bytes(TEXT)
    (tmp_path / "latest").symlink_to(tmp_path / "a.json")

    assert find(tmp_path, "latest") == find(tmp_path, "a.json") == tmp_path / "a.json"


def test_a_file_that_cannot_be_opened_is_an_error_of_ours(tmp_path):
    with pytest.raises(SnapshotNotFound):
        SnapshotReader(tmp_path / "missing")
    (tmp_path / "file").write_bytes(TEXT)
    (tmp_path / "link").symlink_to(tmp_path / "file")  # put in place of the file that was found
    with pytest.raises(SnapshotUnreadable):
        SnapshotReader(tmp_path / "link")
