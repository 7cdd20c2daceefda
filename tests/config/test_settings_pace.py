"""Settings of the pace: arXiv cannot be asked faster than it allows, a stand-in can."""

import pytest

from service.config.settings import is_arxiv
from tests.environ import ELSEWHERE, STAND_IN, problems, settings


@pytest.mark.parametrize(
    "urls",
    [
        {},
        {"ARXIV_API_URL": ELSEWHERE, "ARXIV_PDF_URL": ELSEWHERE},
        {"ARXIV_OAI_URL": ELSEWHERE, "ARXIV_PDF_URL": ELSEWHERE},
        {**STAND_IN, "ARXIV_API_URL": "http://EXPORT.arXiv.org/api/query"},
        {**STAND_IN, "ARXIV_API_URL": "http://export.arxiv.org./api/query"},
        {**STAND_IN, "ARXIV_API_URL": "http://arxiv.org:80/api/query"},
    ],
    ids=str,
)
def test_arxivs_interval_cannot_be_shortened_against_arxiv(urls):
    assert list(problems(**urls, ARXIV_MIN_INTERVAL_SECONDS="2.9")) == [
        "ARXIV_MIN_INTERVAL_SECONDS"
    ]


@pytest.mark.parametrize("host", ["export.arxiv.org", "arxiv.org", "ARXIV.ORG", "arxiv.org."])
def test_arxivs_rate_of_pdfs_cannot_be_raised_against_arxiv(host):
    urls = {**STAND_IN, "ARXIV_PDF_URL": f"https://{host}/pdf"}

    assert list(problems(**urls, ARXIV_PDF_PER_SECOND="4.1")) == ["ARXIV_PDF_PER_SECOND"]


@pytest.mark.parametrize("host", ["arxiv.org", "export.arxiv.org"])
def test_arxivs_delay_between_pages_cannot_be_shortened_against_arxiv(host):
    urls = {**STAND_IN, "ARXIV_HTML_URL": f"https://{host}/html"}

    found = problems(**urls, ARXIV_HTML_MIN_INTERVAL_SECONDS="14.9")

    assert list(found) == ["ARXIV_HTML_MIN_INTERVAL_SECONDS"]
    assert "ARXIV_HTML_URL" in found["ARXIV_HTML_MIN_INTERVAL_SECONDS"]


def test_a_stand_in_may_be_asked_faster():
    known = settings(**STAND_IN, ARXIV_MIN_INTERVAL_SECONDS="0", ARXIV_PDF_PER_SECOND="1000")

    assert known.arxiv_min_interval_seconds == 0


def test_being_slower_than_asked_is_always_allowed():
    known = settings(ARXIV_MIN_INTERVAL_SECONDS="10", ARXIV_PDF_PER_SECOND="1")

    assert known.arxiv_min_interval_seconds == 10


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("arxiv.org", True),
        ("export.arxiv.org", True),
        ("oaipmh.arxiv.org", True),
        ("notarxiv.org", False),
        ("arxiv.org.example.org", False),
        ("127.0.0.1", False),
        ("", False),
    ],
)
def test_arxivs_hosts_are_known(host, expected):
    assert is_arxiv(host) is expected
