"""Run of the demo: services, the ingestion of a scenario, its progress and its end.

Everything runs as an operator would run it: `serve` as a process, arXiv or the
stand-in beside it, the client over HTTP. Behind `make demo` and `make run`.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import aiohttp
from arxiv_ingestion_client import MAX_WAIT, IngestionClient, JobReport
from rich.console import Console
from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_fixed

from service.cli.connection import base_url, make_token
from service.cli.demo_scenarios import Chapter, scenario_of
from service.cli.explain import explain, how_to_go_on
from service.cli.output import print_json
from service.cli.watching import display_for, watch
from service.config.settings import Settings
from service.devtools import upstream
from service.devtools.children import Child, ChildFailed, running
from service.devtools.development_secret import signing_keys

FAILURE = 1
READY_WITHIN = timedelta(seconds=90)
READY_LOOK = timedelta(milliseconds=100)
DONE_WITHIN = timedelta(minutes=10)
STOP_MARGIN = timedelta(seconds=20)  # after DRAIN_SECONDS: connections, PostgreSQL
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Demo:
    """One run; `say` is where it prints, `has_ended_well` once the job is done."""

    settings: Settings
    say: Console
    stand_in: bool
    stay: bool
    as_json: bool
    source: str | None = None  # None: a search, of arXiv itself where that can be reached
    has_ended_well: bool = False

    async def run(self) -> None:
        """Start everything, run the jobs, explain them; raises ChildFailed."""
        settings, logs = self.settings, self.settings.data_dir / "logs"
        scenario = scenario_of(self.source or "search")
        await asyncio.to_thread(scenario.prepare, settings.data_dir)
        only = None if self.source is None else f"as --source {self.source} wants"
        async with (
            upstream.chosen(stand_in=self.stand_in, logs=logs, only=only) as arxiv,
            self._serving({**arxiv.environ, **scenario.environ(settings.data_dir)}) as serve,
        ):
            self._introduce(serve, arxiv.told)
            token, url = make_token(settings, "demo"), base_url(settings)
            async with IngestionClient(url, token, patience=MAX_WAIT) as client:
                for chapter in scenario.chapters:
                    job = await serve.beside(self._job(client, serve, chapter))
                seen = await client.job(job.job_id)
            self.has_ended_well = True
            await explain(seen, settings, rows=scenario.rows, say=self.say, token=token)
            if self.as_json:
                print_json(seen.document)
            if self.stay:
                how_to_go_on(settings, say=self.say, token=token)
                await serve.beside(asyncio.Event().wait())

    @asynccontextmanager
    async def _serving(self, environ: Mapping[str, str]) -> AsyncIterator[Child]:
        async with running(
            ("serve",),
            environ={**os.environ, **environ, **self._given()},
            log=self.settings.data_dir / "logs" / "serve.log",
            stop_within=timedelta(seconds=self.settings.drain_seconds) + STOP_MARGIN,
        ) as serve:
            await serve.beside(ready(base_url(self.settings), serve))
            yield serve

    def _given(self) -> dict[str, str]:
        """The port that was looked for, and a log in which its opening can be read."""
        level = self.settings.log_level
        return {
            "PORT": str(self.settings.port),
            "LOG_LEVEL": level if level in ("DEBUG", "INFO") else "INFO",
        }

    def _introduce(self, serve: Child, told: str) -> None:
        settings, say = self.settings, self.say
        place = f"PostgreSQL of its own in {settings.data_dir / 'postgres'}"
        if not settings.is_embedded:
            place = "the PostgreSQL that DATABASE_URL names"
        say.print(f"The service is up on {base_url(settings)}, with {place}.", soft_wrap=True)
        say.print(told, soft_wrap=True)
        say.print(f"Its log is {serve.log}.", soft_wrap=True)
        _, secret_file = signing_keys(settings)
        if secret_file is not None:
            say.print(f"JWT_SECRET is not set: tokens are signed with {secret_file}.")

    async def _job(self, client: IngestionClient, serve: Child, chapter: Chapter) -> JobReport:
        """Submit the request and show it to its end; ChildFailed unless that is a good one."""
        submitted = await client.submit(chapter.request)
        told = f"Submitted job {submitted.job_id}: {chapter.told}.\n"
        self.say.print(told, soft_wrap=True)
        display = display_for(quiet=False, to=self.say)
        try:
            job = await watch(client, submitted.job_id, display=display, timeout=DONE_WITHIN)
        except TimeoutError:
            raise ChildFailed(f"the job is not done after {DONE_WITHIN}", serve.log) from None
        if problem := chapter.problem(job):
            raise ChildFailed(problem, serve.log)
        return job


async def ready(url: str, serve: Child) -> None:
    """Return when `serve` says that it is ready at `url`; raises ChildFailed.

    Its own log must say that the port is open: another program may have taken the port
    meanwhile, and answer in its place until `serve` has noticed and ended.
    """
    timeout = aiohttp.ClientTimeout(total=5)
    looking = AsyncRetrying(
        retry=retry_if_result(lambda is_ready: not is_ready),
        wait=wait_fixed(READY_LOOK),
        stop=stop_after_delay(READY_WITHIN),
    )
    try:
        await looking(_has_opened, urlsplit(url).port, serve)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await looking(_is_ready, session, url)
    except RetryError:
        raise ChildFailed("the service did not become ready", serve.log) from None


async def _has_opened(port: int | None, serve: Child) -> bool:
    lines = await asyncio.to_thread(serve.log.read_text, errors="replace")
    return any("listening" in line and f":{port}" in line for line in lines.splitlines())


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def until_signal(told: Demo) -> int:
    """The exit code of the demo; a signal ends it in order, and a second one changes nothing."""
    story = asyncio.create_task(told.run())
    received: list[int] = []

    def stop(number: int) -> None:
        if not received:
            story.cancel()
        received.append(number)

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        await story
    except asyncio.CancelledError:
        if not received:
            raise
        return 0 if told.has_ended_well else 128 + received[0]
    return 0
