from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from lxml import etree

from service.devtools.stand_in.server import ReplicaOptions, running_replica

ATOM = "{http://www.w3.org/2005/Atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"


@dataclass
class Caller:
    """A replica and a client to talk to it with."""

    replica: object
    session: aiohttp.ClientSession

    async def api(self, **parameters):
        async with self.session.get(self.replica.api_url, params=parameters) as answer:
            return answer.status, await answer.read()

    async def feed(self, **parameters):
        status, body = await self.api(**parameters)
        assert status == 200
        return Feed(etree.fromstring(body))

    async def pdf(self, arxiv_id, method="GET", **headers):
        url = f"{self.replica.pdf_url}/{arxiv_id}"
        async with self.session.request(
            method, url, headers=headers, allow_redirects=False
        ) as answer:
            return answer, await answer.read()

    def control(self, method, path, **keywords):
        return self.session.request(method, f"{self.replica.url}/_replica/{path}", **keywords)


@dataclass
class Feed:
    root: object

    @property
    def ids(self):
        texts = [entry.findtext(f"{ATOM}id") or "" for entry in self.root.iterfind(f"{ATOM}entry")]
        return [text.removeprefix("http://arxiv.org/abs/") for text in texts]

    @property
    def papers(self):
        return [text.rpartition("v")[0] for text in self.ids]

    @property
    def total(self):
        return int(self.root.findtext(f"{OPENSEARCH}totalResults"))


@pytest.fixture
def calling():
    """A context: a running replica with the given options, and a client."""

    @asynccontextmanager
    async def call(**options):
        timeout = aiohttp.ClientTimeout(total=20)
        async with (
            running_replica(ReplicaOptions(**{"papers": 400} | options)) as replica,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            yield Caller(replica, session)

    return call


@pytest.fixture
async def caller(calling):
    async with calling() as one:
        yield one


@pytest.fixture
def samples():
    folder = Path(__file__).parents[2] / ".." / "shared" / "arxiv-samples"
    if not folder.is_dir():
        pytest.skip("the recorded answers are not beside the checkout")
    return folder
