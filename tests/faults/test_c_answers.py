"""Group C of the fault list, the answers: what arXiv says, and what becomes of the job.

What it means for the pace of the fleet is in `test_c_upstream`.
"""

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from aiohttp import connector

from service.arxiv.limits import ClientLimits
from service.domain.jobs import Criteria, JobStatus
from tests import hostile
from tests.arxiv.conftest import listening
from tests.arxiv.test_download_faults import BROKEN as BROKEN_PDFS
from tests.arxiv.test_page_faults import BROKEN as BROKEN_PAGES
from tests.arxiv.test_page_faults import UNANSWERED
from tests.jobs.conftest import QUICK

ALWAYS = 1_000_000  # times
ONE = {"process_pdfs": False, "max_papers": 1}


def over(server):
    """Settings by which `server` is arXiv's API."""
    return {"ARXIV_API_URL": f"{server.origin}/api/query"}


@pytest.mark.parametrize("kind", ["404", "error_400", "error_feed"])
async def test_cases_34_37_a_query_that_arxiv_refuses_fails_at_once(rig, kind):
    job = await rig.ingested({"kind": kind, "lane": "api", "times": ALWAYS}, **ONE)

    assert job.status is JobStatus.FAILED
    assert [error.code for error in job.errors] == ["upstream_rejected_query"]
    assert len(rig.replica.log.since(lane="api")) == 1
    assert await rig.rows("SELECT 1 FROM papers") == []


@pytest.mark.parametrize("name", hostile.feeds())
async def test_cases_39_40_a_hostile_feed_fails_its_job_and_the_next_is_fine(
    rig, upstream, http, name
):
    upstream.script(*[http.answer(hostile.feeds()[name])] * 5, http.answer(http.feed(http.entry())))

    async with rig.worker(**over(upstream)):
        refused = await rig.final(await rig.submit(**ONE))
        following = await rig.final(await rig.submit(**ONE))

    assert refused.status is JobStatus.FAILED
    assert [error.code for error in refused.errors] == ["upstream_faulty"]
    assert (following.status, following.papers_fetched) == (JobStatus.COMPLETED, 1)


async def test_case_39_what_a_feed_points_at_is_neither_read_nor_asked_for(
    rig, upstream, other_host, http, tmp_path
):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    for feed in (
        hostile.external_dtd(f"{other_host.origin}/x.dtd"),
        hostile.external_entity(f"{other_host.origin}/x.txt"),
        hostile.external_entity(f"file://{secret}"),
    ):
        upstream.script(http.answer(feed))
        job = await rig.ingested(settings=over(upstream), **ONE)

        assert job.status is JobStatus.FAILED
        assert "the secret" not in repr(job)
    assert other_host.asked == []
    assert await rig.rows("SELECT 1 FROM papers") == []


async def test_case_40_a_huge_attribute_in_small_pieces_is_no_trouble(rig, upstream, http):
    head, tail = http.feed(http.entry().replace("<entry>", '<entry a="|">')).split(b"|")
    upstream.script(upstream.in_pieces(head, kibibytes=4096, tail=tail))

    job = await rig.ingested(settings=over(upstream), **ONE)

    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 1)
    assert len(upstream.asked) == 1


async def test_case_40_an_answer_over_the_cap_is_given_up(rig, upstream, http):
    upstream.script(http.answer(http.feed(http.entry()) + b" " * (16 << 20)))

    job = await rig.ingested(settings=over(upstream), **ONE)

    assert [error.code for error in job.errors] == ["upstream_faulty"]
    assert await rig.rows("SELECT 1 FROM papers") == []


@pytest.mark.parametrize("skip_duplicates", [True, False])
async def test_case_41_an_older_version_never_takes_the_place_of_a_newer(
    rig, upstream, http, skip_duplicates
):
    old, new = (
        http.answer(http.feed(http.entry(f"2401.00001v{n}", title=f"v{n}"))) for n in (1, 2)
    )
    upstream.script(new, old)
    request = {**ONE, "skip_duplicates": skip_duplicates}

    async with rig.worker(**over(upstream)):
        for _ in range(2):
            await rig.final(await rig.submit(**request))

    assert await rig.rows("SELECT version, title FROM papers") == [(2, "v2")]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["older first", "newer first"])
