"""The invariants I1–I8 of the fault list, looked at when the dust has settled.

Each check returns what is wrong, in words; nothing when all is well.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from service.devtools.stand_in.log import pace_of
from tests.soak.fleet import PASSWORD, SECRET

# After SIGCONT a replica may send what it was about to send when it was stopped: nothing
# on this side of the wire can take that back. Such a gap is reported apart.
CONTINUED_SECONDS = 2.0


async def acknowledged_jobs(connection: asyncpg.Connection, ids: Iterable[str]) -> list[str]:
    """I1: every job that a client was told of exists, and is finished."""
    statuses = {str(r["id"]): r["status"] for r in await connection.fetch("TABLE jobs")}
    found = [f"I1 job {i} is lost" for i in ids if i not in statuses]
    return found + [
        f"I1 job {i} is still {statuses[i]}"
        for i in ids
        if statuses.get(i) in ("pending", "running")
    ]


async def rows_at_rest(connection: asyncpg.Connection) -> list[str]:
    """I2, I3: no task is left, no paper is there twice, and counters equal what they count."""
    checks = {
        "I2 tasks are left in the queue": "SELECT count(*) FROM pgqueuer",
        "I2 papers of finished jobs are still open": "SELECT count(*) FROM job_papers JOIN jobs j"
        " ON j.id = job_id WHERE state IN ('pending', 'downloaded') AND j.status <> 'cancelled'",
        "I3 papers are there twice": "SELECT count(*) - count(DISTINCT arxiv_id) FROM papers",
        "I3 jobs whose counters differ from their rows": "SELECT count(*) FROM jobs j,"
        " LATERAL (SELECT count(*) FILTER (WHERE state = 'processed') AS processed,"
        " count(*) FILTER (WHERE state = 'failed') AS failed, count(*) AS papers"
        " FROM job_papers WHERE job_id = j.id) c WHERE (j.pdfs_processed, j.pdfs_failed)"
        " <> (c.processed, c.failed)",
        "I7 advisory locks are held": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
        "I7 transactions are open for more than 5 s": "SELECT count(*) FROM pg_stat_activity"
        " WHERE xact_start < now() - interval '5 s' AND backend_type = 'client backend'",
    }
    return [f"{what}: {n}" for what, sql in checks.items() if (n := await connection.fetchval(sql))]


def files(results: dict[str, Any], folder: Path) -> list[str]:
    """I4: every file that a row claims is there and is right; nothing else lies about."""
    root = folder / "files"
    rows = [paper for result in results.values() for paper in result["papers"].values()]
    claimed = {row["pdf_path"]: row for row in rows if row["pdf_path"]}
    there = {str(path.relative_to(root)) for path in root.rglob("*.pdf")}
    found = [f"I4 {path} is no file" for path in sorted(claimed.keys() - there)]
    found += [f"I4 no row claims {path}" for path in sorted(there - claimed.keys())]
    found += [
        f"I4 {path} is not what its row says"
        for path, row in claimed.items()
        if row["file"] != row["pdf_sha256"] or (root / path).stat().st_size != row["pdf_bytes"]
    ]
    left = [path for path in root.rglob("*.part*") if path.is_file()]
    return found + [f"I4 a partial file is left: {path.name}" for path in left]


def pace(requests: Sequence[dict[str, Any]], interval: float) -> list[str]:
    """I5: never two API requests at once, and the interval between their starts."""
    proved = pace_of(requests)
    found = []
    if proved.smallest_gap is not None and proved.smallest_gap < interval:
        found.append(f"I5 two API starts lie only {proved.smallest_gap:.3f} s apart")
    if proved.most_open > 1:
        found.append(f"I5 {proved.most_open} API requests were open at once")
    return found


def not_just_continued(
    requests: Sequence[dict[str, Any]], continued: Sequence[float]
) -> list[dict[str, Any]]:
    """`requests` but those that began right after a stopped replica was continued."""
    return [
        request
        for request in requests
        if not any(0 <= request["started"] - at < CONTINUED_SECONDS for at in continued)
    ]


async def pages_asked_again(
    connection: asyncpg.Connection, requests: Sequence[dict[str, Any]], page_size: int
) -> list[str]:
    """No page is asked for after the checkpoint behind it was committed.

    `wall` of a request is the moment of its start on the clock of the database.
    """
    first_ids = {
        row["first"]: (row["id"], row["offset"])
        for row in await connection.fetch(
            "SELECT id, n - 1 AS offset, value #>> '{}' AS first FROM jobs,"
            " jsonb_array_elements(request #> '{search_query,ids}') WITH ORDINALITY AS e (value, n)"
            " WHERE (n - 1) % $1 = 0",
            page_size,
        )
    }
    passed: dict[tuple[Any, int], float] = {}
    for row in await connection.fetch(
        "SELECT job_id, done, extract(epoch FROM at)::float AS at FROM soak_checkpoints ORDER BY at"
    ):
        for offset in range(0, row["done"], page_size):
            passed.setdefault((row["job_id"], offset), row["at"])
    found = []
    for request in requests:
        # what has no start is no page: one known id, asked for to tell an outage from a bad request
        match = re.search(r"id_list=([^,&]+)[^&]*&start=", request["path"])
        page = first_ids.get(match[1]) if match else None
        if page in passed and request["wall"] > passed[page]:
            found.append(f"page {page[1]} of job {page[0]} was asked again after its commit")
    return found


def secrets(folder: Path, token: str, documents: Iterable[str]) -> list[str]:
    """I8: no token, no secret and no password in logs or in what is stored for callers."""
    texts = {path.name: path.read_text(errors="replace") for path in folder.glob("*.log")}
    texts["the job table"] = "\n".join(documents)
    return [
        f"I8 {what} shows in {place}"
        for place, text in texts.items()
        for what, needle in (("a token", token), ("the secret", SECRET), ("a password", PASSWORD))
        if needle in text
    ]
