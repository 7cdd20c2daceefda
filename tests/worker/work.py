"""Work on real rows, run as a worker runs it, with a stand-in for the client of arXiv."""

from contextlib import asynccontextmanager

from service.domain.papers import Page
from service.jobs.harvest import HarvestStep
from service.sources.registry import Sources
from service.sources.search import SearchSource
from service.worker.runner import run_work
from tests.conftest import make_paper


class Arxiv:
    """A stand-in for arXiv: one page of five papers for every question, or an error."""

    def __init__(self, error=None) -> None:
        self.error, self.asked = error, 0
        self.seen = None
        self.ranks = []

    def papers(self, offset):
        return [make_paper(f"2301.{offset + n:05}v1") for n in range(5)]

    async def page(self, params, asker):
        self.asked += 1
        self.ranks.append(asker.rank)
        offset = int(params["start"])
        if self.seen is not None:
            await self.seen()
        if self.error is not None:
            raise self.error
        return Page(papers=tuple(self.papers(offset)), total=100)

    @asynccontextmanager
    async def open_pdf(self, *_, **__):
        self.asked += 1
        if self.seen is not None:
            await self.seen()
        raise self.error or AssertionError("no PDF should be asked for")
        yield


def harvest(database, job_id, arxiv=None, **more):
    sources = Sources([SearchSource(arxiv or Arxiv())])
    return HarvestStep(job_id, {}, database, sources, **more)


async def run(work):
    return await run_work(work, jitter=lambda: 0.0)
