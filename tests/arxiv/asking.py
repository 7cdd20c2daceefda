"""How tests ask the client: for a page, and for a PDF with all its bytes."""

from urllib.parse import parse_qs, urlsplit

from service.arxiv.pace import Requester
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria

SEARCH = Criteria(category="cs.AI")
PAPER = ArxivId("2401.00001", 2)
PDF = b"%PDF-1.7 " + bytes(range(256)) * 1000
TAG = '"abc-1"'


async def wanted():
    """The check of an asker who still wants its answer."""


async def ask(client, criteria=SEARCH, *, offset=0, size=10, check=wanted):
    return await client.page(criteria, offset=offset, size=size, asker=Requester("a job", check))


def query_of(asked):
    return {name: values[0] for name, values in parse_qs(urlsplit(asked.target).query).items()}


async def fetch(client, **options):
    """The stream and its bytes."""
    async with client.open_pdf(PAPER, **options) as stream:
        return stream, b"".join([chunk async for chunk in stream.chunks()])
