"""The contract tests themselves, against the stand-in: what they find, and how slowly they ask."""

import asyncio

import pytest

from service.devtools.stand_in.server import ReplicaOptions, running_replica
from tests.live import asking
from tests.live.asking import Asker, Places, TooMany, Unreachable
from tests.live.facts import FACTS, Seen, findings


@pytest.fixture
async def replica():
    async with running_replica(ReplicaOptions(papers=300, oai_records=20)) as running:
        yield running


def asker(replica, **changes):
    places = Places.of_stand_in(replica.url)
    return Asker(places, **{"interval": 0.0, "html_interval": 0.0, **changes})


async def found(asker):
    return await asyncio.to_thread(lambda: dict(findings(Seen(asker))))


async def test_they_find_in_the_stand_in_what_is_documented(replica):
    replica.trap("arxiv")
    asks = asker(replica)

    seen = await found(asks)

    assert [name for name, finding in seen.items() if finding.holds is False] == []
    assert sum(finding.holds is None for finding in seen.values()) <= 2
    assert list(seen) == list(FACTS)
    assert asks.requests <= asking.MOST_REQUESTS
    assert max(record.open for record in replica.log.records) == 1


async def test_they_find_what_differs(replica):
    for trap in ("accept-406", "ceiling-500", "oai-token-expiry", "oai-token-once"):
        replica.trap(trap)

    seen = await found(asker(replica))

    differing = {name for name, finding in seen.items() if finding.holds is False}
    assert differing == {"or-by-default", "right-association", "last-updated"}
    told = {name: seen[name].seen for name in ("accept", "ceiling", "oai-old-token", "oai-token")}
    assert told["accept"] == "HTTP 406"
    assert told["ceiling"] == "HTTP 500"
    assert told["oai-old-token"] == "HTTP 200, badResumptionToken"
    assert told["oai-token"].startswith("encoded once")


async def test_they_ask_no_faster_than_arxiv_allows_and_so_often_at_most(replica, monkeypatch):
    monkeypatch.setattr(asking, "MOST_REQUESTS", 3)
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    asks = asker(replica, interval=3.05, html_interval=15.0, clock=lambda: now[0], sleep=sleep)
    url = f"{replica.html_url}/0704.0001"
    for ask in (lambda: asks.query(search_query="cat:cs.AI"), lambda: asks.html(url)):
        await asyncio.to_thread(ask)
    await asyncio.to_thread(asks.oai, verb="Identify")
    with pytest.raises(TooMany):
        await asyncio.to_thread(asks.oai, verb="Identify")

    assert slept == pytest.approx([0.0, 3.05, 15.0])


def test_without_a_connection_it_is_said():
    asks = Asker(Places.of_stand_in("http://127.0.0.1:9"))

    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        asks.query(search_query="cat:cs.AI")


def test_every_fact_is_in_the_document_and_no_other(pytestconfig):
    text = (pytestconfig.rootpath / "docs/arxiv.md").read_text()
    table = text.partition("## Facts that are checked")[2].partition("\n## ")[0]

    rows = [line.split("|")[1].strip(" `") for line in table.splitlines() if line.startswith("| `")]

    assert rows == list(FACTS)
