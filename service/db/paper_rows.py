"""A paper's metadata as columns: the one list of its fields, and what a source changes of them.

Whoever writes, compares or shows papers takes names from here. A record goes to
PostgreSQL as one JSON document, and comes out of it as a row (`given`).
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import JSON, Table, TableValuedAlias, Text, bindparam, cast, column, func

from service.domain.papers import Paper, PdfState, StoredPdf

# Column → the attribute of a paper, and the field that tells it (`Paper.told`).
_FIELDS: Mapping[str, tuple[str, str]] = {
    "version": ("arxiv_id.version", "version"),
    **{
        name: (name, name)
        for name in (
            "title",
            "abstract",
            "authors",
            "categories",
            "primary_category",
            "published_at",
            "updated_at",
            "doi",
            "journal_ref",
            "comments",
            "license",
            "withdrawn",
            "affiliations",
            "submitter",
            "datestamp",
        )
    },
    "license_told": ("tells_license", "license"),
}
METADATA = tuple(_FIELDS)
DIGEST = "snapshot_digest"  # of the line that told the row; whoever writes the row writes it, too
COLUMNS = ("arxiv_id", *METADATA, DIGEST)
_values = attrgetter("arxiv_id.paper", *(attribute for attribute, _ in _FIELDS.values()), DIGEST)
FILE = ("pdf_state", "pdf_path", "pdf_sha256", "pdf_bytes", "page_count", "text_state")
_INTERNAL = ("affiliations", "submitter", "datestamp", "license_told")
# What is told of a paper, in this order; text and the like follow elsewhere.
SHOWN = ("arxiv_id", *(name for name in METADATA if name not in _INTERNAL), *FILE)

# Forgetting the file of an older version goes with writing a newer one.
NO_FILE: Mapping[str, Any] = {**dict.fromkeys(FILE), "pdf_state": PdfState.NONE}


def file_columns(pdf: StoredPdf) -> dict[str, Any]:
    """A file that has been downloaded, by column; of `papers` or of `paper_versions`."""
    return {
        "pdf_state": PdfState.DOWNLOADED,
        "pdf_path": pdf.path,
        "pdf_sha256": pdf.sha256,
        "pdf_bytes": pdf.size_bytes,
    }


def told_columns(told: frozenset[str]) -> frozenset[str]:
    """The columns of `papers` that a source with these fields tells."""
    return frozenset(name for name, (_, field) in _FIELDS.items() if field in told)


def paper_row(paper: Paper) -> dict[str, Any]:
    """The metadata of a paper by column; those that its source does not tell, too."""
    return dict(zip(COLUMNS, _values(paper), strict=True))


def version_rows(paper: Paper) -> list[dict[str, Any]]:
    """What the paper's source says of its versions, by column of `paper_versions`.

    Of a source without a history: the version at hand, and the first one's moment.
    """
    newest = paper.arxiv_id.version
    of_newest = {"license": paper.license, "license_told": paper.tells_license}
    rows = []
    for one in paper.versions:
        rows.append(
            {
                "arxiv_id": paper.arxiv_id.paper,
                "version": one.version,
                "submitted_at": one.submitted_at,
                "size_kb": one.size_kb,
                "source_type": one.source_type,
                "withdrawn": one.is_withdrawn or (one.version == newest and paper.withdrawn),
                "license": None,
                "license_told": False,
                **(of_newest if one.version == newest else {}),
            }
        )
    return rows or _without_history(paper, of_newest)


def _without_history(paper: Paper, of_newest: Mapping[str, Any]) -> list[dict[str, Any]]:
    blank = {"size_kb": None, "source_type": None}
    own = {"arxiv_id": paper.arxiv_id.paper, "version": paper.arxiv_id.version}
    newest = {"submitted_at": paper.updated_at, "withdrawn": paper.withdrawn, **of_newest}
    rows = [{**own, **blank, **newest}]
    if paper.arxiv_id.version != 1 and "published_at" in paper.told:
        first = {"submitted_at": paper.published_at, "withdrawn": False}
        unknown = {"license": None, "license_told": False}
        rows.insert(0, {**own, "version": 1, **blank, **first, **unknown})
    return rows


def given(table: Table, rows: Sequence[Mapping[str, Any]]) -> TableValuedAlias:
    """`rows` for `table` (all with the same columns of it, at least one row) as a FROM clause."""
    document = bindparam("given", orjson.dumps(rows).decode(), type_=Text(), unique=True)
    columns = [column(name, table.c[name].type) for name in rows[0]]
    records = func.json_to_recordset(cast(document, JSON)).table_valued(*columns)
    return records.render_derived(name="given", with_types=True)


def by_told(batch: Iterable[Paper]) -> dict[frozenset[str], list[Paper]]:
    """The papers in groups whose sources tell the same fields, each by id."""
    groups: dict[frozenset[str], list[Paper]] = {}
    for paper in sorted(batch, key=attrgetter("arxiv_id.paper")):
        groups.setdefault(paper.told, []).append(paper)
    return groups
