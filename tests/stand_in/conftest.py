from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import aiohttp
import pytest
from lxml import etree

from service.devtools.stand_in.server import ReplicaOptions, running_replica

ATOM = "{http://www.w3.org/2005/Atom}"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
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

    async def oai(self, method="GET", **arguments):
        """The root of an OAI-PMH answer; `from_` stands for `from`."""
        asked = {name.rstrip("_"): value for name, value in arguments.items()}
        keyword = {"params": asked} if method == "GET" else {"data": asked}
        async with self.session.request(method, self.replica.oai_url, **keyword) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/xml"
            return Oai(etree.fromstring(await answer.read()))

    async def harvest(self, **arguments):
        """All pages of a list, by its tokens."""
        page = await self.oai(**arguments)
        pages = [page]
        while page.token:
            page = await self.oai(verb=arguments["verb"], resumptionToken=page.token)
            pages.append(page)
        return pages

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


@dataclass
class Oai:
    """An OAI-PMH answer."""

    root: object

    @property
    def error(self):
        found = self.root.find(f"{OAI}error")
        return None if found is None else found.get("code")

    @property
    def headers(self):
        return list(self.root.iter(f"{OAI}header"))

    @property
    def listed(self):
        """(day, id) of all records, in the order of the answer."""
        return [
            (
                date.fromisoformat(one.findtext(f"{OAI}datestamp")),
                one.findtext(f"{OAI}identifier").removeprefix("oai:arXiv.org:"),
            )
            for one in self.headers
        ]

    @property
    def token_element(self):
        return self.root.find(f"*/{OAI}resumptionToken")

    @property
    def token(self):
        found = self.token_element
        return None if found is None else found.text


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
