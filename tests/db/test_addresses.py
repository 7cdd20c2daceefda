"""The database's URL, in the words of those who read it."""

import pytest
from sqlalchemy.exc import ArgumentError

from service.db.addresses import asyncpg_url, libpq_url, read_url, without_password, written


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/d",
        "postgresql:///d?host=/var/run/a%20b",
        "postgresql://u:p%40%3A%2F%3F%23%20%2B@h:5432/d%20e",
        "postgresql://u@[::1]:5432/d",
        "postgresql://u:p@h:1,[::1]:2,10.0.0.1/d?target_session_attrs=read-write",
        "postgresql://[::1]:1,[fe80::1%25eth0]:2/d",
        "postgresql://u@h/d?options=-c%20search_path%3Dx&sslmode=require",
        "postgresql://u:a%2Cb@h/d",
    ],
)
def test_what_libpq_reads_is_what_was_given(url):
    assert libpq_url(url) == url
    assert libpq_url(asyncpg_url(url)) == url  # by way of SQLAlchemy's engine


def test_a_plus_in_a_parameter_is_the_blank_that_it_stood_for_so_far():
    assert libpq_url("postgresql://h/d?options=-c+a%3Db") == "postgresql://h/d?options=-c%20a%3Db"


def test_hosts_as_sqlalchemy_names_them_are_taken_too():
    given = "postgresql+asyncpg://u@/d?host=a:1&host=b:2"

    assert libpq_url(given) == "postgresql://u@a:1,b:2/d"


def test_what_is_sqlalchemys_own_is_not_passed_on():
    assert libpq_url("postgresql://h/d?prepared_statement_cache_size=0") == "postgresql://h/d"


def test_the_password_is_taken_out_wherever_it_stands():
    assert without_password("postgresql://u:p@a:1,b:2/d") == ("postgresql://u@a:1,b:2/d", "p")
    assert without_password("postgresql://u@h/d?password=q") == ("postgresql://u@h/d", "q")


def test_a_comma_in_a_password_makes_no_hosts():
    url = read_url("postgresql://u:a,b@h:1/d?options=a,b")

    assert (url.password, url.host, url.port) == ("a,b", "h", 1)


def test_the_password_can_be_hidden():
    url = read_url("postgresql://u:p@a:1,b:2/d")

    assert written(url, hide_password=True) == "postgresql://u:***@a:1,b:2/d"


@pytest.mark.parametrize("text", ["a:x,b:1/d", "a,/d", "[a,b]/d", "a:99999,b/d", "a b,c/d"])
def test_hosts_that_are_none_are_refused(text):
    with pytest.raises((ArgumentError, ValueError)):
        read_url(f"postgresql://{text}")
