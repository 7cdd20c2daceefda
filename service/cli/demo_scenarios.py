"""Scenarios of the demo, one for each source: which jobs it runs, and what must come of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arxiv_ingestion_client import JobReport

from service.cli.output import safe
from service.devtools.upstream import STAND_IN_PAPERS
from service.domain.jobs import JobStatus

PAPERS = 25
SNAPSHOT = "arxiv-metadata-oai-snapshot.json.gz"
UNKNOWN = "0704.9999"
WITH_FILES = """\
SELECT arxiv_id, left(title, 48) AS title, page_count AS pages, pdf_bytes, pdf_path
FROM job_papers JOIN papers USING (arxiv_id)
WHERE job_papers.job_id = '{job_id}' ORDER BY 1 LIMIT 3"""
WITH_VERSIONS = """\
SELECT arxiv_id, left(title, 48) AS title, p.version, p.datestamp, p.withdrawn,
       (SELECT count(*) FROM paper_versions v WHERE v.arxiv_id = p.arxiv_id) AS versions
FROM papers p ORDER BY 1 LIMIT 3"""
COVERAGE = """\
SELECT count(*) AS days, sum(listed) AS listed, sum(listed - missing) AS held,
       sum(missing) AS missing, sum(stale) AS stale FROM coverage WHERE "set" = ''"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One job: `told` says what it is, `problem` what is wrong with its end (None: nothing)."""

    told: str
    request: Mapping[str, Any]
    problem: Callable[[JobReport], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Jobs one after the other; `rows` are shown of the last. `environ` is for the service.

    `prepare`: makes what they need, in the folder of the data.
    """

    chapters: Sequence[Chapter]
    rows: Sequence[str] = (WITH_FILES,)
    environ: Callable[[Path], Mapping[str, str]] = lambda _: {}
    prepare: Callable[[Path], None] = lambda _: None


def what_is_wrong(job: JobReport) -> str | None:
    """Why this finished search is not what the demo promised; None when it is."""
    if problem := _not_completed(job):
        return problem
    fetched, total = job.count("papers_fetched"), job.find("papers_total")
    expected = PAPERS if total is None else max(1, min(PAPERS, total))
    if fetched < expected:
        return f"the job brought {fetched} papers instead of {expected}"
    return None if job.count("pdfs_processed") else "no PDF could be downloaded and read"


def scenario_of(source: str) -> Scenario:
    """The scenario of `search`, `ids`, `oai` or `snapshot`."""
    return SCENARIOS[source]()


def _search() -> Scenario:
    request = {
        "search_query": {"category": "cs.AI", "max_results": PAPERS},
        "max_papers": PAPERS,
        "process_pdfs": True,
        "skip_duplicates": False,  # so that every run has something to do
    }
    told = f"{PAPERS} papers of cs.AI with their PDFs"
    return Scenario(chapters=[Chapter(told=told, request=request, problem=what_is_wrong)])


def _ids() -> Scenario:
    """Ids of the stand-in's corpus in the forms in which people paste them, and an unknown one."""
    from service.devtools.stand_in.corpus import Corpus

    corpus = Corpus(STAND_IN_PAPERS, seed=7)
    one, two, three, four = (corpus.paper(number).arxiv_id.paper for number in range(4))
    pasted = [one, f"arXiv:{two}", f"https://arxiv.org/abs/{three}", f"{four}v1"]
    request = {
        "search_query": {"ids": [*pasted, UNKNOWN]},
        "process_pdfs": True,
        "skip_duplicates": False,
    }

    def problem(job: JobReport) -> str | None:
        codes = [error.get("code") for error in job.errors]
        if codes != ["unknown_paper"]:
            return f"its errors are {codes}, not that {UNKNOWN} is unknown"
        return _not_completed(job) or _less(job, "papers_fetched", len(pasted))

    told = f"papers by their ids, as people paste them, one of which is unknown ({UNKNOWN})"
    return Scenario(chapters=[Chapter(told=told, request=request, problem=problem)])


def _oai() -> Scenario:
    def listed(job: JobReport) -> str | None:
        return _not_completed(job) or _less(job, "papers_fetched", STAND_IN_PAPERS)

    def audited(job: JobReport) -> str | None:
        return _not_completed(job) or _less(job, "listed", STAND_IN_PAPERS)

    return Scenario(
        chapters=[
            Chapter(
                told="the metadata of all papers over OAI-PMH, every version",
                request={"source": "oai", "oai": {}},
                problem=listed,
            ),
            Chapter(
                told="an audit: what arXiv lists, against what is held now",
                request={"source": "audit", "audit": {}},
                problem=audited,
            ),
        ],
        rows=(WITH_VERSIONS, COVERAGE),
    )


def _snapshot() -> Scenario:
    def imported(job: JobReport) -> str | None:
        return _not_completed(job) or _less(job, "papers_fetched", STAND_IN_PAPERS)

    def unchanged(job: JobReport) -> str | None:
        return _not_completed(job) or _less(job, "papers_skipped", STAND_IN_PAPERS)

    request = {"source": "snapshot", "snapshot": {"file": SNAPSHOT}}
    return Scenario(
        chapters=[
            Chapter(
                told=f"a metadata snapshot, {SNAPSHOT}, as Kaggle offers it",
                request=request,
                problem=imported,
            ),
            Chapter(
                told="the same file once more, of which nothing is written again",
                request=request,
                problem=unchanged,
            ),
        ],
        rows=(WITH_VERSIONS,),
        environ=lambda data: {"SNAPSHOT_DIR": str(_snapshots(data))},
        prepare=_write_snapshot,
    )


def _snapshots(data: Path) -> Path:
    return data / "demo-snapshots"


def _write_snapshot(data: Path) -> None:
    from service.devtools.stand_in import command

    folder = _snapshots(data)
    folder.mkdir(parents=True, exist_ok=True)
    command.write(STAND_IN_PAPERS, 7, folder / SNAPSHOT)


def _not_completed(job: JobReport) -> str | None:
    if job.status == JobStatus.COMPLETED:
        return None
    last = safe(job.errors[-1].get("error")) if job.errors else "no error is recorded"
    return f"the job is {safe(job.status)}: {last}"


def _less(job: JobReport, counter: str, expected: int) -> str | None:
    found = job.count(counter)
    return None if found >= expected else f"{counter} is {found} instead of {expected}"


SCENARIOS: Mapping[str, Callable[[], Scenario]] = {
    "search": _search,
    "ids": _ids,
    "oai": _oai,
    "snapshot": _snapshot,
}
