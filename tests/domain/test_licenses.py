import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.licenses import (
    ASSUMED,
    NONEXCLUSIVE,
    license_url,
    may_redistribute,
    normalised,
    spellings,
)

BY = "http://creativecommons.org/licenses/by/4.0/"


@pytest.mark.parametrize(
    ("told", "is_told", "url"),
    [(BY, True, BY), (BY, False, BY), (None, True, ASSUMED), (None, False, None)],
)
def test_the_licence_that_holds(told, is_told, url):
    assert license_url(told, is_told=is_told) == url


@pytest.mark.parametrize(
    ("url", "may"),
    [
        (None, None),
        (BY, True),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0", True),
        ("http://creativecommons.org/licenses/by-nc-sa/3.0/", True),
        ("http://creativecommons.org/publicdomain/zero/1.0/", True),
        ("http://creativecommons.org/licenses/publicdomain/", True),
        ("https://www.creativecommons.org/licenses/by-sa/4.0/", True),
        (NONEXCLUSIVE, False),
        (ASSUMED, False),
        ("http://example.org/licenses/by/4.0/", False),
        ("http://creativecommons.org.example.org/licenses/by/4.0/", False),
        ("http://creativecommons.org/terms", False),
        ("CC BY 4.0", False),
        ("http://[x", False),
    ],
)
def test_what_may_be_passed_on(url, may):
    assert may_redistribute(url) is may


@pytest.mark.parametrize(
    "url", [BY, BY[:-1], BY.replace("http", "https"), f" {BY}", BY.replace("creative", "Creative")]
)
def test_scheme_slash_and_case_do_not_matter(url):
    assert normalised(url) == BY
    assert BY in spellings(url)
    assert {normalised(one) for one in spellings(url)} == {BY}


@given(st.text(max_size=60))
def test_any_text_can_be_judged(text):
    assert may_redistribute(text) in (True, False)
    assert normalised(normalised(text)) == normalised(text)
