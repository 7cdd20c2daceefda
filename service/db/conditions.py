"""Conditions of queries that many have alike."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY


def is_any_of(column: ColumnElement[Any], values: Iterable[object]) -> ColumnElement[bool]:
    """Whether `column` is one of `values`, of which there may be thousands.

    `= ANY ($1)` would do for a few. In a statement that is prepared, PostgreSQL takes the
    values one by one for each row where it scans the table, as it does while it thinks it
    small: thousands of rows by thousands of values.
    """
    given = bindparam(None, list(values), type_=ARRAY(column.type), unique=True)
    return column.in_(select(func.unnest(given)))
