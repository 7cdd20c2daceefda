"""DATABASE_URL for each reader, with one host and with several."""

import pytest
from sqlalchemy.exc import ArgumentError

from service.db.addresses import (
    asyncpg_url,
    hosts_of,
    libpq_url,
    one_host,
    read_url,
    without_password,
)

TWO = [("a.example", 5432), ("b.example", 5433)]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@a.example:5432,b.example:5433/d?target_session_attrs=read-write",
        "postgres://u:p@a.example,b.example:5433/d?target_session_attrs=read-write",
        "postgresql://u:p@/d?host=a.example,b.example&port=5432,5433"
        "&target_session_attrs=read-write",
        "postgresql+asyncpg://u:p@a.example,b.example:5433/d?target_session_attrs=read-write",
    ],
)
def test_several_hosts_are_read_as_libpq_reads_them(url):
    found = asyncpg_url(url)

    assert hosts_of(found) == TWO
    assert (found.username, found.password, found.database) == ("u", "p", "d")
    assert found.query["target_session_attrs"] == "read-write"
    assert hosts_of(read_url(libpq_url(url))) == TWO


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@a.example/d",
        "postgresql://u:p,q@a.example:5433/d",
        "postgresql://u@/d?host=/run/postgresql",
        "postgresql://u:p@[::1]:5433/d?options=-c%20search_path%3Dx",
    ],
)
def test_one_host_is_left_to_those_who_know(url):
    assert hosts_of(asyncpg_url(url)) == []
    assert read_url(libpq_url(url)) == read_url(url)


def test_addresses_with_colons_stand_in_brackets():
    url = "postgresql://u@[::1],[fe80::2]:5433/d"

    assert hosts_of(asyncpg_url(url)) == [("::1", 5432), ("fe80::2", 5433)]
    assert read_url(one_host(url, "::1", 5432)).host == "::1"


def test_one_port_is_that_of_all_hosts():
    assert hosts_of(asyncpg_url("postgresql://u@/d?host=a,b&port=6000")) == [
        ("a", 6000),
        ("b", 6000),
    ]


def test_a_password_is_kept_from_arguments():
    bare, password = without_password("postgresql://u:s%20cret@a,b:5433/d")

    assert password == "s cret"
    assert "cret" not in bare
    assert hosts_of(read_url(bare)) == [("a", 5432), ("b", 5433)]


@pytest.mark.parametrize(
    "url",
    ["postgresql://u@a,:5432/d", "postgresql://u@a:0,b/d", "postgresql://u@a:x,b/d", "a,b"],
)
def test_hosts_that_are_none_are_refused(url):
    with pytest.raises((ValueError, ArgumentError)):
        read_url(url)
