"""Source: papers whose structured documents are to be made anew from files that are held.

Nothing is asked of arXiv. Without ids all papers held are walked through in the order of
their ids, some hundreds at a time, and those taken whose document is missing or outdated.
"""

from dataclasses import asdict, dataclass

from service.domain.checkpoint import Checkpoint
from service.domain.identifiers import ArxivId
from service.domain.jobs import DOCUMENTS, IngestionRequest
from service.domain.papers import EntryError
from service.extraction.converters import HTML_CONVERTER, PDF_CONVERTER
from service.sources.base import Batch, HarvestContext, Step, read_state

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Behind the paper `after`, or behind `offset` ids of the list; `met` papers came so far."""

    after: str = ""
    offset: int = 0
    met: int = 0

    def checkpoint(self, *, done: bool = False) -> Checkpoint:
        """The checkpoint that holds this."""
        return Checkpoint(
            source=DOCUMENTS, format=FORMAT, state=asdict(self), done=done, needs_arxiv=False
        )


@dataclass(frozen=True, slots=True)
class DocumentsSource:
    """Papers that are held."""

    name: str = DOCUMENTS

    def serves(self, request: IngestionRequest) -> bool:
        """Requests for this source."""
        return request.source == DOCUMENTS

    def first(self, _: IngestionRequest) -> Checkpoint:
        """The first paper."""
        return _State().checkpoint()

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The next papers."""
        state = read_state(checkpoint, FORMAT, _State)
        wanted = context.request.documents
        if wanted is None or wanted.ids is None:
            return await self._outdated(context, state)
        return await self._listed(context, state, wanted.ids)

    async def _outdated(self, context: HarvestContext, state: _State) -> Step:
        request = context.request
        found, last = await context.held.outdated(
            after=state.after, limit=request.batch_size, pdf=PDF_CONVERTER, html=HTML_CONVERTER
        )
        held = found[: max(0, request.bound - state.met)]
        met = state.met + len(held)
        following = _State(after=last or state.after, met=met)
        done = last is None or met >= request.bound
        return _step(Batch(held=held), following, done=done)

    async def _listed(
        self, context: HarvestContext, state: _State, ids: tuple[ArxivId, ...]
    ) -> Step:
        request = context.request
        count = min(len(ids), request.bound)
        asked = ids[state.offset : min(state.offset + request.batch_size, count)]
        versions = await context.held.versions([one.paper for one in asked])
        held = [one for one in asked if one.version in (None, versions.get(one.paper))]
        held = [one for one in held if one.paper in versions]
        errors = [_unknown(one) for one in asked if one not in held]
        offset = state.offset + len(asked)
        following = _State(offset=offset, met=state.met + len(asked))
        batch = Batch(held=list(dict.fromkeys(one.paper for one in held)), errors=errors)
        return _step(batch, following, done=offset >= count)


def _step(batch: Batch, following: _State, *, done: bool) -> Step:
    total = following.met if done else None
    return Step(batch=batch, following=following.checkpoint(done=done), total=total, is_page=False)


def _unknown(arxiv_id: ArxivId) -> EntryError:
    is_version = arxiv_id.version is not None
    return EntryError(
        f"This {'version' if is_version else 'paper'} is not held",
        str(arxiv_id),
        code="unknown_version" if is_version else "unknown_paper",
        unavailable=arxiv_id,
    )
