"""The other services: they submit jobs and look at them while the fleet is disturbed.

Whatever a client may rely on is checked on the way: an accepted job stays
known under one id, a counter never goes back, a final status stays, an error
is one of those that are documented for a database or a process that is unavailable.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import jwt

from tests.soak.fleet import SECRET, Fleet

AWAY = (aiohttp.ClientConnectionError, ConnectionError)
COUNTERS = ("papers_fetched", "papers_created", "pdfs_downloaded", "pdfs_processed")
FINAL = ("completed", "failed", "cancelled")
MAX_WAIT = aiohttp.ClientTimeout(total=15)
SUBMIT_SECONDS = 300
LOOK_EVERY = 0.2


def token() -> str:
    """A bearer token for all requests of the run."""
    now = int(time.time())
    claims = {"sub": "soak", "iat": now, "exp": now + int(timedelta(hours=12).total_seconds())}
    return jwt.encode(claims, SECRET, algorithm="HS256")


@dataclass(slots=True)
class Callers:
    """Clients of the fleet, and what they have to complain about."""

    fleet: Fleet
    token: str = field(default_factory=token)
    acknowledged: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    looks: int = 0
    refusals: int = 0
    slowest_seconds: float = 0.0
    _seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def submit(self, number: int, body: dict[str, Any]) -> str:
        """Submit one job, again and again under its key, until it is accepted; its id."""
        url, headers = "/api/v1/ingestion/arxiv", {"Idempotency-Key": f"job-{number}"}
        async with asyncio.timeout(SUBMIT_SECONDS), self._session(headers) as session:
            while True:
                replica = self.fleet.replicas[number % len(self.fleet.replicas)]
                try:
                    async with session.post(f"{replica.url}{url}", json=body) as answer:
                        document = await answer.json(content_type=None)
                        if answer.status == 202:
                            self.acknowledged.append(document["job_id"])
                            return str(document["job_id"])
                        if answer.status not in (429, 503):
                            self.complaints.append(f"POST answered {answer.status}: {document}")
                except (*AWAY, aiohttp.ClientPayloadError, TimeoutError):
                    pass
                number += 1  # the next replica, or the same once it is back
                await asyncio.sleep(0.3)

    async def look(self, seed: int) -> None:
        """Look at random jobs on random replicas until cancelled."""
        chance = random.Random(f"{seed} looks")
        async with self._session({}) as session:
            while True:
                await asyncio.sleep(LOOK_EVERY)
                ready = [one for one in self.fleet.replicas if one.is_ready and not one.is_stopped]
                if ready and self.acknowledged:
                    replica, job_id = chance.choice(ready), chance.choice(self.acknowledged)
                    await self._look_once(session, replica, job_id)

    async def _look_once(self, session: aiohttp.ClientSession, replica: Any, job_id: str) -> None:
        role, began = replica.role, time.monotonic()
        try:
            async with session.get(f"{replica.url}/api/v1/ingestion/job/{job_id}") as answer:
                status, document = answer.status, await answer.json(content_type=None)
        except TimeoutError:
            if replica.role == role and replica.is_ready and not replica.is_stopped:
                self.complaints.append(f"GET unanswered after {MAX_WAIT.total} s")
            return
        except (*AWAY, aiohttp.ClientPayloadError):
            return  # killed in the middle
        self.looks += 1
        if replica.role == role and not replica.is_stopped:
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
        if status == 200:
            self._compare(job_id, document)
        elif status == 503 or (status == 500 and _is_contract(document)):
            self.refusals += 1
        else:
            self.complaints.append(f"GET answered {status}: {document}")

    def _compare(self, job_id: str, document: dict[str, Any]) -> None:
        before = self._seen.get(job_id)
        self._seen[job_id] = document
        if before is None:
            return
        if before["status"] in FINAL and document != before:
            self.complaints.append(f"job {job_id} changed after it was {before['status']}")
        for name in COUNTERS:
            if document["progress"][name] < before["progress"][name]:
                self.complaints.append(f"{name} of job {job_id} went back")

    def _session(self, headers: dict[str, str]) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            timeout=MAX_WAIT,
            headers={"Authorization": f"Bearer {self.token}", **headers},
            connector=aiohttp.TCPConnector(force_close=True),
        )


def _is_contract(document: Any) -> bool:
    detail = document.get("detail", "") if isinstance(document, dict) else ""
    return detail.startswith("Failed to get job status: ")
