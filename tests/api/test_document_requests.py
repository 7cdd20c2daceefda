"""Requests for HTML and for documents made anew: what is accepted, and how it is shown."""

import pytest

from tests.api.conftest import PREFIX

URL = f"{PREFIX}/arxiv"
ANEW = {"source": "documents", "documents": {}}


async def test_documents_are_made_anew_by_a_job_like_any_other(api, sql):
    response = await api.post(URL, json={**ANEW, "documents": {"ids": ["arXiv:2301.00001V2"]}})
    body = await response.json()

    assert response.status == 202
    assert (body["estimated_papers"], body["search_criteria"]) == (None, {"ids": ["2301.00001v2"]})
    ((request,),) = await sql("SELECT request FROM jobs")
    assert request == {
        "documents": {"ids": ["2301.00001v2"]},
        "source": "documents",
        "batch_size": 1000,
        "max_papers": None,
        "process_pdfs": False,
        "skip_duplicates": True,
        "priority": "normal",
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**ANEW, "process_pdfs": True}, "process_pdfs"),
        ({**ANEW, "process_html": True}, "process_html"),
        ({**ANEW, "documents": {"ids": []}}, "documents.ids"),
        ({**ANEW, "documents": {"ids": ["x"]}}, "documents.ids.0"),
        ({**ANEW, "documents": {"all": True}}, "documents.all"),
        ({"source": "documents"}, "documents"),
        ({**ANEW, "search_query": {"category": "cs.AI"}}, "search_query"),
        ({"search_query": {"category": "cs.AI"}, "process_html": "yes"}, "process_html"),
    ],
    ids=str,
)
async def test_a_wrong_request_names_its_field(api, body, field):
    response = await api.post(URL, json=body)

    assert response.status == 422
    assert field in (await response.json())["errors"]


async def test_html_is_part_of_the_request_where_it_is_wanted(api, sql):
    plain = {"search_query": {"category": "cs.AI"}}
    for body in (plain, {**plain, "process_html": False}, {**plain, "process_html": True}):
        assert (await api.post(URL, json=body)).status == 202

    rows = await sql("SELECT request ->> 'process_html' FROM jobs ORDER BY id")
    assert [one for (one,) in rows] == [None, None, "true"]
