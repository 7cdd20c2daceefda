"""What leaves the database is typed: named tuples and dataclasses, never rows of SQLAlchemy."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from service.db.held_papers import HeldPaper
from service.db.paper_rows import SHOWN
from service.db.rows import first_of, typed

SERVICE = Path(__file__).parents[2] / "service"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Pair(NamedTuple):
    left: int
    right: str


def modules(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in folder.rglob("*.py"):
        yield str(path.relative_to(SERVICE)), ast.parse(path.read_text())


def test_no_public_function_of_the_database_returns_a_row():
    returned = [
        (path, node.name)
        for path, tree in modules(SERVICE / "db")
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS) and not node.name.startswith("_") and node.returns
        if "Row[" in ast.unparse(node.returns)
    ]

    assert returned == []


def test_no_other_layer_knows_rows():
    imported = [
        path
        for path, tree in modules(SERVICE)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        if "Row" in [name.name for name in node.names] and not path.startswith("db/")
    ]

    assert imported == []


def test_a_paper_that_is_held_has_the_fields_that_are_shown():
    assert HeldPaper._fields == SHOWN


async def test_rows_become_what_they_are_read_as(database):
    async with database.transaction() as conn:
        many = typed(Pair, await conn.execute(text("SELECT 1 AS left, 'a' AS right")))
        none = first_of(Pair, await conn.execute(text("SELECT 1 AS left, '' AS right LIMIT 0")))

    assert many == [Pair(1, "a")]
    assert none is None


async def test_columns_that_are_not_the_fields_are_refused(database):
    async with database.transaction() as conn:
        with pytest.raises(TypeError, match="Pair"):
            typed(Pair, await conn.execute(text("SELECT 'a' AS right, 1 AS left")))
