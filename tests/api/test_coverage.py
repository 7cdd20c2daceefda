"""Coverage and versions over HTTP."""

from datetime import UTC, date, datetime

from service.db.coverage import CoverageStore
from service.db.papers import PaperStore
from service.domain.coverage import ListedDay
from service.domain.papers import TOLD_BY_OAI_RAW, PaperVersion
from tests.conftest import make_paper

URL = "/api/v1/coverage"
FIRST, SECOND = datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC)


async def save(database, *days, of=""):
    async with database.transaction() as conn:
        await CoverageStore(conn).save(of, days)


async def shown(api, query=""):
    response = await api.get(f"{URL}{query}")
    assert response.status == 200
    return await response.json()


async def test_before_any_audit_nothing_is_complete(api):
    answer = await shown(api)

    assert (answer["complete"], answer["days"], answer["checked_at"]) == (False, [], None)
    assert (answer["set"], answer["from_date"], answer["to_date"]) == ("", "2005-09-16", None)


async def test_a_range_is_complete_when_every_day_was_audited_and_nothing_is_amiss(api, database):
    first, second = date(2024, 3, 5), date(2024, 3, 6)
    await save(database, ListedDay(first, 10, 0, 0), ListedDay(second, 0, 0, 0))

    answer = await shown(api, "?from_date=20240305&to_date=2024-03-06")

    assert answer["complete"] is True
    assert (answer["listed"], answer["held"], len(answer["days"])) == (10, 10, 2)
    assert (await shown(api, "?from_date=20240305"))["complete"] is True
    assert (await shown(api, "?from_date=20240304"))["complete"] is False
    assert (await shown(api, "?from_date=20240305&to_date=20240307"))["complete"] is False
    assert (await shown(api, "?from_date=20240305&set=cs"))["days"] == []


async def test_what_is_missing_or_stale_is_told_and_healing_moves_it(api, database):
    day = date(2024, 3, 5)
    await save(database, ListedDay(day, 10, 2, 3), of="cs")
    query = "?set=cs&from_date=20240305&to_date=20240305"

    answer = await shown(api, query)
    async with database.transaction() as conn:
        await CoverageStore(conn).heal("cs", {(day, "missing"): 2, (day, "stale"): 3})

    assert (answer["complete"], answer["held"]) == (False, 8)
    assert (answer["missing"], answer["stale"]) == (2, 3)
    assert (await shown(api, query))["complete"] is True


async def test_a_set_that_is_none_is_named(api):
    response = await api.get(f"{URL}?set=cs.AI")

    problem = await response.json(content_type="application/problem+json")
    assert response.status == 422
    assert "cs:cs:AI" in problem["errors"]["set"][0]


async def test_versions_are_listed_oldest_first_with_their_licences(api, database):
    history = (
        PaperVersion(version=1, submitted_at=FIRST, size_kb=12, source_type="D"),
        PaperVersion(version=2, submitted_at=SECOND, size_kb=1, source_type="I"),
    )
    paper = make_paper("math.GT/0309136v2", versions=history, withdrawn=True, told=TOLD_BY_OAI_RAW)
    async with database.transaction() as conn:
        await PaperStore(conn).merge([paper])

    response = await api.get("/api/v1/papers/math.GT/0309136/versions")

    first, second = await response.json()
    assert (first["version"], first["size_kb"], first["source_type"]) == (1, 12, "D")
    assert (first["withdrawn"], first["license_url"], first["may_redistribute"]) == (
        *(False, None),
        None,
    )
    assert (second["withdrawn"], second["may_redistribute"]) == (True, False)
    assert second["license"] is None
    assert second["license_url"] == "http://arxiv.org/licenses/assumed-1991-2003/"
    assert (second["pdf_state"], second["text_state"]) == ("none", None)


async def test_a_paper_that_is_not_held_has_no_versions(api):
    assert (await api.get("/api/v1/papers/2301.00009/versions")).status == 404
