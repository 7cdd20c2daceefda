"""Source: a retry, the unfinished papers of the earlier job, then the rest of its list.

That job is finished, so its rows do not change while they are read here. Whatever
lists the papers is asked on from where that job's list ended, by its own source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from service.domain.checkpoint import Checkpoint
from service.domain.jobs import IngestionRequest
from service.sources import legacy
from service.sources.base import Batch, Expected, HarvestContext, Source, Step, state_of

RETRY = "retry"
FORMAT = 1


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
            state = state_of(ended, FORMAT)
            had, then, has_list = state["had"], state["then"], has_list and state["has_list"]
            if state["after"] is None and then is not None:
                then = {**then, "batches_done": ended.batches_done}
        else:
            then = replace(ended, task=0, repeats=0).dump()
    had = 0 if is_anew else had + fetched - unfinished
    return _checkpoint(after="", had=had, then=then, has_list=has_list)


def legacy_checkpoint(document: Mapping[str, Any], part: legacy.LegacyRetry) -> Checkpoint:
    """The place of a retry whose document is of the form before this one."""
    plain = legacy.list_part(document)
    checkpoint = _checkpoint(
        after=part.after, had=part.had, then=plain, has_list=not document.get("done")
    )
    batches_done = 0 if part.after is not None else int(document.get("batches_done", 0))
    return replace(checkpoint, batches_done=batches_done, done=_is_done(checkpoint.state))


def _checkpoint(
    *, after: str | None, had: int, then: Mapping[str, Any] | None, has_list: bool
) -> Checkpoint:
    state = {"after": after, "had": had, "then": then, "has_list": has_list}
    return Checkpoint(source=RETRY, format=FORMAT, state=state, needs_arxiv=False)


def _is_done(state: Mapping[str, Any]) -> bool:
    return state["after"] is None and not state["has_list"]


@dataclass(frozen=True, slots=True)
class RetrySource:
    """Takes papers over in the order of their ids, as many at once as a batch holds.

    `state`: `after` is the last id taken over (null: all are), `then` the
    checkpoint of the list (null: its beginning), `has_list` whether there is more
    of it, `had` how many papers of the list the jobs before have finished.
    """

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
        state = state_of(checkpoint, FORMAT)
        if state["after"] is None:
            return await self._listed(context, checkpoint, state)
        limit = context.request.batch_size
        found = await context.held.unfinished(context.job_id, after=state["after"], limit=limit)
        is_last = len(found) < limit
        after = {**state, "after": None if is_last else found[-1]}
        following = Checkpoint(
            source=RETRY, format=FORMAT, state=after, done=_is_done(after), needs_arxiv=False
        )
        if is_last and not following.done:
            then = self._list(state, context)
            following = replace(
                following, needs_arxiv=then.needs_arxiv, batches_done=then.batches_done
            )
        return Step(batch=Batch(held=found), following=following, is_page=False)

    def _list(self, state: Mapping[str, Any], context: HarvestContext) -> Checkpoint:
        return self.lists.checkpoint(state["then"], context.request)

    async def _listed(
        self, context: HarvestContext, checkpoint: Checkpoint, state: Mapping[str, Any]
    ) -> Step:
        inner = replace(
            self._list(state, context),
            batches_done=checkpoint.batches_done,
            repeats=checkpoint.repeats,
        )
        step = await self.lists.of(inner).fetch(context, inner)
        return replace(
            step,
            following=_wrapped(step.following, state),
            total=None if step.total is None else max(0, step.total - state["had"]),
            expected=_expected(step.expected, state),
        )


def _wrapped(inner: Checkpoint, state: Mapping[str, Any]) -> Checkpoint:
    """The retry's checkpoint around one of its list."""
    return replace(inner, source=RETRY, format=FORMAT, state={**state, "then": inner.dump()})


def _expected(expected: Expected | None, state: Mapping[str, Any]) -> Expected | None:
    if expected is None:
        return None
    return replace(expected, again=_wrapped(expected.again, {**state, "had": 0}))
