"""Source: a retry, the unfinished papers of the earlier job, then the rest of its list.

That job is finished, so its rows do not change while they are read here. Whatever
lists the papers is asked on from where that job's list ended, by its own source.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from service.domain.checkpoint import Checkpoint
from service.domain.jobs import IngestionRequest
from service.sources import legacy
from service.sources.base import Batch, Expected, HarvestContext, Source, Step, read_state

RETRY = "retry"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Where a retry stands.

    `after` is the last id taken over (None: all are), `then` the checkpoint of the
    list (None: its beginning), `has_list` whether there is more of it, `had` how many
    papers of the list the jobs before have finished.
    """

    after: str | None
    had: int
    then: Mapping[str, Any] | None
    has_list: bool

    @property
    def is_done(self) -> bool:
        """Whether nothing is left, of the papers and of the list."""
        return self.after is None and not self.has_list

    def checkpoint(self) -> Checkpoint:
        """The checkpoint that holds this."""
        return Checkpoint(source=RETRY, format=FORMAT, state=asdict(self), needs_arxiv=False)

    def around(self, inner: Checkpoint) -> Checkpoint:
        """The retry's checkpoint around one of its list."""
        state = asdict(replace(self, then=inner.dump()))
        return replace(inner, source=RETRY, format=FORMAT, state=state)


class Lists(Protocol):
    """The other sources (`registry.Sources`)."""

    def of(self, checkpoint: Checkpoint) -> Source:
        """The source that goes on from `checkpoint`."""
        ...

    def checkpoint(
        self, document: Mapping[str, Any] | None, request: IngestionRequest
    ) -> Checkpoint:
        """The checkpoint that a document stands for."""
        ...


def retry_checkpoint(
    document: Mapping[str, Any] | None, *, fetched: int, unfinished: int, has_list: bool
) -> Checkpoint:
    """Where the retry of a job begins that ended at `document`; ValueError if that is unreadable.

    That job had met `fetched` papers, `unfinished` of which are taken over.
    `has_list`: it ended before its list did.
    """
    had, then, is_anew = 0, document, False
    if document is not None and legacy.is_legacy(document):
        part = legacy.retry_part(document)
        had, then = part.had if part else 0, {**legacy.list_part(document), "empty_pages": 0}
    elif document is not None:
        ended = Checkpoint.load(document)
        is_anew = ended.is_anew
        if ended.source == RETRY:
            state = read_state(ended, FORMAT, _State)
            had, then, has_list = state.had, state.then, has_list and state.has_list
            if state.after is None and then is not None:
                then = {**then, "batches_done": ended.batches_done}
        else:
            then = replace(ended, task=0, repeats=0).dump()
    had = 0 if is_anew else had + fetched - unfinished
    return _State(after="", had=had, then=then, has_list=has_list).checkpoint()


def legacy_checkpoint(document: Mapping[str, Any], part: legacy.LegacyRetry) -> Checkpoint:
    """The place of a retry whose document is of the form before this one."""
    plain = legacy.list_part(document)
    state = _State(after=part.after, had=part.had, then=plain, has_list=not document.get("done"))
    batches_done = 0 if part.after is not None else int(document.get("batches_done", 0))
    return replace(state.checkpoint(), batches_done=batches_done, done=state.is_done)


@dataclass(frozen=True, slots=True)
class RetrySource:
    """Takes papers over in the order of their ids, as many at once as a batch holds."""

    lists: Lists
    name: str = RETRY

    def serves(self, _: IngestionRequest) -> bool:
        """No job begins as a retry by what it asks for."""
        return False

    def first(self, _: IngestionRequest) -> Checkpoint:
        """A retry begins at a `retry_checkpoint`; raises ValueError."""
        raise ValueError("a retry begins where another job ended")

    async def fetch(self, context: HarvestContext, checkpoint: Checkpoint) -> Step:
        """The next papers to take over, or the next step of the list."""
        state = read_state(checkpoint, FORMAT, _State)
        if state.after is None:
            return await self._listed(context, checkpoint, state)
        limit = context.request.batch_size
        found = await context.held.unfinished(context.job_id, after=state.after, limit=limit)
        is_last = len(found) < limit
        behind = replace(state, after=None if is_last else found[-1])
        following = replace(behind.checkpoint(), done=behind.is_done)
        if is_last and not following.done:
            then = self._list(state, context)
            following = replace(
                following, needs_arxiv=then.needs_arxiv, batches_done=then.batches_done
            )
        return Step(batch=Batch(held=found), following=following, is_page=False)

    def _list(self, state: _State, context: HarvestContext) -> Checkpoint:
        return self.lists.checkpoint(state.then, context.request)

    async def _listed(self, context: HarvestContext, checkpoint: Checkpoint, state: _State) -> Step:
        inner = replace(
            self._list(state, context),
            batches_done=checkpoint.batches_done,
            repeats=checkpoint.repeats,
        )
        step = await self.lists.of(inner).fetch(context, inner)
        return replace(
            step,
            following=state.around(step.following),
            total=None if step.total is None else max(0, step.total - state.had),
            expected=_expected(step.expected, state),
        )


def _expected(expected: Expected | None, state: _State) -> Expected | None:
    if expected is None:
        return None
    return replace(expected, again=replace(state, had=0).around(expected.again))
