"""Schedules and their jobs from before they had time zones: what revision 0012 makes of them."""

from service.db import migrate
from tests.migrations.conftest import rows

SCHEDULE = "01a204d1-0f2b-7c51-9a3e-3d5f1f0a9c42"
JOBS = (
    "INSERT INTO jobs (status, idempotency_key, requested_by, completed_at) VALUES"
    f" ('completed', 'schedule:{SCHEDULE}:2026-11-01T03:00:00+00:00', 'a', now()),"
    " ('completed', 'schedule:nightly:1', 'a', now()), ('completed', NULL, 'a', now())"
)
STATE = "SELECT version || ' ' || updated_at FROM jobs ORDER BY id"


async def test_runs_are_known_by_their_keys_and_are_no_other_to_callers(empty):
    await migrate.upgrade(empty, "0011")
    async with empty.begin() as conn:
        await conn.exec_driver_sql(JOBS)
        await conn.exec_driver_sql(
            "INSERT INTO schedules (name, cron, request) VALUES ('nightly', '0 3 * * *', '{}')"
        )
    before = await rows(empty, STATE)

    await migrate.upgrade(empty)

    runs = "SELECT schedule_id::text FROM jobs WHERE schedule_id IS NOT NULL"
    assert await rows(empty, runs) == [SCHEDULE]
    assert await rows(empty, STATE) == before
    assert await rows(empty, "SELECT timezone FROM schedules") == ["UTC"]
