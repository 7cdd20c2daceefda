import gzip
import json
import zipfile

import pytest
from click.testing import CliRunner

from service.cli.replica import replica
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.records import Records
from service.devtools.stand_in.snapshot import INSIDE, lines, write_snapshot
from service.domain import zstd

RECORDS = Records(Corpus(200, 7))
KEYS = [
    *("id", "submitter", "authors", "title", "comments", "journal-ref", "doi", "report-no"),
    *("categories", "license", "abstract", "versions", "update_date", "authors_parsed"),
]


def unzipped(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [INSIDE]
        return archive.read(INSIDE)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("all.json", lambda path: path.read_bytes()),
        ("all.json.gz", lambda path: gzip.decompress(path.read_bytes())),
        ("all.json.zst", lambda path: zstd.decompress(path.read_bytes())),
        ("all.zip", unzipped),
    ],
)
def test_the_command_writes_the_corpus_packed_as_the_name_says(tmp_path, name, read):
    path = tmp_path / name

    result = CliRunner().invoke(
        replica, ["--papers", "200", "--write-snapshot", str(path)], catch_exceptions=False
    )

    assert result.exit_code == 0
    assert read(path) == b"".join(lines(RECORDS))
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_the_same_corpus_gives_the_same_bytes(tmp_path):
    paths = [tmp_path / f"{n}.{ending}" for ending in ("gz", "zip", "zst") for n in range(2)]
    for path in paths:
        write_snapshot(RECORDS, path)

    for first, second in zip(paths[::2], paths[1::2], strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_a_line_is_what_kaggle_has_for_a_paper():
    rows = [json.loads(line) for line in lines(RECORDS)]

    assert len({row["id"] for row in rows}) == 200
    for row in rows:
        number = RECORDS.corpus.calendar.find(row["id"])
        record = RECORDS.record(number)
        assert list(row) == KEYS
        assert row["update_date"] == f"{record.modified_at:%Y-%m-%d}"
        assert [one["version"] for one in row["versions"]] == [
            f"v{one.number}" for one in record.versions
        ]
        assert row["categories"].split() == list(record.paper.categories)
        assert [len(parts) for parts in row["authors_parsed"]] == [3] * len(record.authors)
        assert row["abstract"].startswith("  ")
        assert row["abstract"].endswith("\n")
        assert row["authors"].isascii()
    assert any("Jr." in parts for row in rows for parts in row["authors_parsed"])
    assert {type(row["license"]) for row in rows} == {str, type(None)}


def test_old_ids_come_last_as_in_the_real_file():
    ids = [json.loads(line)["id"] for line in lines(RECORDS)]

    assert ids == sorted(ids)
    assert "/" in ids[-1]


def test_dates_have_no_nought_before_days_below_ten():
    created = [v["created"] for line in lines(RECORDS) for v in json.loads(line)["versions"]]

    days = {one.split()[1] for one in created}
    assert "1" in days or "2" in days
    assert not any(day.startswith("0") for day in days)
    assert all(one.endswith(" GMT") for one in created)


def test_a_snapshot_that_cannot_be_written_is_an_error(tmp_path):
    path = tmp_path / "missing" / "all.json"

    result = CliRunner().invoke(replica, ["--papers", "20", "--write-snapshot", str(path)])

    assert result.exit_code == 1
    assert "cannot write" in result.output
