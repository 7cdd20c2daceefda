import asyncio

import aiohttp
import pytest

from service.devtools.stand_in.outages import BadOutage, Outage

GOOD = {"search_query": "cat:cs.LG", "max_results": "5"}
CLOSED = (aiohttp.ServerDisconnectedError, ConnectionResetError)


async def answers(one, url, **parameters):
    """Whether a new connection to `url` is answered."""
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        try:
            async with session.get(url, params=parameters) as answer:
                await answer.read()
        except aiohttp.ClientConnectorError:
            return "refused"
        except CLOSED:
            return "closed"
        return answer.status


async def until(wanted, one, url, **parameters):
    """Connect until it turns out as wanted: nothing tells when a socket opens or closes."""
    async with asyncio.timeout(20):
        while (found := await answers(one, url, **parameters)) != wanted:
            assert found in (200, "refused", "closed")
            await asyncio.sleep(0.02)


async def test_a_channel_that_is_out_closes_connections_and_others_answer(caller):
    name = caller.replica.corpus.id_of(300)
    caller.replica.outage(60, "pdf")

    pdf = await answers(caller, f"{caller.replica.pdf_url}/{name}")
    api = await answers(caller, caller.replica.api_url, **GOOD)
    async with caller.control("DELETE", "outage") as answer:
        assert answer.status == 204
    after = await answers(caller, f"{caller.replica.pdf_url}/{name}")

    assert (pdf, api, after) == ("closed", 200, 200)
    assert caller.replica.log.since(lane="pdf")[0].fault == "outage"


async def test_an_outage_of_all_leaves_the_control_api(caller):
    async with caller.control("POST", "outage", json={"seconds": 60}) as answer:
        assert answer.status == 204

    assert await answers(caller, caller.replica.api_url, **GOOD) == "closed"
    assert await answers(caller, caller.replica.oai_url, verb="Identify") == "closed"
    assert await answers(caller, f"{caller.replica.url}/_replica/health") == 200


async def test_an_outage_ends_by_itself(caller):
    caller.replica.outage(0.05)

    await until(200, caller, caller.replica.api_url, **GOOD)


async def test_a_server_that_is_gone_refuses_and_comes_back_on_its_port(caller):
    url = caller.replica.api_url
    caller.replica.outage(0.5, refuse=True)

    await until("refused", caller, url, **GOOD)
    await until(200, caller, url, **GOOD)

    assert caller.replica.api_url == url


async def test_a_channel_with_its_own_port_refuses_alone(calling):
    async with calling(port_per_channel=True) as one:
        urls = [one.replica.api_url, one.replica.oai_url, one.replica.pdf_url, one.replica.html_url]
        assert len({url.rpartition(":")[2].split("/")[0] for url in urls}) == 4
        one.replica.outage(60, "pdf", refuse=True)
        pdf = f"{one.replica.pdf_url}/{one.replica.corpus.id_of(300)}"

        await until("refused", one, pdf)
        assert await answers(one, one.replica.api_url, **GOOD) == 200
        assert await answers(one, one.replica.oai_url, verb="Identify") == 200


async def test_a_channel_without_a_port_of_its_own_cannot_refuse(caller):
    with pytest.raises(BadOutage, match="port-per-channel"):
        caller.replica.outage(1, "pdf", refuse=True)

    assert await answers(caller, f"{caller.replica.pdf_url}/{caller.replica.corpus.id_of(300)}")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"seconds": 0},
        {"seconds": 1e9},
        {"seconds": "x"},
        {"seconds": 1, "lane": "smtp"},
        {"seconds": 1, "refuse": "yes"},
        {"seconds": 1, "x": 1},
    ],
)
def test_an_outage_that_makes_no_sense_is_refused(document):
    with pytest.raises(BadOutage):
        Outage.read(document)
