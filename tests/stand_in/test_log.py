import asyncio
import json
from datetime import UTC, datetime

import aiohttp
import pytest

from service.devtools.stand_in.log import Record, pace_of

GOOD = {"search_query": "cat:cs.LG", "max_results": "5"}


def span(started, ended, lane="api"):
    return {"lane": lane, "started": started, "ended": ended}


def test_pace_is_the_smallest_gap_and_the_most_open_at_once():
    pace = pace_of([span(9.0, 9.5), span(0.0, 1.0), span(3.1, 7.0), span(6.2, 6.3)])

    assert pace.requests == 4
    assert pace.smallest_gap == pytest.approx(2.8)
    assert pace.most_open == 2


def test_a_request_that_begins_when_another_ends_does_not_overlap_it():
    assert pace_of([span(0.0, 3.0), span(3.0, 4.0)]).most_open == 1


def test_pace_looks_at_the_paced_lanes_only():
    records = [span(0.0, 1.0), span(0.1, 0.2, "pdf"), span(2.0, 3.0, "oai")]

    pace = pace_of(records)

    assert (pace.requests, pace.smallest_gap, pace.most_open) == (2, 2.0, 1)
    assert pace_of(records, ["pdf"]).requests == 1


def test_one_request_has_no_gap():
    assert pace_of([span(0.0, 1.0)]).smallest_gap is None


async def test_a_record_tells_what_was_asked_and_what_was_sent(caller):
    before = datetime.now(UTC)

    _, body = await caller.api(**GOOD)
    await caller.pdf("2301.99999")

    api, pdf = caller.replica.log.since()
    assert (api.lane, api.number, api.serial, api.method, api.status) == ("api", 1, 1, "GET", 200)
    assert (pdf.lane, pdf.number, pdf.serial, pdf.status) == ("pdf", 1, 2, 404)
    assert api.path == "/api/query?search_query=cat:cs.LG&max_results=5"
    assert api.bytes_sent == len(body)
    assert api.complete
    assert "aiohttp" in api.user_agent
    assert api.peer.startswith("127.0.0.1:")
    assert api.ended >= api.started
    assert before <= datetime.fromisoformat(api.started_at) <= datetime.now(UTC)


async def test_requests_under_way_and_connections_are_counted_at_the_start(caller):
    caller.replica.script([{"kind": "hold", "lane": "api", "times": 2}])
    tasks = [asyncio.create_task(caller.api(**GOOD)) for _ in range(2)]
    await caller.replica.wait_until_held(2)
    caller.replica.release()
    await asyncio.gather(*tasks)

    await caller.api(**GOOD)

    records = sorted(caller.replica.log.since(), key=lambda record: record.serial)
    assert [record.open for record in records] == [1, 2, 1]
    assert [record.connections for record in records] == [1, 2, 2]
    assert pace_of(records).most_open == 2


async def test_a_client_that_vanished_leaves_a_record(caller):
    caller.replica.script([{"kind": "hold"}])
    task = asyncio.create_task(caller.api(**GOOD))
    await caller.replica.wait_until_held()

    task.cancel()
    await caller.replica.log.wait_for(lambda log: len(log.records) == 1, timeout=5)

    record = caller.replica.log.records[0]
    assert (record.complete, record.status, record.fault) == (False, None, "hold")
    assert caller.replica.holds.count == 0


async def test_the_file_has_a_line_per_request_at_once(calling, tmp_path):
    file = tmp_path / "requests.jsonl"
    async with calling(log_file=file) as one:
        await one.api(**GOOD)
        lines = [json.loads(line) for line in file.read_text().splitlines()]

        assert lines == await records(one)
        assert set(Record.__slots__) == set(lines[0])


async def records(caller, **parameters):
    async with caller.control("GET", "log", params=parameters) as answer:
        return await answer.json()


async def test_the_log_is_read_and_forgotten_over_http(caller):
    for _ in range(3):
        await caller.api(**GOOD)

    later = await records(caller, since=1)
    async with caller.control("DELETE", "log") as answer:
        assert answer.status == 204
    await caller.api(**GOOD)
    left = await records(caller)

    assert [record["serial"] for record in later] == [2, 3]
    assert [(record["serial"], record["number"]) for record in left] == [(4, 1)]
    assert pace_of(later).requests == 2


async def test_a_script_is_sent_and_held_requests_released_over_http(caller):
    script = [{"kind": "hold", "lane": "api"}, {"kind": "503"}]
    async with caller.control("POST", "script", json=script) as answer:
        assert await answer.json() == {"script_left": 2}
    held = asyncio.create_task(caller.api(**GOOD))

    async with caller.control("GET", "health", params={"held": 1, "wait": 5}) as answer:
        health = await answer.json()
    async with caller.control("POST", "release") as answer:
        released = await answer.json()

    assert health == {
        "status": "ok",
        "open": {"api": 1},
        "held": 1,
        "script_left": 1,
        "records": 0,
    }
    assert released == {"released": 1}
    assert (await held)[0] == 200
    assert (await caller.api(**GOOD))[0] == 503


@pytest.mark.parametrize("body", [b"{", b"{}", b"[1]", b'[{"kind":"x"}]', b"\xff"])
async def test_a_script_that_is_none_is_refused_whole(caller, body):
    async with caller.control("POST", "script", data=body) as answer:
        assert answer.status == 400
        assert "error" in await answer.json()

    assert (await caller.api(**GOOD))[0] == 200


async def test_a_wrong_number_is_refused(caller):
    async with caller.control("GET", "log", params={"since": "x"}) as answer:
        assert answer.status == 400


async def test_unknown_paths_are_html_404_and_recorded_apart(caller):
    async with caller.session.get(f"{caller.replica.url}/abs/1") as answer:
        assert answer.status == 404

    assert caller.replica.log.records[0].lane == "other"


async def test_many_clients_at_once_are_all_answered(caller):
    ids = [caller.replica.corpus.id_of(n) for n in range(100)]

    answers = await asyncio.gather(*(caller.pdf(one) for one in ids))

    wanted = [200 if caller.replica.corpus.has_pdf(one) else 404 for one in ids]
    assert [answer.status for answer, _ in answers] == wanted
    assert isinstance(caller.session, aiohttp.ClientSession)
