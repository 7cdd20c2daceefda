"""Harvest checkpoint: a tagged JSON document, opaque to all but the source that wrote it.

Committed with the rows that it stands for. Callers and operators see it only
as an opaque JSON object.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The next thing to do: what `state` says, in the words of `source`.

    `format` is the version of the form of `state`. `done`: no more papers will
    come. `needs_arxiv` is False where the next step waits for nobody, so that it
    need not be a task of its own. `is_anew`: the list begins anew here, and what
    earlier steps brought is not taken off it.

    The rest is the harvest's own: `task` is the number of the task that goes on
    from here, `batches_done` of its step are committed, and `repeats` counts how
    often the same step was put off in a row because too little came.

    Who changes the fields of this document must let tasks of the old form be left
    alone by older workers (`Task.version`).
    """

    source: str
    state: Mapping[str, Any]
    format: int = 1
    done: bool = False
    needs_arxiv: bool = True
    is_anew: bool = False
    task: int = 0
    batches_done: int = 0
    repeats: int = 0

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Self:
        """The checkpoint that `dump` wrote; raises ValueError for anything else."""
        try:
            checkpoint = cls(**document)
        except TypeError as err:
            raise ValueError("the stored checkpoint cannot be read") from err
        if isinstance(checkpoint.state, Mapping):
            return checkpoint
        raise ValueError("the stored checkpoint cannot be read")

    def dump(self) -> dict[str, Any]:
        """The checkpoint to store: JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
