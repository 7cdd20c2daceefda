"""Whole jobs over what arXiv really answered, and over PDFs made or found to do harm."""

import base64
from pathlib import Path
from xml.etree import ElementTree

import pytest

from service.devtools.stand_in.server import ReplicaOptions, running_replica
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, JobStatus
from tests.jobs.conftest import Rig

SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "arxiv-samples"
ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"

pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recordings beside the checkout"),
]


@pytest.fixture
async def replica():
    async with running_replica(ReplicaOptions(recordings=SAMPLES / "atom")) as running:
        yield running


def recorded(pattern):
    """What the recordings say, read independently: id without version → the columns' values."""
    papers = {}
    for path in sorted((SAMPLES / "atom").glob(pattern)):
        for entry in ElementTree.parse(path).getroot().iter(f"{ATOM}entry"):
            arxiv_id, _, version = entry.findtext(f"{ATOM}id").split("/abs/")[1].rpartition("v")
            papers[arxiv_id] = {
                "version": int(version),
                "title": _text(entry, f"{ATOM}title"),
                "abstract": _text(entry, f"{ATOM}summary"),
                "authors": [
                    " ".join(name.text.split())
                    for name in entry.iterfind(f"{ATOM}author/{ATOM}name")
                ],
                "primary_category": entry.find(f"{ARXIV}primary_category").get("term"),
                "published_at": _text(entry, f"{ATOM}published"),
                "updated_at": _text(entry, f"{ATOM}updated"),
                "doi": _text(entry, f"{ARXIV}doi"),
                "journal_ref": _text(entry, f"{ARXIV}journal_ref"),
                "comments": _text(entry, f"{ARXIV}comment"),
                "categories": {c.get("term") for c in entry.iterfind(f"{ATOM}category")},
            }
    return papers


def _text(entry, tag):
    text = entry.findtext(tag)
    return None if text is None else " ".join(text.split())


async def stored(rig):
    """The same of the table `papers`."""
    names = next(iter(recorded("arxivpy__id_1605*").values()))
    papers = {}
    for row in await rig.rows("SELECT * FROM papers"):
        values = {name: getattr(row, name) for name in names}
        for name in ("published_at", "updated_at"):
            values[name] = values[name].strftime("%Y-%m-%dT%H:%M:%SZ")
        papers[row.arxiv_id] = {**values, "categories": set(values["categories"])}
    return papers


@pytest.mark.parametrize(
    ("page_size", "papers", "pattern"),
    [(100, 100, "*q_testing_s0_m100_*"), (10, 60, "*q_testing_s*_m10_*")],
)
async def test_every_recorded_paper_is_stored_as_recorded(rig: Rig, page_size, papers, pattern):
    criteria = Criteria(query="testing", page_size=page_size, sort_by="relevance")

    async with rig.worker():
        job = await rig.final(
            await rig.submit(criteria=criteria, max_papers=papers, process_pdfs=False), seconds=60
        )

    expected = recorded(pattern)
    assert job.status is JobStatus.COMPLETED
    assert job.errors_total == 0
    assert job.papers_fetched == len(expected) >= papers - 1
    assert await stored(rig) == expected


async def test_a_job_over_recordings_brings_pdfs_and_texts_too(rig: Rig):
    criteria = Criteria(query="testing", page_size=10, sort_by="relevance")

    async with rig.worker():
        job = await rig.final(await rig.submit(criteria=criteria, max_papers=10), seconds=60)

    assert job.status is JobStatus.COMPLETED
    assert job.pdfs_processed == job.papers_fetched == 10
    await rig.assert_sound()


@pytest.mark.parametrize(
    "arxiv_id", ["1605.08386", "1707.08567", "2104.12255", "astro-ph/0601001", "quant-ph/0201082"]
)
async def test_recorded_ids_of_both_styles(rig: Rig, arxiv_id):
    given = ArxivId.parse(arxiv_id)
    if arxiv_id in ("2104.12255", "quant-ph/0201082"):  # recorded with their version
        given = ArxivId(given.paper, 1)

    async with rig.worker():
        job = await rig.final(
            await rig.submit(criteria=Criteria(ids=(given,)), max_papers=1, process_pdfs=False)
        )

    assert job.status is JobStatus.COMPLETED
    expected = recorded(f"*id_{arxiv_id.replace('/', '_')}*")
    assert {arxiv_id: (await stored(rig))[arxiv_id]} == {arxiv_id: expected[arxiv_id]}


async def test_an_id_that_arxiv_drops_is_an_error_of_that_paper(rig: Rig):
    """Recorded: two ids asked for, one came."""
    ids = (ArxivId("0808.05394"), ArxivId("1707.08567"))

    async with rig.worker():
        job = await rig.final(
            await rig.submit(criteria=Criteria(ids=ids), max_papers=2, process_pdfs=False)
        )

    assert job.status is JobStatus.COMPLETED
    assert job.papers_fetched == 1
    assert [(e.code, e.arxiv_id) for e in job.errors] == [("unknown_paper", "0808.05394")]


HOSTILE = {
    "enc_owner_only": ("processed", None),
    "pypdf__r6-empty-password": ("processed", None),
    "enc_user": ("failed", "encrypted"),
    "pypdf__r2-user-password": ("failed", "encrypted"),
    "html": ("failed", "corrupt"),
    "header_only": ("failed", "corrupt"),
    "qpdf__bad1": ("failed", "corrupt"),
    "bomb_ws_2G_x2": ("failed", "resource_limit"),
    "q_stack": ("failed", "resource_limit"),
    "nul_text": ("processed", None),
    "image_only": ("processed", None),
    "js_openaction": ("processed", None),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_hostile_pdfs_end_in_a_state_and_the_good_ones_between_them_are_fine(rig: Rig):
    names = list(HOSTILE)
    criteria = Criteria(query="testing", page_size=10, sort_by="relevance")
    ids = sorted(recorded("*q_testing_s*_m10_*"))[: len(names) + 3]
    for name, arxiv_id in zip(names, ids, strict=False):
        body = base64.b64encode((SAMPLES / "badpdf" / f"{name}.pdf").read_bytes()).decode()
        rig.replica.script(
            [
                {
                    "kind": "body",
                    "lane": "pdf",
                    "match": arxiv_id,
                    "times": 9,
                    "content_type": "application/pdf",
                    "body_base64": body,
                }
            ]
        )

    async with rig.worker(EXTRACT_PROCESSES="2"):
        job_id = await rig.submit(criteria=criteria, max_papers=60)
        job = await rig.final(job_id, seconds=500)

    rows = await rig.rows("SELECT arxiv_id, state, reason FROM job_papers")
    state = {row.arxiv_id: (row.state, row.reason) for row in rows}
    assert {name: state[i] for name, i in zip(names, ids, strict=False)} == HOSTILE
    others = [value for arxiv_id, value in state.items() if arxiv_id not in ids[: len(names)]]
    assert set(others) == {("processed", None)}
    assert job.status is JobStatus.COMPLETED
    assert job.pdfs_failed == sum(value[0] == "failed" for value in HOSTILE.values())
    texts = await rig.rows("SELECT content FROM paper_texts")
    assert not any(mark in row.content for row in texts for mark in "\x00\x01\x1b")
    await rig.assert_sound()
