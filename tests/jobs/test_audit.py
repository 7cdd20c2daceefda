"""An audit finds exactly what is missing and stale, and heals exactly that."""

from datetime import date

import pytest

from service.db.coverage import CoverageStore
from service.devtools.stand_in.server import ReplicaOptions, running_replica
from service.domain.jobs import AuditCriteria, JobStatus, OaiCriteria
from tests.jobs.test_oai import assert_equals_corpus

PAPERS = 600


@pytest.fixture
async def replica():
    async with running_replica(ReplicaOptions(papers=PAPERS)) as running:
        running.oai.records_limit = 100
        running.oai.identifiers_limit = 150
        yield running


async def submit(rig, source, criteria):
    return await rig.submit(
        source=source, process_pdfs=False, max_papers=None, batch_size=50, **{source: criteria}
    )


async def totals(rig, set_spec=""):
    async with rig.database.transaction() as conn:
        days = await CoverageStore(conn).list_days(set_spec, None, None)
    return {
        "days": len(days),
        "listed": sum(one.listed for one in days),
        "missing": sum(one.missing for one in days),
        "stale": sum(one.stale for one in days),
    }


async def harvested(rig, damage=0):
    """The corpus held, then `damage` papers deleted and as many aged by SQL."""
    await rig.final(await submit(rig, "oai", OaiCriteria()))
    await rig.rows(
        "WITH gone AS (SELECT arxiv_id FROM papers ORDER BY md5(arxiv_id) LIMIT :n),"
        " d AS (DELETE FROM papers WHERE arxiv_id IN (SELECT arxiv_id FROM gone)) SELECT 1",
        n=damage,
    )
    await rig.rows(
        "WITH old AS (SELECT arxiv_id FROM papers ORDER BY md5(arxiv_id) LIMIT :n),"
        " u AS (UPDATE papers SET datestamp = CASE WHEN version > 1 THEN datestamp - 1 END,"
        " title = 'aged' WHERE arxiv_id IN (SELECT arxiv_id FROM old)) SELECT 1",
        n=damage,
    )


async def test_what_is_complete_is_found_complete(rig):
    async with rig.worker():
        await harvested(rig)
        job = await rig.final(await submit(rig, "audit", AuditCriteria()))

    assert (job.status, job.papers_fetched) == (JobStatus.COMPLETED, 0)
    assert job.facts["listed"] == PAPERS
    found = await totals(rig)
    assert (found["listed"], found["missing"], found["stale"]) == (PAPERS, 0, 0)


@pytest.mark.parametrize("damage", [3, 50])
async def test_what_is_missing_and_stale_is_found_and_healed(rig, damage):
    async with rig.worker():
        await harvested(rig, damage)
        await rig.final(await submit(rig, "audit", AuditCriteria()))
        found = await totals(rig)
        assert (found["listed"], found["missing"], found["stale"]) == (PAPERS, damage, damage)
        job = await rig.final(await submit(rig, "audit", AuditCriteria(heal=True)))

    assert (job.papers_created, job.papers_updated) == (damage, damage)
    assert job.papers_fetched == 2 * damage
    found = await totals(rig)
    assert (found["listed"], found["missing"], found["stale"]) == (PAPERS, 0, 0)
    await assert_equals_corpus(rig, PAPERS)


async def test_refused_tokens_change_nothing(rig):
    async with rig.worker():
        await harvested(rig, 20)
        rig.replica.log.clear()
        fault = {"kind": "oai_error", "code": "badResumptionToken", "lane": "oai"}
        rig.replica.script([{**fault, "match": "resumptionToken", "times": 2}])
        job = await rig.final(await submit(rig, "audit", AuditCriteria(heal=True)))

    assert (job.papers_created, job.papers_updated) == (20, 20)
    assert job.facts["listed"] == PAPERS
    assert (await totals(rig))["listed"] == PAPERS
    await assert_equals_corpus(rig, PAPERS)


async def test_a_window_of_a_set_has_a_row_for_each_day(rig):
    window = AuditCriteria(
        set="physics:hep-th", from_date=date(2007, 1, 1), to_date=date(2020, 12, 31)
    )
    async with rig.worker():
        await harvested(rig)
        await rig.final(await submit(rig, "audit", window))

    found = await totals(rig, "physics:hep-th")
    assert found["days"] == (date(2020, 12, 31) - date(2007, 1, 1)).days + 1
    assert found["listed"] > 0 == found["missing"]
    assert (await totals(rig))["days"] == 0
