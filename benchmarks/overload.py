"""What a caller who reads jobs notices of others who submit far more than they may.

One API process with quotas. A program floods it with submissions over 16 connections, as fast as
they are refused: by one caller who is over its rate (429), and by a thousand who find the queue
full (503). Meanwhile another caller reads a status a hundred times a second, whether or not the
one before has been answered. Rounds alternate: nobody else, the one caller, the thousand.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import asyncpg
import uvloop

from benchmarks.servers import ROOT, Service, our_service, token

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))  # of each round
FLOODING = 16  # connections
CROWD = 1000  # callers
EVERY_SECONDS = 0.01  # a look
GOAL_MS = 100.0
SETTINGS = {"WRITES_PER_MINUTE": "60", "MAX_JOBS": "100"}
FULL = "INSERT INTO jobs (status) SELECT 'pending' FROM generate_series(1, 100) RETURNING id::text"


@dataclass(slots=True)
class Scene:
    """Who floods, what they were answered, and what the looks took in each round."""

    name: str
    tokens: Path | None
    answers: Counter[str] = field(default_factory=Counter)
    rounds: list[list[float]] = field(default_factory=list)


def run() -> None:
    """Measure, and print the figures."""
    secret = secrets.token_urlsafe(48)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with our_service(folder, secret, settings=SETTINGS) as service:
            scenes = [
                Scene("nobody else", None),
                Scene("one over its rate", _tokens(folder / "one", secret, ["greedy"])),
                Scene("a full queue", _tokens(folder / "all", secret, map(str, range(CROWD)))),
            ]
            uvloop.run(_measure(service, scenes, token(secret, "reader")))
    _report(scenes)


async def _measure(service: Service, scenes: Sequence[Scene], bearer: str) -> None:
    database = await asyncpg.connect(service.database_url)
    job = await database.fetchval(FULL)
    await database.close()
    url = f"{service.base}/api/v1/ingestion/job/{job}"
    headers = {"Authorization": f"Bearer {bearer}"}
    timeout, connector = aiohttp.ClientTimeout(total=30), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, connector=connector
    ) as client:
        await _looks(client, url, seconds=1)  # warm
        for number in range(ROUNDS):
            for scene in scenes:
                await _round(client, url, service.base, scene)
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)


async def _round(client: aiohttp.ClientSession, url: str, base: str, scene: Scene) -> None:
    if scene.tokens is None:
        scene.rounds.append(await _looks(client, url, seconds=SECONDS))
        return
    flood = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.flood", base, str(FLOODING), str(SECONDS + 2)),
        cwd=ROOT,
        env={**os.environ, "BENCH_TOKENS": str(scene.tokens)},
        stdout=subprocess.PIPE,
    )
    await asyncio.sleep(1)  # until it floods
    scene.rounds.append(await _looks(client, url, seconds=SECONDS))
    said, _ = await asyncio.wait_for(flood.communicate(), 30)
    answers: Mapping[str, int] = json.loads(said)
    scene.answers.update(answers)


async def _looks(client: aiohttp.ClientSession, url: str, *, seconds: float) -> list[float]:
    """Milliseconds that each look took, of those begun in so many seconds."""

    async def look(due: float) -> float:
        async with client.get(url) as answer:
            answer.raise_for_status()
            await answer.read()
        return (time.perf_counter() - due) * 1000

    began = time.perf_counter()
    looks = []
    for number in range(int(seconds / EVERY_SECONDS)):
        due = began + number * EVERY_SECONDS
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        looks.append(asyncio.create_task(look(due)))
    return await asyncio.gather(*looks)


def _tokens(path: Path, secret: str, callers: Iterable[str]) -> Path:
    path.write_text("".join(f"{token(secret, caller)}\n" for caller in callers))
    return path


def _report(scenes: Sequence[Scene]) -> None:
    print(f"overload: a look each {EVERY_SECONDS:g} s while others submit", end=" ")
    print(f"over {FLOODING} connections; {ROUNDS} rounds of {SECONDS} s for each, alternating;")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the end")
    for scene in scenes:
        middle = median(median(times) for times in scene.rounds)
        late = [quantiles(times, n=100)[98] for times in scene.rounds]
        refused = ", ".join(f"{n:,} times {code}" for code, n in sorted(scene.answers.items()))
        print(f"{scene.name:<18} p50 {middle:6.1f} ms  p99 {median(late):6.1f} ms", end="  ")
        print(f"in the worst round {max(late):6.1f} ms  {refused}")
    worst = max(quantiles(times, n=100)[98] for scene in scenes for times in scene.rounds)
    print(f"goal {GOAL_MS:g} ms for 99 of 100 looks, in every round:", end=" ")
    print("reached" if worst <= GOAL_MS else "NOT reached")