async def test_case_41_of_two_jobs_that_race_the_newer_version_stays(rig, upstream, http, order):
    """Both wait for the row of a third session, which holds the table."""
    answers = (http.answer(http.feed(http.entry(f"2401.00001v{n}", title=f"v{n}"))) for n in order)
    upstream.script(*answers)
    jobs = [await rig.submit(**ONE, skip_duplicates=False) for _ in range(2)]

    async with rig.worker(**over(upstream)), rig.worker(**over(upstream)):
        async with rig.database.transaction() as conn:
            await conn.exec_driver_sql("LOCK TABLE papers IN SHARE MODE")
            async with asyncio.timeout(60):
                while len(upstream.asked) < 2:
                    await conn.exec_driver_sql("SELECT pg_sleep(0.02)")
        done = [await rig.final(job_id) for job_id in jobs]

    assert {job.status for job in done} == {JobStatus.COMPLETED}
    assert await rig.rows("SELECT version, title FROM papers") == [(2, "v2")]


STALL_SECONDS = 60  # of the stand-in, which we do not wait for
SHORT = replace(
    QUICK,
    limits=ClientLimits(
        api_total=timedelta(seconds=1),
        pdf_total=timedelta(seconds=2),
        sock_read=timedelta(seconds=1),
    ),
)


@pytest.mark.parametrize("kind", ["stall", "stall_after_headers", "drip"])
async def test_case_43_silence_stalls_and_drips_are_dropped_at_their_deadline(rig, kind):
    steps = [
        {"kind": kind, "lane": lane, "number": 1, "seconds": STALL_SECONDS}
        for lane in ("api", "pdf")
    ]

    job = await rig.ingested(*steps, max_papers=1, timing=SHORT)

    assert (job.status, job.pdfs_processed) == (JobStatus.COMPLETED, 1)
    for lane in ("api", "pdf"):
        first, second = rig.replica.log.since(lane=lane)[:2]
        assert second.started - first.started < STALL_SECONDS


CUT = ("short body", "chunked without end", "bad chunk size", "two lengths", "9 kB header")


@pytest.mark.parametrize(
    "fault", [*CUT, "empty reply", "length too small", "bad gzip", "unknown encoding"]
)
async def test_case_44_a_page_whose_framing_is_broken_is_asked_for_again(
    rig, upstream, http, fault
):
    upstream.script(
        (BROKEN_PAGES | UNANSWERED)[fault](upstream, http), http.answer(http.feed(http.entry()))
    )

    job = await rig.ingested(settings=over(upstream), **ONE)

    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 1)
    assert job.errors_total == 0
    assert len(upstream.asked) == 2


@pytest.mark.parametrize("fault", [*CUT, "empty reply", "packed"])
async def test_case_44_a_pdf_whose_framing_is_broken_is_asked_for_again(rig, upstream, http, fault):
    whole = http.answer(hostile.saying("whole"), Content_Type="application/pdf")
    upstream.script((BROKEN_PDFS | UNANSWERED)[fault](upstream, http), whole)

    job = await rig.ingested(settings={"ARXIV_PDF_URL": f"{upstream.origin}/pdf"}, max_papers=1)

    assert (job.status, job.pdfs_processed, job.errors_total) == (JobStatus.COMPLETED, 1, 0)
    assert [row.content for row in await rig.rows("SELECT content FROM paper_texts")] == ["whole"]
    assert rig.parts() == []


ELSEWHERE = (
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "//127.0.0.1:{port}/",
    "http://0x7f000001:{port}/",
    "http://2130706433:{port}/",
    "http://127.1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://169.254.169.254/latest/meta-data",
    "http://example.org/",
    "https://example.org:{port}/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
)


