"""`python -m benchmarks.oai`: a large OAI-PMH harvest that is disturbed, and an audit that heals.

`serve` harvests the stand-in's whole corpus over OAI-PMH. Meanwhile it is killed twice, all
resumption tokens expire once, and arXiv answers 503 once. What is held then must be the
corpus, field by field. Some papers are deleted and some aged in SQL; an audit must find and
heal exactly those. Peak memory of `serve` is compared with that of a tenth of the corpus.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import asyncpg
from arxiv_ingestion_client import IngestionClient, JobReport

from benchmarks.servers import answered, free_port, running, token
from benchmarks.stand_in import Site, Wrong, site
from service.db.addresses import libpq_url
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.records import Record, Records

SECRET = "a secret of the bench, long enough to be taken"
DONE_WITHIN = timedelta(minutes=30)
PATIENCE = timedelta(minutes=2)  # while a process that was killed starts again
LOOK_SECONDS = 0.05
HARVEST: Mapping[str, Any] = {"source": "oai", "oai": {}}
AUDIT: Mapping[str, Any] = {"source": "audit", "audit": {"heal": True}}
MEMORY_SHARE = 10  # the smaller corpus of the comparison is so many times smaller
DELETE = (
    "DELETE FROM papers WHERE arxiv_id IN"
    " (SELECT arxiv_id FROM papers ORDER BY md5(arxiv_id) LIMIT $1) RETURNING arxiv_id"
)
AGE = (
    "UPDATE papers SET title = 'aged', datestamp = datestamp - 1 WHERE arxiv_id IN"
    " (SELECT arxiv_id FROM papers ORDER BY md5('x' || arxiv_id) LIMIT $1) RETURNING arxiv_id"
)
HELD = (
    "SELECT p.arxiv_id, p.version, p.title, p.abstract, p.authors, p.categories, p.license,"
    " p.withdrawn, p.datestamp, p.xmin::text AS xmin,"
    " (SELECT count(*) FROM paper_versions v WHERE v.arxiv_id = p.arxiv_id) AS versions"
    " FROM papers p"
)
EMPTY = "TRUNCATE jobs, papers, coverage, pgqueuer, pgqueuer_log CASCADE"


@dataclass(slots=True)
class Serving:
    """`serve` on one port, killed and begun again at will; `peak` is its largest RSS in bytes."""

    site: Site
    port: int
    pid: int = 0
    peak: int = 0
    kills: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def base(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin, and return when it is ready."""
        environment = {
            "DATABASE_URL": self.site.url,
            "DATA_DIR": str(self.site.folder),
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "JWT_SECRET": SECRET,
            "ARXIV_MIN_INTERVAL_SECONDS": "0.1",
            "LEASE_SECONDS": "3",
            "EXTRACT_PROCESSES": "1",
            **self.site.upstream,
        }
        log = self.site.folder / f"serve-{self.kills}.log"
        command = [sys.executable, "-m", "service", "serve"]
        self.pid = self._stack.enter_context(running(command, log=log, environment=environment))
        answered(f"{self.base}/readyz", headers={})

    def kill(self) -> None:
        """SIGKILL, and begin anew."""
        self.measure()
        os.kill(self.pid, signal.SIGKILL)
        self._stack.close()
        self.kills += 1
        self.start()

    def stop(self) -> None:
        """End in order."""
        self.measure()
        self._stack.close()

    def measure(self) -> None:
        """Keep the peak of the process that runs now (VmHWM)."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        line = next((one for one in text.splitlines() if one.startswith("VmHWM")), "VmHWM: 0 kB")
        self.peak = max(self.peak, int(line.split()[1]) * 1024)


@contextmanager
def serving(site_: Site) -> Iterator[Serving]:
    """`serve` on the site, until the end of the block."""
    served = Serving(site_, free_port())
    served.start()
    try:
        yield served
    finally:
        served.stop()


@dataclass(slots=True)
class Disturbance:
    """What happens at which page of the harvest: done in this order, each once."""

    served: Serving
    control: str
    pages: int
    done: list[str] = field(default_factory=list)

    async def follow(self, client: IngestionClient, job_id: str) -> None:
        """Disturb the job as it goes on."""
        for share, what in ((0.2, "kill"), (0.45, "expire"), (0.6, "503"), (0.75, "kill")):
            while (report := await client.job(job_id)).count("pages_fetched") < share * self.pages:
                if report.is_final:
                    raise Wrong(f"the job was {report.status} before {what} at {share:.0%}")
                await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self._do, what)
            self.done.append(f"{what} at page {report.count('pages_fetched')} of {self.pages}")

    def _do(self, what: str) -> None:
        if what == "kill":
            self.served.kill()
        elif what == "expire":
            _post(f"{self.control}/_replica/oai/expire", None)
        else:
            step = {"kind": "503", "lane": "oai", "retry_after": "1"}
            _post(f"{self.control}/_replica/script", [step])


def _post(url: str, document: object) -> None:
    body = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(url, data=body, headers=headers, method="POST"), timeout=30) as answer:
        answer.read()


async def run_job(
    served: Serving, request: Mapping[str, Any], disturbance: Disturbance | None = None
) -> tuple[JobReport, float]:
    """The job that `request` gives, completed, and the seconds that it took."""
    began = time.monotonic()
    async with IngestionClient(served.base, token(SECRET), patience=PATIENCE) as client:
        job = await client.submit(request)
        if disturbance is not None:
            await disturbance.follow(client, job.job_id)
        report = await client.wait(job.job_id, timeout=DONE_WITHIN)
    served.measure()
    if report.status != "completed" or report.errors:
        raise Wrong(f"the job is {report.status}: {list(report.errors)[-3:]}")
    return report, time.monotonic() - began


def difference(row: asyncpg.Record, record: Record) -> str | None:
    """The first field in which what is held differs from the corpus."""
    paper = record.paper
    wanted = {
        "version": len(record.versions),
        "versions": len(record.versions),
        "title": paper.title,
        "abstract": paper.abstract,
        "authors": list(paper.authors),
        "categories": list(paper.categories),
        "license": record.license,
        "withdrawn": paper.withdrawn,
        "datestamp": record.modified_at.date(),
    }
    for name, value in wanted.items():
        if row[name] != value:
            return f"{row['arxiv_id']}: {name} is {row[name]!r}, not {value!r}"
    return None


async def compare(connection: asyncpg.Connection, papers: int, seed: int) -> dict[str, str]:
    """Compare all that is held with the corpus; the row version of each paper. Raises Wrong."""
    corpus = Corpus(papers, seed)
    records, seen = Records(corpus), dict[str, str]()
    async with connection.transaction():
        async for row in connection.cursor(HELD, prefetch=1000):
            number = corpus.calendar.find(row["arxiv_id"])
            if problem := difference(row, records.record(number)):
                raise Wrong(problem)
            seen[row["arxiv_id"]] = row["xmin"]
    if len(seen) != papers:
        raise Wrong(f"{len(seen)} papers are held, not {papers}")
    return seen


async def damage(connection: asyncpg.Connection, count: int) -> tuple[set[str], set[str]]:
    """Delete so many papers and age as many others, in SQL; which."""
    gone = {row["arxiv_id"] for row in await connection.fetch(DELETE, count)}
    aged = {row["arxiv_id"] for row in await connection.fetch(AGE, count)}
    return gone, aged


async def harvest(served: Serving, options: argparse.Namespace, control: str) -> None:
    """The disturbed harvest, compared with the corpus."""
    pages = -(-options.papers // options.page)
    disturbance = Disturbance(served, control, pages)
    report, seconds = await run_job(served, HARVEST, disturbance)
    counts = {name: report.count(name) for name in ("papers_fetched", "papers_created")}
    if set(counts.values()) != {options.papers}:
        raise Wrong(f"counters {counts}, not {options.papers}")
    print(f"  disturbed by: {', '.join(disturbance.done)}")
    print(f"  {options.papers} records in {seconds:.1f} s, restarts included")


async def heal(
    served: Serving, connection: asyncpg.Connection, options: argparse.Namespace
) -> None:
    """The audit of what was then broken, which must heal just that."""
    before = await compare(connection, options.papers, options.seed)
    gone, aged = await damage(connection, options.damage)
    report, seconds = await run_job(served, AUDIT)
    counts = {name: report.count(name) for name in ("listed", "papers_created", "papers_updated")}
    after = await compare(connection, options.papers, options.seed)
    touched = {paper for paper, version in after.items() if before[paper] != version}
    wanted = {"listed": options.papers, "papers_created": len(gone), "papers_updated": len(aged)}
    if counts != wanted or touched != gone | aged:
        raise Wrong(f"the audit counts {counts} and wrote {len(touched)} papers, not {wanted}")
    coverage = json.loads(
        answered(
            f"{served.base}/api/v1/coverage", headers={"Authorization": f"Bearer {token(SECRET)}"}
        )
    )
    told = {name: coverage[name] for name in ("listed", "held", "missing", "stale", "complete")}
    if not told["complete"]:
        raise Wrong(f"the coverage is {told}")
    print(f"  {len(gone)} deleted and {len(aged)} aged: {counts} in {seconds:.1f} s; {told}")


async def disturbed(place: Site, options: argparse.Namespace) -> None:
    """The harvest that is disturbed and the audit; leaves the database empty."""
    control = place.upstream["ARXIV_OAI_URL"].removesuffix("/oai")
    connection = await asyncpg.connect(libpq_url(place.url))
    try:
        with serving(place) as served:
            print("a harvest that is disturbed, and equals the corpus field by field", flush=True)
            await harvest(served, options, control)
            await compare(connection, options.papers, options.seed)
            print("an audit after papers were deleted and aged in SQL", flush=True)
            await heal(served, connection, options)
        await connection.execute(EMPTY)
    finally:
        await connection.close()


async def calm(place: Site, papers: int) -> int:
    """The peak of memory of a process that harvests so many records, undisturbed."""
    with serving(place) as served:
        report, seconds = await run_job(served, HARVEST)
    if report.count("papers_created") != papers:
        raise Wrong(f"{report.count('papers_created')} papers were created, not {papers}")
    rate = papers / seconds
    print(f"  {papers} records, undisturbed: {seconds:.1f} s, {rate:.0f} a second,", end=" ")
    print(f"peak of serve {served.peak / 2**20:.0f} MiB")
    return served.peak


@contextmanager
def _site(folder: Path, papers: int, options: argparse.Namespace) -> Iterator[Site]:
    folder.mkdir()
    given = ("--papers", str(papers), "--seed", str(options.seed))
    with site(folder, *given, "--oai-records", str(options.page)) as place:
        yield place


def run(options: argparse.Namespace, folder: Path) -> None:
    """All of it; raises Wrong."""
    with _site(folder / "large", options.papers, options) as place:
        asyncio.run(disturbed(place, options))
        large = asyncio.run(calm(place, options.papers))
    with _site(folder / "small", options.papers // MEMORY_SHARE, options) as place:
        small = asyncio.run(calm(place, options.papers // MEMORY_SHARE))
    print(f"memory: {large / small - 1:+.1%} for {MEMORY_SHARE} times as many records")


def main() -> int:
    """Print what was seen; 0 when all was as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.oai", description=__doc__)
    parser.add_argument("--papers", type=int, default=100_000)
    parser.add_argument("--page", type=int, default=2_500, help="records in an answer")
    parser.add_argument("--damage", type=int, default=50, help="papers deleted, and aged")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-oai-") as folder:
        try:
            run(options, Path(folder))
        except Wrong as err:
            print(f"WRONG: {err}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
