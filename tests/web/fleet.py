"""A fleet at work as rows of the database: what the operators' page is shown with."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.papers import PaperStore
from service.db.rate_limits import RateLimitStore
from service.db.workers import WorkerStore
from service.domain.channels import Channel
from tests.conftest import make_paper

RUNNING = "01a2a7e1-6b0c-7b6c-8a55-0b8f5a5be100"
PENDING = "01a2a7e1-6b0c-7b6c-8a55-0b8f5a5be101"
FAILED = "01a2a7e1-6b0c-7b6c-8a55-0b8f5a5be102"
SCHEDULE = "01a204d1-0f2b-7c51-9a3e-3d5f1f0a9c42"
SUBSCRIPTION = "01a2a7e1-6b0c-7b6c-8a55-0b8f5a5be1f2"
HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=alert(1)>"

_SEARCH = {"max_results": 100, "start": 0, "sort_by": "submittedDate", "sort_order": "descending"}
_OPTIONS = {"batch_size": 50, "skip_duplicates": True, "priority": "normal"}


def search(papers: int, **criteria: object) -> dict[str, Any]:
    """A search as it is stored."""
    query = {**criteria, **_SEARCH}
    wanted = {"source": "search", "max_papers": papers, "process_pdfs": True}
    return {"search_query": query, **wanted, **_OPTIONS}


# id, status, by, request, minutes ago, columns
_OAI = {"set": "cs", "from_date": "20240101", "metadata_format": "arXivRaw"}
JOBS: list[tuple[str | None, str, str, dict[str, Any], int, dict[str, Any]]] = [
    (
        RUNNING,
        "running",
        "search-indexer",
        {**search(500, category="cs.AI", from_date="20240101"), "labels": {"team": "search"}},
        4,
        {
            "papers_total": 500,
            "pages_fetched": 4,
            "papers_fetched": 400,
            "papers_created": 380,
            "papers_updated": 15,
            "papers_skipped": 5,
            "pdfs_downloaded": 310,
            "pdfs_processed": 300,
            "pdfs_pending": 90,
            "pdfs_failed": 4,
            "pdfs_unavailable": 1,
            "resumed": 1,
        },
    ),
    (PENDING, "pending", "alice", search(100, author="Noether, E"), 1, {}),
    (
        None,
        "running",
        "nightly",
        {"source": "oai", "oai": _OAI, "process_pdfs": False, **_OPTIONS},
        55,
        {
            "pages_fetched": 18,
            "papers_fetched": 18_000,
            "papers_created": 17_000,
            "papers_updated": 1_000,
            "waiting_for": "arxiv_cooldown",
        },
    ),
    (
        FAILED,
        "failed",
        "alice",
        search(3, ids=["2401.00001", "2401.00002", "hep-th/9901001"]),
        190,
        {"papers_total": 3, "papers_fetched": 3, "papers_created": 3, "pdfs_failed": 1},
    ),
    (
        None,
        "completed",
        "bob",
        search(50, query="graph neural networks"),
        300,
        {"papers_total": 50, "papers_fetched": 50, "papers_created": 50, "pdfs_processed": 50},
    ),
]


async def populate(conn: AsyncConnection) -> None:
    """Fill an empty database with a fleet that has one of everything."""
    for job in JOBS:
        await _job(conn, *job)
    await _papers(conn)
    await _errors(conn)
    await _timeline(conn)
    await _fleet(conn)
    await _around(conn)


async def _job(
    conn: AsyncConnection,
    job_id: str | None,
    status: str,
    by: str,
    request: dict[str, Any],
    minutes: int,
    columns: dict[str, Any],
) -> None:
    columns = {
        "id": UUID(job_id) if job_id else uuid4(),
        "status": status,
        "requested_by": by,
        **columns,
    }
    moments = {"created_at": f"now() - interval '{minutes + 1} minutes'"}
    if status != "pending":
        start = f"now() - interval '{minutes} minutes'"
        moments |= {"started_at": start, "taken_up_at": start}
    if status not in ("pending", "running"):
        moments["completed_at"] = f"now() - interval '{minutes - 2} minutes'"
    if "waiting_for" in columns:
        moments["waiting_since"] = "now() - interval '2 minutes'"
    names = [*columns, "request", *moments]
    values = [*(f":{name}" for name in columns), "CAST(:request AS jsonb)", *moments.values()]
    await conn.execute(
        text(f"INSERT INTO jobs ({', '.join(names)}) VALUES ({', '.join(values)})"),
        {**columns, "request": json.dumps(request)},
    )


async def _papers(conn: AsyncConnection) -> None:
    titles = ["A survey of agents", HOSTILE, "Proofs by search", "Learning to wait", "On leases"]
    papers = [
        make_paper(f"2401.{number:05}v1", title=titles[number % len(titles)])
        for number in range(1, 61)
    ]
    await PaperStore(conn).upsert(papers, overwrite=True)
    await conn.execute(
        text(
            "INSERT INTO job_papers (job_id, arxiv_id, version, state, attempts, reason)"
            " SELECT CAST(:job AS uuid), arxiv_id, 1, CASE WHEN n <= 4 THEN 'failed'"
            " WHEN n = 5 THEN 'unavailable' WHEN n < 30 THEN 'pending' ELSE 'processed' END,"
            " least(n, 3),"
            " CASE WHEN n <= 4 THEN 'corrupt' WHEN n = 5 THEN 'unavailable' END FROM"
            " (SELECT arxiv_id, row_number() OVER (ORDER BY arxiv_id) AS n FROM papers) AS p"
        ),
        {"job": RUNNING},
    )


async def _errors(conn: AsyncConnection) -> None:
    await conn.execute(
        text(
            "INSERT INTO job_papers (job_id, arxiv_id, version, state, attempts, reason)"
            " VALUES (:job, '2401.00002', 1, 'failed', 3, 'corrupt')"
        ),
        {"job": FAILED},
    )
    await conn.execute(
        text(
            "INSERT INTO job_errors (job_id, stage, error, code, arxiv_id, attempt)"
            " SELECT CAST(:job AS uuid), 'pdf_processing', 'the PDF cannot be read', 'corrupt',"
            " '2401.' || to_char(n, 'FM00000'), 3 FROM generate_series(1, 4) AS n"
            " UNION ALL SELECT CAST(:job AS uuid), 'pdf_download',"
            " 'arXiv has no PDF of this version', 'unavailable', '2401.00005', 1"
        ),
        {"job": RUNNING},
    )


async def _timeline(conn: AsyncConnection) -> None:
    """Of the job that runs: pages, a wait in between, and what came in each 10 s."""
    await conn.execute(
        text(
            "INSERT INTO job_events (job_id, at, event, number, papers_fetched, reason, ended_at)"
            " SELECT CAST(:job AS uuid), now() - (4 - n) * interval '50 s',"
            " CASE n WHEN 2 THEN 'waiting' ELSE 'page' END, n, n * 100,"
            " CASE n WHEN 2 THEN 'arxiv_cooldown' END,"
            " CASE n WHEN 2 THEN now() - interval '60 s' END FROM generate_series(1, 4) AS n"
        ),
        {"job": RUNNING},
    )
    await conn.execute(
        text(
            "INSERT INTO job_intervals (job_id, at, papers, pdfs)"
            " SELECT CAST(:job AS uuid), date_bin('10 s', now() - n * interval '10 s', 'epoch'),"
            " CASE n % 5 WHEN 0 THEN 80 ELSE 0 END, 6 + 5 * (n % 4)"
            " FROM generate_series(1, 24) AS n"
        ),
        {"job": RUNNING},
    )


async def _fleet(conn: AsyncConnection) -> None:
    for number in (1, 2):
        await WorkerStore(conn).beat(
            uuid4(),
            host=f"ingest-{number}",
            pid=4710 + number,
            version="1.0.0",
            lease=timedelta(hours=1),
            tasks=4 * number,
        )
    await conn.execute(
        text(
            "INSERT INTO pgqueuer (priority, status, entrypoint, execute_after)"
            " SELECT 1, 'queued'::pgqueuer_status, 'pdf', now() - interval '40 s'"
            " FROM generate_series(1, 90)"
            " UNION ALL SELECT 1, 'picked', 'pdf', now() FROM generate_series(1, 8)"
            " UNION ALL SELECT 1, 'queued', 'harvest', now() + interval '1 h'"
        )
    )
    limits = RateLimitStore(conn)
    for status in (429, 429, 503):
        await limits.count_refusal(Channel.API, status)
    minute = timedelta(minutes=20)
    await limits.cool_down(Channel.API, minute, first=minute, longest=minute)


async def _around(conn: AsyncConnection) -> None:
    await conn.execute(
        text(
            "INSERT INTO coverage (set, day, listed, missing, stale, checked_at)"
            " SELECT '', current_date - n, 900 + 10 * (n % 5), 30 * (n % 4), 20 * (n % 3), now()"
            " FROM generate_series(0, 29) AS n"
        )
    )
    for name, cron, is_due in (
        ("nightly", "0 3 * * *", False),
        ("hourly", "5 * * * *", True),
    ):
        await conn.execute(
            text(
                "INSERT INTO schedules (id, name, cron, request, created_by, next_run_at,"
                " last_run_at, last_job_id) VALUES (:id, :name, :cron, CAST(:request AS jsonb),"
                " 'alice', now() + CAST(:wait AS interval), now() - interval '50 minutes', :job)"
            ),
            {
                "id": SCHEDULE if is_due else str(uuid4()),
                "name": name,
                "cron": cron,
                "request": json.dumps(search(200, category="cs.AI")),
                "wait": timedelta(minutes=-185) if is_due else timedelta(hours=5),
                "job": RUNNING if is_due else FAILED,
            },
        )
    await conn.execute(
        text(
            "INSERT INTO webhooks (id, url, events, labels, secret, created_by) VALUES"
            " (:id, 'https://hooks.example.org/arxiv', ARRAY['job.completed', 'job.failed'],"
            " '{\"team\": \"search\"}', 'whsec_x', 'alice')"
        ),
        {"id": SUBSCRIPTION},
    )
    await conn.execute(
        text(
            "INSERT INTO webhook_deliveries (webhook_id, subscription_id, job_id, event, url,"
            " attempt, status, http_status, error, ended_at) VALUES ('msg_1', :id, :job,"
            " 'job.failed', 'https://hooks.example.org/arxiv', 1, 'failed', 503, 'http_status',"
            " now() - interval '3 hours')"
        ),
        {"id": SUBSCRIPTION, "job": FAILED},
    )
