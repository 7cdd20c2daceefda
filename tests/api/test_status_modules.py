"""Which modules a status request passes, from the socket to the row and back.

They are found by running: each module of ours in which a function is entered. Whoever adds one
to the way adds it here, and to the section "The way of a status request" of ARCHITECTURE.md.
"""

import asyncio
import sys
from pathlib import Path
from types import FrameType

import pytest

import service
from service.api.job_status import JOB_STATUS_READER

SERVICE = f"{Path(service.__file__).parent}/"
JOB = "123e4567-e89b-12d3-a456-426614174000"
URL = f"/api/v1/ingestion/job/{JOB}"
LIST = "/api/v1/ingestion/jobs"
TRIES = 50

FRAME = {  # what every request with a token passes, whatever it asks for
    "api/access_log",
    "api/expectations",
    "api/fast_path",  # which passes it on
    "api/middlewares/auth",
    "api/middlewares/compression",
    "api/middlewares/conflict_retry",
    "api/middlewares/errors",
    "api/middlewares/rate_limit",
    "api/process_metrics",
    "api/request_context",
    "api/response_headers",
    "api/routes",
    "api/shutdown_delay",
    "auth/blocklist",
    "auth/tokens",
    "process/build_api",
}
STATUS = {  # what is read to know the status route
    "api/handlers/jobs",
    "api/job_status",
    "api/negotiation",
    "db/engine",
    "db/job_loader",
    "db/pgbouncer",
}
FAST = {  # what the fast path asks, beside its own file
    "api/access_log",
    "api/expectations",
    "api/handlers/jobs",
    "api/job_status",
    "api/process_metrics",
    "api/request_context",
    "auth/blocklist",
    "auth/tokens",
    "db/engine",
    "db/job_loader",
    "db/pgbouncer",
    "process/build_api",
}


@pytest.fixture
async def job(sql):
    await sql(f"INSERT INTO jobs (id, request) VALUES ('{JOB}', '{{}}')")


async def modules_entered(api, path: str) -> set[str]:
    """The modules of ours that one request enters (and what runs beside it meanwhile)."""
    entered: set[str] = set()
    async with asyncio.timeout(60):
        # a connection is kept for the next read for a moment
        while api.app[JOB_STATUS_READER]._reads._turns:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SERVICE):
            entered.add(frame.f_code.co_filename.removeprefix(SERVICE).removesuffix(".py"))

    sys.setprofile(note)
    try:
        async with api.get(path) as answer:
            assert answer.status == 200
            await answer.read()
    finally:
        sys.setprofile(None)
    return entered


async def modules_of_each(api, path: str, expected: set[str]) -> set[str]:
    """The modules that each of some requests enters, so none of what runs beside them.

    Of as many requests as it takes to find no more than `expected`, or of TRIES.
    """
    await modules_entered(api, path)  # the token is known from here on
    found = await modules_entered(api, path)
    for _ in range(TRIES):
        if found <= expected:
            break
        found &= await modules_entered(api, path)
    return found


async def test_six_modules_are_to_be_read_beside_what_every_request_passes(api, job):
    assert await modules_of_each(api, f"{URL}?a=b", FRAME | STATUS) == FRAME | STATUS
    assert len(STATUS) == 6
    assert await modules_entered(api, LIST) >= FRAME


async def test_the_fast_path_is_one_file_that_asks_the_parts_of_the_regular_one(api, job):
    found = await modules_of_each(api, URL, {"api/fast_path"} | FAST)

    assert found == {"api/fast_path"} | FAST
    assert found <= FRAME | STATUS
