"""Source: a list of arXiv ids, a hundred in a request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from service.arxiv.query import IDS_PER_REQUEST, id_params
from service.domain.checkpoint import Checkpoint
from service.domain.identifiers import ArxivId
from service.domain.jobs import IngestionRequest
from service.domain.papers import EntryError, Page
from service.sources.base import Batch, HarvestContext, Step, read_state
from service.sources.paging import USUAL_REPEATS, PageSource, Repeats

ID_LIST = "id_list"
FORMAT = 1


class _State(NamedTuple):
    """`offset` ids of the list are done with, but `left`: arXiv has them and did not bring them."""

    offset: int
    left: Sequence[ArxivId]

    @classmethod
    def read(cls, *, offset: int, left: Sequence[str]) -> Self:
        """What `checkpoint` wrote; raises ValueError for anything else."""
        return cls(int(offset), tuple(map(ArxivId.parse, left)))

    def checkpoint(self, *, done: bool = False) -> Checkpoint:
        """The checkpoint that holds this."""
        state = {"offset": self.offset, "left": [str(one) for one in self.left]}
        return Checkpoint(source=ID_LIST, format=FORMAT, state=state, done=done)


@dataclass(frozen=True, slots=True)
class IdListSource:
    """The papers of a list, as far as the other criteria match them."""

    arxiv: PageSource
    repeats: Repeats = USUAL_REPEATS
    name: str = ID_LIST

    def serves(self, request: IngestionRequest) -> bool:
        """Searches with a list of ids."""
        return request.source == "search" and bool(request.criteria.ids)

    def first(self, _: IngestionRequest) -> Checkpoint:
        """The first id."""
        return _State(0, ()).checkpoint()

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The next ids, or once more those that did not come."""
        offset, asked = read_state(checkpoint, FORMAT, _State.read)
        criteria, count = context.request.criteria, _count(context.request)
        if not asked:
            size = min(criteria.page_size, IDS_PER_REQUEST, count - offset)
            asked, offset = criteria.ids[offset : offset + size], offset + size
        page = await self.arxiv.page(id_params(criteria, asked), context.requester)
        if not page.entries and self._is_doubtful(page, checkpoint):
            return Step(
                following=_State(offset, asked).checkpoint(),
                delay=self.repeats.delay(checkpoint.repeats),
                is_page=False,
                repeated=True,
            )
        page = _asked_for(page, asked)
        missing = () if criteria.has_terms else tuple(_missing(page, asked))
        errors = tuple(_readable(page, missing))
        if 0 < page.entries < min(page.total, len(asked)) and missing:
            batch, left = Batch(records=page.papers, errors=errors), missing
        else:
            batch, left = await self._ended(page, missing, errors, context), ()
        done = not left and offset >= count
        following = _State(offset, left).checkpoint(done=done)
        return Step(batch=batch, following=following, total=count)

    async def _ended(
        self,
        page: Page,
        missing: Sequence[ArxivId],
        errors: Sequence[EntryError],
        context: HarvestContext,
    ) -> Batch:
        """The batch after which none of these ids is asked for again."""
        held = await context.held.versions([_canonical(one) for one in missing])
        is_held = {one for one in missing if one.version == held.get(_canonical(one), 0)}
        unknown = [one for one in missing if one not in is_held]
        return Batch(
            records=page.papers,
            errors=(*errors, *_errors(unknown, page, held)),
            held=[str(one.canonical) for one in is_held],
        )

    def _is_doubtful(self, page: Page, checkpoint: Checkpoint) -> bool:
        """True for an empty answer that is worth asking again: nothing at all may be true."""
        return checkpoint.repeats < (self.repeats.most if page.total else 1)


def _count(request: IngestionRequest) -> int:
    """How many ids of the list the job is to bring."""
    return min(len(request.criteria.ids), request.bound)


def _asked_for(page: Page, asked: Sequence[ArxivId]) -> Page:
    """The page without papers that nobody asked for."""
    wanted = {_canonical(one) for one in asked}
    papers = tuple(paper for paper in page.papers if paper.arxiv_id.paper in wanted)
    return Page(papers, page.total, page.errors)


def _missing(page: Page, asked: Sequence[ArxivId]) -> Iterator[ArxivId]:
    """The ids asked for that were not returned, in that version if they name one; each once."""
    returned = {paper.arxiv_id for paper in page.papers}
    papers = {arxiv_id.paper for arxiv_id in returned}
    named = {error.arxiv_id for error in page.errors}
    for one in dict.fromkeys(asked):
        paper = _canonical(one)
        is_there = (
            paper in papers if one.version is None else ArxivId(paper, one.version) in returned
        )
        if not is_there and paper not in named:
            yield one


def _readable(page: Page, missing: Sequence[ArxivId]) -> Iterator[EntryError]:
    """The errors of the page.

    The old server answered an unknown id with an entry without an id; such an
    entry says nothing that the missing id does not say better, so it is dropped.
    """
    return (error for error in page.errors if error.arxiv_id or not missing)


def _errors(
    missing: Sequence[ArxivId], page: Page, held: Mapping[str, int]
) -> Iterator[EntryError]:
    """What is said of ids that neither came nor are held in that version."""
    papers = {paper.arxiv_id.paper for paper in page.papers}
    for one in missing:
        has_paper = _canonical(one) in papers or _canonical(one) in held
        if one.version is not None and has_paper:
            yield EntryError(
                "arXiv has no such version", str(one), code="unknown_version", unavailable=one
            )
        else:
            yield EntryError(
                "arXiv does not know this id", str(one), code="unknown_paper", unavailable=one
            )


def _canonical(arxiv_id: ArxivId) -> str:
    """The paper as arXiv names it in answers."""
    return arxiv_id.canonical.paper
