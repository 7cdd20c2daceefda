"""What jobs brought about, in a form that two runs can be compared in."""

import hashlib
import json
from pathlib import Path
from typing import Any

import asyncpg

from tests.soak.work import HOSTILE

COUNTERS = (
    "status, pages_fetched, papers_total, papers_fetched, papers_created, papers_updated,"
    " papers_skipped, pdfs_downloaded, pdfs_processed, pdfs_pending, pdfs_failed,"
    " pdfs_unavailable, errors_total"
)
PAPER = (
    "p.version, p.title, p.abstract, p.authors, p.categories, p.published_at::text,"
    " p.updated_at::text, p.doi, p.withdrawn, p.pdf_state, p.pdf_path, p.pdf_sha256,"
    " p.pdf_bytes, p.page_count"
)

Result = dict[str, Any]


async def results(connection: asyncpg.Connection, folder: Path) -> dict[str, Result]:
    """For each job, by its idempotency key: counters, papers, checksums of texts and files."""
    found: dict[str, Result] = {}
    for row in await connection.fetch(f"SELECT idempotency_key AS key, id, {COUNTERS} FROM jobs"):
        counters = {k: v for k, v in row.items() if k not in ("key", "id")}
        papers = await connection.fetch(
            f"SELECT jp.arxiv_id, jp.state, jp.reason, {PAPER}, md5(t.content) AS text"
            " FROM job_papers jp LEFT JOIN papers p USING (arxiv_id)"
            " LEFT JOIN paper_texts t USING (arxiv_id) WHERE jp.job_id = $1",
            row["id"],
        )
        rows = {paper["arxiv_id"]: _paper(dict(paper), folder) for paper in papers}
        found[row["key"]] = {"counters": counters, "papers": rows}
    plain: dict[str, Result] = json.loads(json.dumps(found, default=str, sort_keys=True))
    return plain


def differences(undisturbed: dict[str, Result], disturbed: dict[str, Result]) -> list[str]:
    """Each job, counter, paper or file that is not the same, in words."""
    found = [f"{key} is missing" for key in sorted(undisturbed.keys() - disturbed.keys())]
    found += [f"{key} was never asked for" for key in sorted(disturbed.keys() - undisturbed.keys())]
    for key in sorted(undisturbed.keys() & disturbed.keys()):
        for part in ("counters", "papers"):
            right, is_ = undisturbed[key][part], disturbed[key][part]
            found += [
                f"{key} {name}: {is_.get(name)} instead of {right.get(name)}"
                for name in sorted(right.keys() | is_.keys())
                if right.get(name) != is_.get(name)
            ]
    return found


def _paper(row: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A paper's row with the checksum of its file as it lies there."""
    if row["reason"] in HOSTILE:  # what stopped it first depends on when it was killed
        row["reason"] = "hostile"
    path = row["pdf_path"]
    row["file"] = path and hashlib.sha256((folder / "files" / path).read_bytes()).hexdigest()
    return row
