import asyncio
import time

import aiohttp
import pytest

from service.devtools.stand_in.faults import RateFault
from service.devtools.stand_in.server import ReplicaOptions, running_replica

GOOD = {"search_query": "cat:cs.LG", "max_results": "5"}
CUT = (aiohttp.ClientError, ConnectionError)


def step(kind, **values):
    return {"kind": kind, **values}


@pytest.mark.parametrize("status", [429, 503, 500, 502, 504, 403, 404])
async def test_a_scripted_status_hits_one_request_only(caller, status):
    caller.replica.script([step(str(status), lane="api", retry_after=7)])

    async with caller.session.get(caller.replica.api_url, params=GOOD) as answer:
        retry_after = answer.headers.get("Retry-After")
    after, _ = await caller.api(**GOOD)

    assert answer.status == status
    assert retry_after == (None if status == 404 else "7")
    assert after == 200


async def test_steps_are_taken_in_order_and_ok_lets_one_pass(caller):
    caller.replica.script([step("ok"), step("503", times=2), step("429")])

    statuses = [(await caller.api(**GOOD))[0] for _ in range(5)]

    assert statuses == [200, 503, 503, 429, 200]


async def test_a_step_waits_for_its_lane_its_number_and_its_text(caller):
    paper = caller.replica.corpus.id_of(390).paper
    caller.replica.script(
        [
            step("500", lane="api", number=2),
            step("502", lane="pdf", match=paper),
        ]
    )

    statuses = [(await caller.api(**GOOD))[0] for _ in range(3)]
    other, _ = await caller.pdf(caller.replica.corpus.id_of(391))
    hit, _ = await caller.pdf(paper)

    assert statuses == [200, 500, 200]
    assert (other.status, hit.status) == (200, 502)


async def test_rate_exceeded_comes_with_status_200(caller):
    caller.replica.script([step("rate_exceeded")])

    assert await caller.api(**GOOD) == (200, b"Rate exceeded.")


async def test_empty_keeps_the_total_and_empty_zero_does_not(caller):
    right = await caller.feed(**GOOD)
    caller.replica.script([step("empty"), step("empty_zero")])

    empty, zero = await caller.feed(**GOOD), await caller.feed(**GOOD)

    assert right.total > 0
    assert (empty.total, empty.ids) == (right.total, [])
    assert (zero.total, zero.ids) == (0, [])


async def test_error_feeds_come_with_200_and_with_400(caller):
    caller.replica.script([step("error_feed"), step("error_400")])

    answers = [await caller.api(**GOOD) for _ in range(2)]

    assert [status for status, _ in answers] == [200, 400]
    assert all(b"<title>Error</title>" in body for _, body in answers)


async def test_a_captcha_a_redirect_and_literal_bytes_take_the_place_of_a_pdf(caller):
    arxiv_id = caller.replica.corpus.id_of(390)
    caller.replica.script(
        [
            step("html"),
            step("redirect", location="http://127.0.0.1:9/x"),
            step("body", body="%PDF-1.7", content_type="application/pdf", status=203),
        ]
    )

    captcha, page = await caller.pdf(arxiv_id)
    moved, _ = await caller.pdf(arxiv_id)
    odd, body = await caller.pdf(arxiv_id)

    assert (captcha.status, captcha.content_type, b"robot" in page) == (200, "text/html", True)
    assert (moved.status, moved.headers["Location"]) == (302, "http://127.0.0.1:9/x")
    assert (odd.status, odd.content_type, body) == (203, "application/pdf", b"%PDF-1.7")


async def test_a_reset_breaks_the_connection_before_any_byte(caller):
    caller.replica.script([step("reset", times=3)])  # aiohttp itself tries a second time

    with pytest.raises(CUT):
        await caller.api(**GOOD)

    record = caller.replica.log.records[0]
    assert (record.fault, record.status, record.complete) == ("reset", None, False)


async def test_a_truncated_page_promised_more_than_it_sent(caller):
    caller.replica.script([step("truncate", lane="api", after_bytes=10)])

    async with caller.session.get(caller.replica.api_url, params=GOOD) as answer:
        assert int(answer.headers["Content-Length"]) > 10
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()

    assert caller.replica.log.records[-1].bytes_sent == 10


