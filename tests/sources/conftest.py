"""Sources asked step by step, with an arXiv of lists in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from service.arxiv.pace import Requester
from service.domain.checkpoint import Checkpoint
from service.domain.jobs import IngestionRequest
from service.domain.papers import Page
from service.sources.base import HarvestContext, Source, Step
from tests.conftest import make_paper

JOB = UUID(int=1)


@dataclass
class Held:
    """What is held: versions by id, and papers of the job before that are not finished."""

    held: Mapping[str, int] = field(default_factory=dict)
    open: Sequence[str] = ()
    days: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, tuple[UUID, bool]] = field(default_factory=dict)

    async def versions(self, arxiv_ids: Sequence[str]) -> Mapping[str, int]:
        return {one: self.held[one] for one in arxiv_ids if one in self.held}

    async def datestamps(self, arxiv_ids: Sequence[str]) -> Mapping[str, Any]:
        return {one: self.days[one] for one in arxiv_ids if one in self.days}

    async def told_by_lines(self, digests: Mapping[str, UUID], job_id: UUID) -> Mapping[str, bool]:
        return {
            one: self.lines[one][1]
            for one in digests
            if one in self.lines and self.lines[one][0] == digests[one]
        }

    async def outdated(self, *, after: str, limit: int, pdf: str, html: str):
        ids = [one for one in sorted(self.held) if one > after][:limit]
        return [one for one in ids if one in self.open], ids[-1] if len(ids) == limit else None

    async def unfinished(self, job_id: UUID, *, after: str, limit: int) -> Sequence[str]:
        assert job_id == JOB
        return [one for one in sorted(self.open) if one > after][:limit]


@dataclass
class Arxiv:
    """Answers with the next of `pages`, or with slices of a list of `total` papers."""

    total: int = 0
    pages: list[Page] = field(default_factory=list)
    asked: list[Mapping[str, str]] = field(default_factory=list)

    async def page(self, params: Mapping[str, str], asker: Requester) -> Page:
        self.asked.append(params)
        if self.pages:
            return self.pages.pop(0)
        start, size = int(params["start"]), int(params["max_results"])
        return page_of(start, max(0, min(size, self.total - start)), total=self.total)

    @property
    def slices(self) -> list[tuple[int, int]]:
        return [(int(one["start"]), int(one["max_results"])) for one in self.asked]


def page_of(start: int, count: int, *, total: int) -> Page:
    """`count` papers that are numbered from `start` on."""
    numbers = range(start, start + count)
    return Page(tuple(make_paper(f"2301.{number:05}v1") for number in numbers), total)


async def _wanted() -> None:
    pass


def context(request: IngestionRequest, held: Held | None = None) -> HarvestContext:
    """For whom a step is made."""
    return HarvestContext(
        job_id=JOB, request=request, held=held or Held(), requester=Requester("a job", _wanted)
    )


async def walk(
    source: Source,
    request: IngestionRequest,
    checkpoint: Checkpoint | None = None,
    held: Held | None = None,
) -> list[Step]:
    """All steps from `checkpoint` on (or the first), each from the one before, as a harvest's."""
    at, steps = checkpoint or source.first(request), []
    while not at.done:
        steps.append(await source.fetch(context(request, held), at))
        at = following(at, steps[-1])
        assert len(steps) < 1000
    return steps


def following(at: Checkpoint, step: Step) -> Checkpoint:
    """The checkpoint behind a step, written and read again."""
    document: dict[str, Any] = step.following.dump()
    document["repeats"] = at.repeats + 1 if step.repeated else 0
    return Checkpoint.load(document)


@pytest.fixture
def arxiv() -> Arxiv:
    return Arxiv()
