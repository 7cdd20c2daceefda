from datetime import date
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arxiv.oai_query import ListQuery, Verb, decoded, get_record, next_page

# What arXiv writes: quote(urlencode(query)).
RECORDED = (
    "verb%3DListRecords%26metadataPrefix%3DarXivRaw%26from%3D2024-03-01%26until%3D2024-03-05"
    "%26set%3Dcs%253Acs%253AAI%26skip%3D2500"
)
MEANT = ListQuery(
    from_date=date(2024, 3, 1), until_date=date(2024, 3, 5), set_spec="cs:cs:AI", skip=2500
)


@pytest.mark.parametrize("token", [RECORDED, quote(RECORDED), unquote(RECORDED)])
def test_a_token_says_the_same_however_often_it_was_quoted(token):
    assert decoded(token) == MEANT


def test_a_token_is_written_as_arxiv_writes_it():
    assert MEANT.token() == RECORDED


DAYS = st.none() | st.dates(date(2006, 1, 1), date(2030, 1, 1))
QUERIES = st.builds(
    ListQuery,
    verb=st.sampled_from([Verb.LIST_RECORDS, Verb.LIST_IDENTIFIERS]),
    metadata_prefix=st.sampled_from(["arXivRaw", "arXiv"]),
    from_date=DAYS,
    until_date=DAYS,
    set_spec=st.none() | st.sampled_from(["cs", "physics:hep-th", "q-bio:q-bio:BM"]),
    skip=st.integers(0, 10**7),
)


@given(QUERIES, st.integers(0, 2))
def test_every_token_reads_back(query, more_quotings):
    token = query.token()
    for _ in range(more_quotings):
        token = quote(token)

    assert decoded(token) == query


@pytest.mark.parametrize(
    "token",
    [
        "",
        "496549|96001",
        "verb=ListRecords",
        "verb=ListRecords&metadataPrefix=arXiv&skip=x",
        "verb=Harvest&metadataPrefix=arXiv&skip=1",
        "verb=ListRecords&metadataPrefix=arXiv&skip=1&from=2024-13-01",
        "%" * 1000,
        RECORDED.replace("arXivRaw", "x" * 5000),
    ],
)
def test_a_token_of_another_kind_says_nothing(token):
    assert decoded(token) is None


@given(st.text(max_size=100))
def test_any_text_is_read_or_not_but_never_fails(token):
    decoded(token)


def test_the_first_request_names_the_whole_query():
    assert MEANT.params() == {
        "verb": "ListRecords",
        "metadataPrefix": "arXivRaw",
        "from": "2024-03-01",
        "until": "2024-03-05",
        "set": "cs:cs:AI",
    }


@pytest.mark.parametrize("day", [date(1991, 8, 14), date(2005, 9, 16)])
def test_a_day_before_arxivs_first_is_not_asked_for(day):
    assert "from" not in ListQuery(from_date=day).params()
    assert ListQuery(from_date=date(2005, 9, 17)).params()["from"] == "2005-09-17"


def test_a_token_is_sent_as_it_came():
    params = next_page(Verb.LIST_RECORDS, RECORDED)

    assert params == {"verb": "ListRecords", "resumptionToken": RECORDED}


def test_a_paper_is_asked_for_by_its_identifier():
    assert get_record("math/0309136", "arXiv") == {
        "verb": "GetRecord",
        "identifier": "oai:arXiv.org:math/0309136",
        "metadataPrefix": "arXiv",
    }
