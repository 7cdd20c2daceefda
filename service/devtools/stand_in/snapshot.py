"""The corpus as the metadata file that arXiv publishes at Kaggle: one JSON object a line.

Texts with accents as TeX macros, except in `authors_parsed`; sorted by id, so that
old ids come last. Written from the records one by one, plain or packed by the
name's ending: `.gz`, `.zst`, `.zip`. The same corpus gives the same bytes.
"""

import gzip
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol

from service.devtools.stand_in import tex
from service.devtools.stand_in.records import Record, Records, Version
from service.domain import zstd


class Writable(Protocol):
    """What bytes can be written to."""

    def write(self, data: bytes, /) -> int:
        """Write all of `data`."""
        ...


INSIDE = "arxiv-metadata-oai-snapshot.json"  # what the one file in the .zip is called
_ZIPPED_AT = (1991, 8, 14, 0, 0, 0)  # any moment, always the same


def write_snapshot(records: Records, path: Path) -> None:
    """Write all records to `path`, which appears when it is complete."""
    part = path.with_name(f".{path.name}.part")
    try:
        with _packed(part, path.suffix) as stream:
            for line in lines(records):
                stream.write(line)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def lines(records: Records) -> Iterator[bytes]:
    """The lines of the file, with their ends, sorted by id."""
    corpus = records.corpus
    ids = corpus.calendar.id_of
    old = sorted(range(corpus.calendar.old_papers), key=ids)
    for number in (*range(corpus.calendar.old_papers, corpus.papers), *old):
        yield json.dumps(_row(records.record(number))).encode() + b"\n"


def _row(record: Record) -> dict[str, Any]:
    paper = record.paper
    return {
        "id": paper.arxiv_id.paper,
        "submitter": tex.to_tex(record.submitter),
        "authors": tex.folded(record.author_line),
        "title": tex.folded(tex.to_tex(paper.title)),
        "comments": paper.comments and tex.folded(tex.to_tex(paper.comments)),
        "journal-ref": paper.journal_ref and tex.to_tex(paper.journal_ref),
        "doi": paper.doi,
        "report-no": record.report_no,
        "categories": " ".join(paper.categories),
        "license": record.license,
        "abstract": tex.abstract(tex.to_tex(paper.abstract)),
        "versions": [
            {"version": f"v{one.number}", "created": _created(one)} for one in record.versions
        ],
        "update_date": f"{record.modified_at:%Y-%m-%d}",
        "authors_parsed": [[a.keyname, a.forenames, a.suffix or ""] for a in record.authors],
    }


def _created(version: Version) -> str:
    """When a version came: `Mon, 2 Apr 2007 19:18:42 GMT`, days below ten without a nought."""
    return format_datetime(version.submitted_at, usegmt=True).replace(", 0", ", ")


@contextmanager
def _packed(path: Path, ending: str) -> Iterator[Writable]:
    """A stream into the file at `path`, packed as `ending` says."""
    with path.open("wb") as file:
        if ending == ".gz":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                yield packed
        elif ending == ".zst":
            with zstd.ZstdFile(file, "wb") as compressed:
                yield compressed
        elif ending == ".zip":
            info = zipfile.ZipInfo(INSIDE, _ZIPPED_AT)
            info.compress_type = zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(file, "w") as archive, archive.open(info, "w") as inside:
                yield inside
        else:
            yield file
