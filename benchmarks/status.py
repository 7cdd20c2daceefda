"""The status route, against the design that it replaces and against the framework's limit.

Three servers of one process each answer the same 1,000 documents to 32 connections that ask for
random ones; rounds alternate, so that a busy machine is busy for all of them:

(a) `designs/dictionary.py`: FastAPI, jobs in a dictionary of the process;
(b) `designs/constant.py`: bare aiohttp, one constant answer of the median length;
(c) ours, `python -m service serve --no-worker`: each row read from PostgreSQL after the request.
"""

import asyncio
import json
import os
import platform
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import asyncpg
import psutil

from benchmarks import servers
from benchmarks.load import Load, Outcome, generator, put
from benchmarks.servers import ROOT, answered, free_port, our_service, running

JOBS = 1000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))  # of load, in each round for each server
ROUTE = "/api/v1/ingestion/job/"
BASELINE_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
DESIGNS = ROOT / "benchmarks" / "designs"

# Jobs as callers look at them: most at work, each tenth with errors.
FILL = f"""
    INSERT INTO jobs (status, request, papers_total, pages_fetched, papers_fetched, papers_created,
                      papers_updated, pdfs_downloaded, pdfs_processed, pdfs_pending,
                      started_at, taken_up_at)
    SELECT 'running', '{{"search_query": {{"category": "cs.AI", "max_results": 100}},
           "source": "search", "batch_size": 50, "max_papers": 1000, "process_pdfs": true,
           "skip_duplicates": true, "priority": "normal"}}',
           1000, 1 + n % 10, n, n - n % 7, n % 7, n / 2, n / 3, n / 4, now(), now()
    FROM generate_series(1, {JOBS}) AS n;
    INSERT INTO job_errors (job_id, stage, error, code, arxiv_id, attempt)
    SELECT id, 'pdf_download', 'arXiv does not have this PDF', 'pdf_unavailable', '2301.00001', n
    FROM (SELECT id FROM jobs ORDER BY id LIMIT {JOBS // 10}) AS ill, generate_series(1, 3) AS n;
    ANALYZE jobs, job_errors;
"""


@dataclass(slots=True)
class Design:
    """One of the servers, and what the rounds so far have brought."""

    name: str
    base: str
    processes: list[psutil.Process]
    database: psutil.Process | None = None
    rounds: list[Outcome] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # µs of the server for each request
    database_cpu: list[float] = field(default_factory=list)

    def measure(self, load: Load, *, seconds: int) -> None:
        """One round."""
        before, database_before = _cpu_seconds(self.processes), _cpu_of_tree(self.database)
        outcome = put(load, self.base, seconds=seconds)
        cpu = _cpu_seconds(self.processes) - before
        database_cpu = _cpu_of_tree(self.database) - database_before
        self.rounds.append(outcome)
        self.cpu.append(cpu / outcome.requests * 1e6)
        self.database_cpu.append(database_cpu / outcome.requests * 1e6)


def run() -> None:
    """Measure, and print the table and the ratios."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        secret = secrets.token_urlsafe(48)
        token = servers.token(secret)
        ours, load = stack.enter_context(_ours(folder, secret, token))
        documents = [_document(ours.base, path, token) for path in load.paths.read_text().split()]
        others = [
            stack.enter_context(_dictionary(folder, secret, token, load, documents)),
            stack.enter_context(_constant(folder, load, documents)),
        ]
        designs = [*others, ours]
        print(f"status: {JOBS} jobs, answers of {_length(documents)} bytes in the median;", end=" ")
        print(f"{load.connections} connections, load by {generator()};", end=" ")
        print(f"{ROUNDS} rounds of {SECONDS} s for each, alternating")
        machine = (
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        print(f"{machine}; load average {os.getloadavg()[0]:.1f} before")
        for design in designs:
            put(load, design.base, seconds=1)  # warm: connections, plans, caches
        for number in range(ROUNDS):
            for design in designs:
                design.measure(load, seconds=SECONDS)
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
        _report(designs)


@contextmanager
def _ours(folder: Path, secret: str, token: str) -> Iterator[tuple[Design, Load]]:
    with our_service(folder, secret) as service:
        paths = folder / "paths"
        jobs = asyncio.run(_fill(service.database_url))
        paths.write_text("".join(f"{ROUTE}{job}\n" for job in jobs))
        design = Design("(c) ours", service.base, [service.process], database=service.database)
        yield design, Load(paths, token)


async def _fill(url: str) -> list[str]:
    """Make the jobs; returns their ids."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
        return [str(row["id"]) for row in await connection.fetch("SELECT id FROM jobs")]
    finally:
        await connection.close()


