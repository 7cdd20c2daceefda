"""Group D of the fault list, what comes in place of a good PDF, and PDFs that do harm."""

import asyncio
import signal
from datetime import timedelta

import psutil
import pytest

from service.domain import outcomes
from service.domain.jobs import Criteria, JobStatus
from tests import hostile
from tests.faults.processes import until

ALWAYS = 1_000_000  # times
GIB = 1 << 30


def instead(body, *, status=200, content_type="application/pdf", **more):
    """A step that answers requests of PDFs by `body`."""
    step = {"kind": "body", "lane": "pdf", "times": ALWAYS, "status": status, **more}
    return {**step, "body": body, "content_type": content_type}


def two_papers(rig, first_pdf):
    """A job of two papers, of which `first_pdf` is the PDF of the first: its id, step, request."""
    ids = tuple(rig.replica.corpus.id_of(number) for number in range(2))
    request = {"criteria": Criteria(ids=ids), "max_papers": 2}
    return str(ids[0]), instead(first_pdf, match=f"/pdf/{ids[0]}v"), request


async def states(rig):
    """Paper → (state, reason)."""
    rows = await rig.rows("SELECT arxiv_id, state, reason FROM job_papers")
    return {row.arxiv_id: (row.state, row.reason) for row in rows}


async def texts(rig):
    return [tuple(row) for row in await rig.rows("SELECT content, truncated FROM paper_texts")]


@pytest.mark.parametrize("status", [404, 410])
async def test_case_50_a_pdf_that_is_gone_is_unavailable_and_its_paper_stays(rig, status):
    job = await rig.ingested(instead("<html>gone</html>", status=status), max_papers=2)

    assert (job.status, job.pdfs_unavailable, job.pdfs_failed) == (JobStatus.COMPLETED, 2, 0)
    assert len(rig.replica.log.since(lane="pdf")) == 2
    rows = await rig.rows("SELECT pdf_state FROM papers")
    assert [row.pdf_state for row in rows] == ["unavailable"] * 2


async def test_case_51_a_captcha_page_is_no_pdf_after_three_tries(rig):
    job = await rig.ingested({"kind": "html", "lane": "pdf", "times": ALWAYS}, max_papers=1)

    assert (job.status, job.pdfs_failed, job.pdfs_downloaded) == (JobStatus.COMPLETED, 1, 0)
    assert [(error.code, error.stage) for error in job.errors] == [("not_pdf", "pdf_download")]
    assert len(rig.replica.log.since(lane="pdf")) == 3
    assert (rig.files(), rig.parts()) == ({}, [])


@pytest.mark.parametrize(
    "body", ["", "%PDF-1.7\n", "<html>not a pdf</html>", "\x00\x01random bytes" * 50]
)
async def test_case_52_what_only_says_that_it_is_a_pdf_is_corrupt(rig, body):
    job = await rig.ingested(instead(body), max_papers=1)

    assert job.status is JobStatus.COMPLETED
    assert [error.code for error in job.errors] == ["corrupt"]
    assert (rig.files(), rig.parts()) == ({}, [])


CAP = 20_000


@pytest.mark.parametrize("way", ["its length says so", "10 GiB", "its length is not told"])
async def test_case_53_a_pdf_over_the_cap_is_left_at_the_cap(rig, upstream, http, way):
    body = b"%PDF-1.7\n" + b"x" * CAP
    match way:
        case "its length says so":
            answer = http.answer(body)
        case "10 GiB":
            answer = http.answer(body, length=10 * GIB)
        case _:
            sent = http.chunked(body) + b"0\r\n\r\n"
            answer = http.answer(sent, length=False, Transfer_Encoding="chunked")
    upstream.script(answer)

    settings = {"ARXIV_PDF_URL": f"{upstream.origin}/pdf", "MAX_PDF_BYTES": str(CAP)}
    job = await rig.ingested(settings=settings, max_papers=1)

    assert [error.code for error in job.errors] == ["too_large"]
    assert len(upstream.asked) == 1
    assert (rig.files(), rig.parts()) == ({}, [])


