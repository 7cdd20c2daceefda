"""A live service for schemathesis: real server, database and files, and rows of everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import time

import jwt
from sqlalchemy import func

from service.api.schemas.fields import JOB_ID_EXAMPLE as JOB_ID
from service.api.schemas.fields import SCHEDULE_ID_EXAMPLE as SCHEDULE_ID
from service.api.schemas.jobs import RETRY_ID_EXAMPLE as RETRY_ID
from service.api.server import Runner
from service.auth.tokens import TokenRules
from service.db.engine import Database, create_engine
from service.db.papers import PaperStore
from service.db.tables import job_papers, jobs, schedules
from service.domain.papers import ExtractedText
from service.files.local import LocalStore
from service.jobs.request_rules import RequestRules
from service.process.build_api import API_DEADLINE_SECONDS, build_api
from tests.conftest import make_paper, make_request
from tests.fuzz.hooks import SEEDED_PAPERS

RULES = TokenRules(key="a secret of the fuzzing, longer than 32 bytes", algorithm="HS256")


def token() -> str:
    """A token of alice's, good for an hour."""
    return jwt.encode({"sub": "alice", "exp": int(time()) + 3600}, RULES.key, algorithm="HS256")


@asynccontextmanager
async def served(database_url: str, folder: Path) -> AsyncIterator[str]:
    """The URL of a service on an empty database, with rows under the ids of the examples."""
    engine = create_engine(database_url, name="fuzzing", pool_size=10)
    database = Database(engine, deadline_seconds=API_DEADLINE_SECONDS)
    store = LocalStore(folder, max_bytes=1_000_000)
    await store.prepare()
    await _seed(database, store)
    runner = Runner(
        build_api(RULES, database, store, request_rules=RequestRules(has_snapshots=True))
    )
    try:
        await runner.listen("127.0.0.1", 0)
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await database.close()


async def _seed(database: Database, store: LocalStore) -> None:
    for paper in [make_paper(f"{arxiv_id}v1") for arxiv_id in SEEDED_PAPERS]:
        async with store.partial(paper.arxiv_id) as part:
            await part.write(b"%PDF-1.7\n" + bytes(range(256)))
            stored = await store.commit(part, paper.arxiv_id)
        async with database.transaction() as conn:
            papers = PaperStore(conn)
            await papers.upsert([paper], overwrite=True)
            await papers.save_file(paper.arxiv_id, stored)
            extracted = ExtractedText(text="Text, ∀.", page_count=3, truncated=False)
            await papers.save_text(paper.arxiv_id, extracted)
    request, ended = make_request().dump(), func.now()
    job = {"status": "failed", "request": request, "requested_by": "alice", "completed_at": ended}
    row = {"version": 1, "state": "failed", "attempts": 5, "reason": "corrupt"}
    schedule = {"name": "nightly", "cron": "0 3 * * *", "request": request, "is_paused": True}
    async with database.transaction() as conn:
        for job_id in (JOB_ID, RETRY_ID):
            await conn.execute(jobs.insert().values(id=job_id, taken_up_at=ended, **job))
            for arxiv_id in SEEDED_PAPERS:
                await conn.execute(
                    job_papers.insert().values(job_id=job_id, arxiv_id=arxiv_id, **row)
                )
        await conn.execute(schedules.insert().values(id=SCHEDULE_ID, **schedule))