@contextmanager
def _dictionary(
    folder: Path, secret: str, token: str, load: Load, documents: list[bytes]
) -> Iterator[Design]:
    if not BASELINE_PYTHON.exists():
        raise SystemExit("the baseline is not installed: run it by `make bench`")
    port, jobs = free_port(), folder / "jobs.json"
    jobs.write_text(json.dumps([json.loads(document) for document in documents]))
    command = [BASELINE_PYTHON, DESIGNS / "dictionary.py", str(port), jobs]
    with running(command, log=folder / "a.log", environment={"JWT_SECRET": secret}) as pid:
        base = f"http://127.0.0.1:{port}"
        first = load.paths.read_text().split()[0]
        shown = json.loads(_document(base, first, token))
        if shown != json.loads(documents[0]):
            raise SystemExit("(a) answers something else than (c)")
        yield Design("(a) FastAPI, dictionary", base, [psutil.Process(pid)])


@contextmanager
def _constant(folder: Path, load: Load, documents: list[bytes]) -> Iterator[Design]:
    port, body = free_port(), folder / "constant.json"
    body.write_bytes(next(body for body in documents if len(body) == _length(documents)))
    command = [sys.executable, DESIGNS / "constant.py", str(port), body]
    with running(command, log=folder / "b.log", environment={}) as pid:
        base = f"http://127.0.0.1:{port}"
        _document(base, load.paths.read_text().split()[0], load.token)
        yield Design("(b) bare aiohttp, constant", base, [psutil.Process(pid)])


def _document(base: str, path: str, token: str) -> bytes:
    return answered(base + path, headers={"Authorization": f"Bearer {token}"})


def _length(documents: list[bytes]) -> int:
    """The median length (of one that exists)."""
    return sorted(map(len, documents))[len(documents) // 2]


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(time.user + time.system for time in times)


def _cpu_of_tree(process: psutil.Process | None) -> float:
    return 0.0 if process is None else _cpu_seconds([process, *process.children()])


def _report(designs: list[Design]) -> None:
    head = ("design", "requests/s", "CPU/request", "PostgreSQL's", "p50", "p99", "errors")
    print(f"{head[0]:<28}" + "".join(f"{name:>14}" for name in head[1:]))
    for design in designs:
        cells = [
            f"{median(one.per_second for one in design.rounds):,.0f}",
            f"{median(design.cpu):.0f} µs",
            f"{median(design.database_cpu):.0f} µs" if design.database else "–",
            f"{median(one.p50_ms for one in design.rounds):.2f} ms",
            f"{median(one.p99_ms for one in design.rounds):.2f} ms",
            str(sum(one.errors for one in design.rounds)),
        ]
        print(f"{design.name:<28}" + "".join(f"{cell:>14}" for cell in cells))
    dictionary, constant, ours = designs
    print("medians; ratios are medians of each round's:")
    _ratio("c/a", ours, dictionary, goal=4.0)
    _ratio("c/b", ours, constant, goal=0.55)


def _ratio(name: str, ours: Design, other: Design, *, goal: float) -> None:
    pairs = zip(ours.rounds, other.rounds, strict=True)
    speed = median(mine.per_second / its.per_second for mine, its in pairs)
    cpu = median(its / mine for mine, its in zip(ours.cpu, other.cpu, strict=True))
    verdict = "reached" if speed >= goal else "NOT reached"
    print(f"{name}: {speed:.2f} in requests/s (goal {goal}: {verdict}), {cpu:.2f} in CPU/request")
