"""The page about the stand-in names all that it can be told to do."""

import re

import pytest

from service.devtools.stand_in.amendments import KINDS as CHANGES
from service.devtools.stand_in.faults import KINDS, LANES
from service.devtools.stand_in.log import RequestLog
from service.devtools.stand_in.server import Replica, ReplicaOptions
from service.devtools.stand_in.traps import TRAPS


@pytest.fixture
def page(document):
    return document("docs/stand-in.md")


def test_every_trap_stands_in_its_table_in_order_with_its_number(page):
    rows = page.table("Traps")

    assert page.names("Traps") == list(TRAPS)
    for (_, does, number, always), trap in zip(rows, TRAPS.values(), strict=True):
        assert does.casefold() == trap.does.casefold()
        assert number == ("" if trap.default is None else f"{trap.default:g}")
        assert (always == "yes") == trap.always


def test_every_fault_stands_in_its_table(page):
    told = [name for row in page.table("Faults") for name in re.findall(r"`([^`]+)`", row[0])]

    assert sorted(told) == sorted(KINDS)


def test_every_channel_stands_in_its_table(page):
    assert page.names("Channels") == list(LANES)


def test_every_request_of_the_control_api_stands_in_its_table(page):
    with RequestLog() as log:
        routes = Replica(ReplicaOptions(), log).application().router.routes()

    served = {
        f"{route.method} {route.resource.canonical}"
        for route in routes
        if "_replica" in route.resource.canonical and route.method != "HEAD"
    }
    assert set(page.names("Control")) == served


@pytest.mark.parametrize("kind", CHANGES)
def test_every_kind_of_change_is_named(page, kind):
    row = next(row for row in page.table("Control") if "amend" in row[0])

    assert f"`{kind}`" in row[1]
