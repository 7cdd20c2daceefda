"""Examples in the description of the API: answers as the service has given them."""

from typing import Any

JOB_ID = "01a204cd-c106-72e2-b77f-e5c1e5cac760"
RETRY_ID = "01a204cf-5b90-73f2-a207-fc1a2b977c8b"
SCHEDULE_ID = "01a204d1-0f2b-7c51-9a3e-3d5f1f0a9c42"
SUBMISSION: dict[str, Any] = {
    "search_query": {"category": "cs.AI", "from_date": "20230101"},
    "max_papers": 10,
}
CRITERIA: dict[str, Any] = {
    "category": "cs.AI",
    "from_date": "20230101",
    "max_results": 100,
    "start": 0,
    "sort_by": "submittedDate",
    "sort_order": "descending",
}
REQUEST: dict[str, Any] = {
    "search_query": CRITERIA,
    "source": "search",
    "batch_size": 50,
    "max_papers": 10,
    "process_pdfs": True,
    "skip_duplicates": True,
    "priority": "normal",
}
RECORDED: dict[str, Any] = {
    "job_id": JOB_ID,
    "status": "pending",
    "message": "The ingestion job is recorded; follow it at its Location",
    "estimated_papers": 10,
    "search_criteria": CRITERIA,
}
RETRIED: dict[str, Any] = {**RECORDED, "job_id": RETRY_ID, "retry_of": JOB_ID}
_ERRORS = [
    {
        "timestamp": "2026-11-22T19:48:43.106475Z",
        "error": "arXiv has no PDF of this version",
        "stage": "pdf_download",
        "arxiv_id": "2210.00001",
        "code": "unavailable",
        "attempt": 1,
    }
]
STATUS: dict[str, Any] = {
    "job_id": JOB_ID,
    "status": "completed",
    "progress": {
        "papers_fetched": 10,
        "papers_created": 10,
        "papers_updated": 0,
        "pdfs_downloaded": 9,
        "pdfs_processed": 9,
        "errors": _ERRORS,
    },
    "created_at": "2026-11-22T19:48:42.884717Z",
    "started_at": "2026-11-22T19:48:42.967237Z",
    "completed_at": "2026-11-22T19:48:43.731778Z",
    "errors": _ERRORS,
    "stats": {
        "pages_fetched": 1,
        "papers_total": 10,
        "papers_skipped": 0,
        "pdfs_pending": 0,
        "pdfs_failed": 0,
        "pdfs_unavailable": 1,
        "errors_total": 1,
        "resumed": 0,
        "elapsed_seconds": 0.765,
        "eta_seconds": None,
        "request": REQUEST,
    },
}
EVENTS = f'retry: 2000\n\nid: 7\nevent: status\ndata: {{"job_id":"{JOB_ID}", …}}\n\n'
CANCELLED = {"message": f"Job {JOB_ID} cancelled successfully"}
JOB_PAPER: dict[str, Any] = {
    "arxiv_id": "2210.00001",
    "version": 1,
    "title": "A title",
    "state": "unavailable",
    "attempts": 1,
    "failures": 0,
    "reason": "unavailable",
    "updated_at": "2026-11-22T19:48:43.106475Z",
}
STATS: dict[str, Any] = {
    "as_of": "2026-11-22T19:50:00.106475Z",
    "jobs": {"pending": 0, "running": 1, "completed": 12, "failed": 0, "cancelled": 1},
    "papers": {"none": 0, "downloaded": 2, "processed": 640, "failed": 1, "unavailable": 3},
    "throughput": {
        "last_minute": {"papers": 20, "pdfs": 18},
        "last_hour": {"papers": 640, "pdfs": 612},
    },
    "queue": {
        "harvest": {"high": 0, "normal": 1, "low": 0, "in_work": 0},
        "pdf": {"high": 0, "normal": 4, "low": 0, "in_work": 8},
    },
    "estimated": [],
}
OVERVIEW: dict[str, Any] = {
    "at": "2026-11-22T19:50:00.106475Z",
    "jobs_by_status": STATS["jobs"],
    "papers_by_pdf_state": STATS["papers"],
    "jobs": [
        {
            "job_id": JOB_ID,
            "status": "running",
            "requested_by": "me",
            "percent": 50.0,
            "papers_fetched": 10,
            "papers_total": 10,
            "pdfs_processed": 5,
            "pdfs_pending": 5,
            "errors_total": 0,
            "papers_per_second": 1.5,
            "eta_seconds": 3.3,
            "age_seconds": 7.2,
            "seen_at": "2026-11-22T19:49:59.206475Z",
        }
    ],
    "tasks": [
        {
            "kind": "pdf",
            "status": "picked",
            "tasks": 5,
            "oldest_at": "2026-11-22T19:49:53.206475Z",
            "heartbeat_at": "2026-11-22T19:49:59.206475Z",
        }
    ],
    "lanes": [
        {
            "lane": "api",
            "turns": 31,
            "refusals": 0,
            "strikes": 0,
            "silent_until": None,
            "is_held": False,
            "silent_seconds": None,
        }
    ],
    "processes": [
        {
            "name": "arxiv-ingestion api",
            "address": "10.0.0.7",
            "connections": 3,
            "connected_at": "2026-11-22T19:00:00.206475Z",
            "active_at": "2026-11-22T19:49:59.206475Z",
        }
    ],
    "failing": [
        {
            "job_id": JOB_ID,
            "arxiv_id": "2210.00001",
            "title": "A title",
            "reason": "corrupt",
            "attempts": 5,
            "error": "what came is no PDF",
            "failed_at": "2026-11-22T19:48:43.106475Z",
        }
    ],
}
PAPER: dict[str, Any] = {
    "arxiv_id": "2301.00001",
    "version": 1,
    "title": "A title",
    "abstract": "An abstract.",
    "authors": ["Ada Lovelace", "Alan Turing"],
    "categories": ["cs.AI", "cs.LG"],
    "primary_category": "cs.AI",
    "published_at": "2023-01-01T00:00:00Z",
    "updated_at": "2023-01-02T00:00:00Z",
    "doi": None,
    "journal_ref": None,
    "comments": "12 pages",
    "license": None,
    "withdrawn": False,
    "pdf_state": "processed",
    "pdf_path": "2301/2301.00001v1-9f86d081884c7d65.pdf",
    "pdf_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "pdf_bytes": 123456,
    "page_count": 12,
}
TEXT: dict[str, Any] = {
    "arxiv_id": "2301.00001",
    "version": 1,
    "page_count": 12,
    "truncated": False,
    "extracted_at": "2026-11-22T19:48:43.106475Z",
    "text": "A title\nAda Lovelace, Alan Turing\n…",
}
NEW_SCHEDULE: dict[str, Any] = {
    "name": "AI every night",
    "cron": "0 3 * * *",
    "request": {"search_query": {"category": "cs.AI"}},
}
SCHEDULE: dict[str, Any] = {
    "schedule_id": SCHEDULE_ID,
    "name": "AI every night",
    "cron": "0 3 * * *",
    "timezone": "UTC",
    "paused": False,
    "request": REQUEST,
    "created_by": "me",
    "created_at": "2026-11-22T19:48:42.884717Z",
    "next_run_at": "2026-11-23T03:00:00Z",
    "last_run_at": None,
    "last_job_id": None,
}
REMOVED = {"message": f"Schedule {SCHEDULE_ID} removed successfully"}
METRICS = '# HELP jobs Jobs.\n# TYPE jobs gauge\njobs{status="completed"} 12.0\n'