async def test_a_truncated_pdf_has_no_last_chunk(caller):
    caller.replica.script([step("truncate", lane="pdf")])

    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.pdf(caller.replica.corpus.id_of(390))


async def test_a_stall_says_nothing_until_its_limit(caller):
    caller.replica.script([step("stall", seconds=0.2, times=3)])
    begin = time.monotonic()

    with pytest.raises(CUT):
        await caller.api(**GOOD)

    assert time.monotonic() - begin >= 0.2


async def test_a_stall_after_headers_sends_them_and_no_more(caller):
    caller.replica.script([step("stall_after_headers", seconds=0.2)])

    async with caller.session.get(caller.replica.api_url, params=GOOD) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()

    assert answer.status == 200


async def test_a_dripping_answer_is_cut_at_its_limit(caller):
    caller.replica.script([step("drip", seconds=1.2)])

    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.pdf(caller.replica.corpus.id_of(390))

    assert caller.replica.log.records[-1].bytes_sent == 1


async def test_a_held_request_goes_on_when_released(caller):
    caller.replica.script([step("hold", lane="api")])
    held = asyncio.create_task(caller.api(**GOOD))
    await caller.replica.wait_until_held()

    before = held.done()
    others = await caller.api(**GOOD)
    released = caller.replica.release()

    assert not before
    assert released == 1
    assert await held == others


async def test_a_download_is_held_in_the_middle(caller):
    arxiv_id = caller.replica.corpus.id_of(390)
    _, whole = await caller.pdf(arxiv_id)
    caller.replica.script([step("hold", lane="pdf", after_bytes=100)])

    async with caller.session.get(f"{caller.replica.pdf_url}/{arxiv_id}") as answer:
        first = await answer.content.readexactly(100)
        await caller.replica.wait_until_held()
        caller.replica.release()
        rest = await answer.read()

    assert first + rest == whole


async def test_a_held_request_is_cut_at_its_limit(caller):
    caller.replica.script([step("hold", seconds=0.1, times=3)])

    with pytest.raises(CUT):
        await caller.api(**GOOD)


async def test_a_slow_client_holds_nobody_up(calling):
    async with calling(bandwidth=500) as one:
        slow = asyncio.create_task(one.pdf(one.replica.corpus.id_of(390)))
        await one.replica.log.wait_for(lambda log: log.open["pdf"] == 1)

        status, _ = await asyncio.wait_for(one.api(**GOOD), 30)

        assert status == 200
        assert not slow.done()
        slow.cancel()


async def test_it_stops_whatever_is_under_way():
    kinds = ("hold", "stall", "stall_after_headers", "drip")
    async with asyncio.timeout(40), aiohttp.ClientSession() as session:
        async with running_replica(ReplicaOptions(papers=400)) as replica:
            replica.script([step(kind, lane="pdf") for kind in kinds])
            url = f"{replica.pdf_url}/{replica.corpus.id_of(390)}"
            tasks = [asyncio.create_task(whole(session, url)) for _ in kinds]
            await replica.log.wait_for(lambda log: log.open["pdf"] == len(kinds))

        results = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(result, CUT) for result in results)


async def whole(session, url):
    async with session.get(url) as answer:
        return await answer.read()


async def test_latency_and_bandwidth_are_kept(calling):
    async with calling(api_latency=0.2, latency=0.1, bandwidth=100_000) as one:
        begin = time.monotonic()
        await one.api(**GOOD)
        page = time.monotonic()
        _, body = await one.pdf(one.replica.corpus.id_of(390))
        end = time.monotonic()

    assert page - begin >= 0.2
    assert end - page >= 0.1 + len(body) / 100_000


async def test_a_rate_hits_its_share_and_the_same_requests_again(calling):
    faults = (RateFault.read("rate=0.3,kind=503,lane=api"),)
    runs = []
    for _ in range(2):
        async with calling(faults=faults) as one:
            runs.append([(await one.api(**GOOD))[0] for _ in range(60)])
            pdf, _ = await one.pdf(one.replica.corpus.id_of(390))
            assert pdf.status == 200

    assert runs[0] == runs[1]
    assert 5 < runs[0].count(503) < 35
