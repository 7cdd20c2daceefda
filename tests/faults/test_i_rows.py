"""Case 112: rows that operators write by hand are refused, or answered safely."""

import pytest
from sqlalchemy.exc import IntegrityError

from tests.api.conftest import PREFIX

MOMENTS = ["'-infinity'", "'infinity'", "'0044-03-15 BC'", "'20000-01-01'"]
PAPER = (
    "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
    " primary_category, published_at, updated_at)"
    " VALUES ('2301.00001', 1, 't', 'a', '{{x}}', '{{cs.AI}}', 'cs.AI', {0}, {0})"
)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_case_112_moments_out_of_range_are_refused(sql, moment):
    for statement in (
        f"INSERT INTO jobs (created_at, updated_at) VALUES ({moment}, now())",
        f"INSERT INTO jobs (status, started_at) VALUES ('running', {moment})",
        PAPER.format(moment),
    ):
        with pytest.raises(IntegrityError, match="moments_in_range"):
            await sql(statement)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_case_112_a_row_of_before_is_answered_and_so_are_the_others(
    api, sql, moment, unchecked_moments
):
    await sql(f"INSERT INTO jobs (created_at) VALUES ({moment})")
    await sql("INSERT INTO jobs (request) VALUES ('{}')")

    async with api.get(f"{PREFIX}/jobs") as answer:
        assert answer.status == 200
        assert len(await answer.json()) == 2


async def test_case_112_a_number_beyond_floats_is_answered(api, sql):
    await sql("INSERT INTO jobs (request, taken_up_at) VALUES ('{\"n\": 1e400}', now())")
    await sql("INSERT INTO jobs (request) VALUES ('{}')")

    async with api.get(f"{PREFIX}/jobs") as answer:
        found = await answer.json()

    assert answer.status == 200
    assert len(found) == 2
    (strange,) = [one for one in found if one["stats"]]
    assert strange["stats"]["request"] == {"n": None}
