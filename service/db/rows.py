"""Rows that leave this layer: named tuples, whose fields are the columns that were selected."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Result

N = TypeVar("N", bound=NamedTuple)


def typed(kind: type[N], result: Result[Any]) -> Sequence[N]:
    """All rows as `kind`; raises TypeError where its fields are not the columns, in their order."""
    _require_fields(kind, result)
    return [kind._make(row) for row in result]


def first_of(kind: type[N], result: Result[Any]) -> N | None:
    """The first row as `kind`, None where there is none; raises what `typed` raises."""
    _require_fields(kind, result)
    row = result.first()
    return None if row is None else kind._make(row)


def _require_fields(kind: type[N], result: Result[Any]) -> None:
    if tuple(result.keys()) != kind._fields:
        raise TypeError(f"the columns are not the fields of {kind.__name__}: {result.keys()}")