def redirects(lane, server):
    """A step for each place; where its port counts, that of `server`."""
    return [
        {"kind": "redirect", "lane": lane, "location": place.format(port=server.port)}
        for place in ELSEWHERE
    ]


async def test_case_45_a_redirect_elsewhere_is_refused_and_nobody_is_asked(rig, other_host):
    rig.replica.script(redirects("api", other_host))
    async with rig.worker():
        jobs = [await rig.submit(**ONE) for _ in ELSEWHERE]
        done = [await rig.final(job_id) for job_id in jobs]

    assert {job.status for job in done} == {JobStatus.FAILED}
    assert {error.code for job in done for error in job.errors} == {"redirect_refused"}
    assert other_host.asked == []


async def test_case_45_a_pdf_that_lies_elsewhere_is_refused_and_nobody_is_asked(rig, other_host):
    ids = tuple(map(rig.replica.corpus.id_of, range(len(ELSEWHERE))))

    job = await rig.ingested(
        *redirects("pdf", other_host), criteria=Criteria(ids=ids), max_papers=len(ids)
    )

    assert job.status is JobStatus.COMPLETED
    assert [error.code for error in job.errors] == ["redirect_refused"] * len(ELSEWHERE)
    assert other_host.asked == []


@pytest.mark.parametrize("lane", ["api", "pdf"])
async def test_case_46_a_redirect_loop_ends_after_five_hops(rig, lane):
    step = {"kind": "redirect", "lane": lane, "status": 307, "times": ALWAYS}
    place = {"api": "/api/query", "pdf": "/pdf/2301.00001v1"}[lane]

    job = await rig.ingested({**step, "location": place}, max_papers=1)

    assert [error.code for error in job.errors] == ["redirect_refused"]
    assert len(rig.replica.log.since(lane=lane)) == 6


async def test_case_47_a_name_that_leads_into_our_network_is_connected_to_nobody(
    rig, upstream, monkeypatch
):
    """After resolution: `export.arxiv.org`, as a resolver that was poisoned knows it."""
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def poisoned(host, *args, **kwargs):
        host = "127.0.0.1" if str(host).startswith("export.arxiv.org") else host
        return await resolve(host, *args, **kwargs)

    monkeypatch.setattr(loop, "getaddrinfo", poisoned)
    settings = {
        "ARXIV_API_URL": f"http://export.arxiv.org:{upstream.port}/api/query",
        "ARXIV_MIN_INTERVAL_SECONDS": "3",
    }

    job = await rig.ingested(settings=settings, **ONE)

    assert [error.code for error in job.errors] == ["address_refused"]
    assert upstream.asked == []


@pytest.fixture
def authority(monkeypatch):
    """Who this process trusts to certify servers, and nobody else."""
    authority, trusting = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(connector, "_SSL_CONTEXT_VERIFIED", trusting)
    return authority


def certified(authority, name):
    """What a server shows, in each of the ways that are wrong and the one that is right."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    match name:
        case "expired":
            return authority.issue_cert("localhost", not_after=yesterday)
        case "of another host":
            return authority.issue_cert("export.arxiv.example")
        case "of an unknown authority":
            return trustme.CA().issue_cert("localhost")
        case "good":
            return authority.issue_cert("localhost")


@pytest.mark.parametrize(
    "certificate", ["expired", "of another host", "of an unknown authority", "good"]
)
async def test_case_48_a_server_that_cannot_prove_its_name_is_told_nothing(
    rig, http, authority, certificate
):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certified(authority, certificate).configure_cert(tls)
    async with listening(tls) as server:
        server.script(http.answer(http.feed(http.entry())))
        settings = {"ARXIV_API_URL": f"https://localhost:{server.port}/api/query"}
        job = await rig.ingested(settings=settings, **ONE)

    if certificate == "good":
        assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 1)
        return
    assert job.status is JobStatus.FAILED
    assert [error.code for error in job.errors] == ["upstream_faulty"]
    assert "TLS" in job.errors[0].message
    assert server.asked == []
