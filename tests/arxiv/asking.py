"""How tests ask the client for a page."""

from urllib.parse import parse_qs, urlsplit

from service.arxiv.pace import Asker
from service.domain.job import Criteria

SEARCH = Criteria(category="cs.AI")


async def wanted():
    """The check of an asker who still wants its answer."""


async def ask(client, criteria=SEARCH, *, offset=0, size=10, check=wanted):
    return await client.page(criteria, offset=offset, size=size, asker=Asker("a job", check))


def query_of(asked):
    return {name: values[0] for name, values in parse_qs(urlsplit(asked.target).query).items()}
