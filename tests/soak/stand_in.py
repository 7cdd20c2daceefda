"""The stand-in arXiv of a soak: a process of its own, and the faults it is told to make."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.soak.plan import Plan
from tests.soak.work import CORPUS_SEED, hostile_steps

READY_SECONDS = 180.0
OUTAGE_SECONDS = 600.0  # at most; a soak ends its outages itself


@dataclass(frozen=True, slots=True)
class StandIn:
    """The stand-in arXiv in a process of its own."""

    urls: dict[str, str]
    session: aiohttp.ClientSession

    async def script(self, steps: list[dict[str, Any]]) -> None:
        """Append steps to its script."""
        for step in steps:
            async with self.session.post(f"{self._control}/script", json=[step]) as answer:
                answer.raise_for_status()

    async def fault(self, step: dict[str, Any], *, standing: int) -> bool:
        """Append one fault, unless the one before it has not struck yet; whether it was.

        `standing` steps of the script are always there. Faults that pile up while nobody
        asks would strike one after the other, which is an outage and not what was meant.
        """
        is_free = await self.waiting(standing) == 0
        if is_free:
            await self.script([step])
        return is_free

    async def waiting(self, standing: int) -> int:
        """Steps that have not struck yet, but for those that always stand."""
        async with self.session.get(f"{self._control}/health") as answer:
            left: int = (await answer.json())["script_left"]
            return left - standing

    async def held(self, wanted: int, *, seconds: float) -> int:
        """How many requests are held, as soon as it is `wanted`, or after `seconds`."""
        query = {"held": str(wanted), "wait": f"{seconds:.0f}"}
        async with self.session.get(f"{self._control}/health", params=query) as answer:
            held: int = (await answer.json())["held"]
            return held

    async def release(self) -> int:
        """Let held requests go on; how many there were."""
        async with self.session.post(f"{self._control}/release") as answer:
            released: int = (await answer.json())["released"]
            return released

    async def begin_outage(self, lane: str) -> None:
        """Give no answer in a channel from now on."""
        outage = {"lane": lane, "seconds": OUTAGE_SECONDS}
        async with self.session.post(f"{self._control}/outage", json=outage) as answer:
            answer.raise_for_status()

    async def end_outages(self) -> None:
        """Answer again."""
        async with self.session.delete(f"{self._control}/outage") as answer:
            answer.raise_for_status()

    async def requests(self) -> list[dict[str, Any]]:
        """Its log."""
        async with self.session.get(f"{self._control}/log") as answer:
            records: list[dict[str, Any]] = await answer.json()
            return records

    @property
    def _control(self) -> str:
        return f"{self.urls['url']}/_replica"


@asynccontextmanager
async def running_stand_in(plan: Plan, folder: Path) -> AsyncIterator[StandIn]:
    """A stand-in over the corpus of the run, bombs in place."""
    command = ("replica", "--json", "--port", "0", "--seed", str(CORPUS_SEED))
    log = ("--log", str(folder / "requests.jsonl"))
    with (folder / "stand-in.log").open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", *command, "--papers", str(plan.total_papers), *log),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            stand_in = StandIn(json.loads(line), session)
            await stand_in.script(hostile_steps(plan))
            yield stand_in
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 10)