async def test_case_53_a_length_that_lies_low_gives_no_file(rig, upstream, http, monkeypatch):
    monkeypatch.setattr(outcomes, "BACKOFF_FIRST", timedelta(milliseconds=50))
    pdf = hostile.saying("more than was promised")
    upstream.script(http.answer(pdf, length=len(pdf) // 2))

    settings = {"ARXIV_PDF_URL": f"{upstream.origin}/pdf"}
    job = await rig.ingested(settings=settings, max_papers=1)

    assert [(error.code, error.attempt) for error in job.errors] == [("corrupt", 3)]
    assert (rig.files(), rig.parts()) == ({}, [])


async def test_case_55_a_pdf_that_asks_its_reader_for_a_password_is_kept_without_a_text(rig):
    job = await rig.ingested(
        instead(hostile.saying("not for you", owner="o", user="u")), max_papers=1
    )

    assert [(error.code, error.stage) for error in job.errors] == [("encrypted", "pdf_processing")]
    assert [tuple(row) for row in await rig.rows("SELECT text_state FROM papers")] == [
        ("encrypted",)
    ]
    assert len(rig.replica.log.since(lane="pdf")) == 1
    assert len(rig.files()) == 1
    assert await texts(rig) == []


async def test_case_55_a_password_of_the_owner_alone_hides_nothing(rig):
    job = await rig.ingested(instead(hostile.saying("read me", owner="o")), max_papers=1)

    assert (job.pdfs_processed, job.errors_total) == (1, 0)
    assert await texts(rig) == [("read me", False)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(1000, 0, "processed"), (1100, 0, "failed"), (0, 2000, "processed")],
    ids=["header within 1,024 bytes", "header beyond them", "end marker not among the last 1,024"],
)
async def test_case_56_what_makes_a_file_a_pdf(rig, before, after, expected):
    body = b"\n" * before + hostile.saying("here") + b"\n" * after

    await rig.ingested(instead(body), max_papers=1)

    assert [state for state, _ in (await states(rig)).values()] == [expected]


async def test_case_56_a_pdf_cut_short_is_corrupt(rig):
    whole = hostile.saying("here")

    await rig.ingested(instead(whole[: len(whole) // 2]), max_papers=1)

    assert list((await states(rig)).values()) == [("failed", "corrupt")]
    assert rig.files() == {}


BOMBS = {
    "57: blanks packed twice": lambda: hostile.inflating(2048),
    "58: nested states": hostile.nested_states,
}


@pytest.mark.parametrize("name", BOMBS)
async def test_cases_57_58_a_bomb_ends_its_reader_and_the_next_pdf_is_fine(rig, name):
    bad, step, request = two_papers(rig, BOMBS[name]())

    job = await rig.ingested(step, **request)

    found = await states(rig)
    assert found.pop(bad) == ("failed", "resource_limit")
    assert list(found.values()) == [("processed", None)]
    assert job.status is JobStatus.COMPLETED


@pytest.mark.slow
async def test_case_59_of_endless_pages_the_first_are_read_and_that_is_said(rig):
    job = await rig.ingested(instead(hostile.repeated_page(200_000)), max_papers=1)

    ((text, truncated),) = await texts(rig)
    assert (job.pdfs_processed, truncated) == (1, True)
    assert text.startswith("x\fx\fx")
    assert text.count("x") <= 2000


@pytest.mark.slow_faults
async def test_case_60_a_reader_that_never_returns_is_ended_and_the_next_pdf_is_fine(rig):
    """Its process is stopped while the second PDF is on its way to it."""
    rig.replica.script([{"kind": "hold", "lane": "pdf", "number": 2, "seconds": 60}])
    job_id = await rig.submit(max_papers=3)

    async with rig.process(LEASE_SECONDS="5", PDF_CONCURRENCY="1") as process:
        await rig.replica.wait_until_held(timeout=90)
        await until(rig, "SELECT 1 FROM job_papers WHERE state = 'processed'")
        (reader,) = _readers(process)
        reader.send_signal(signal.SIGSTOP)
        rig.replica.release()
        job = await rig.final(job_id, seconds=90)
        is_gone = not reader.is_running()

    assert is_gone
    assert sorted(state for state, _ in (await states(rig)).values()) == [
        "failed",
        "processed",
        "processed",
    ]
    assert [error.code for error in job.errors] == ["resource_limit"]


def _readers(process):
    """The processes that read PDFs for the service process."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [one for one in children if any("sandbox.py" in part for part in one.cmdline())]


async def test_case_62_an_active_pdf_reaches_nobody_and_starts_nothing(rig, other_host):
    """And its reader knows no secret."""
    _, step, request = two_papers(rig, hostile.active(f"{other_host.origin}/asked"))
    rig.replica.script([step])
    job_id = await rig.submit(**request)

    async with rig.process(PDF_CONCURRENCY="1") as process:
        job = await rig.final(job_id)
        (reader,) = _readers(process)
        environment, started = reader.environ(), reader.children(recursive=True)
        reached = await asyncio.to_thread(reader.net_connections)

    assert job.status is JobStatus.COMPLETED
    assert other_host.asked == []
    assert (started, reached) == ([], [])
    assert not {"DATABASE_URL", "JWT_SECRET"} & set(environment)
