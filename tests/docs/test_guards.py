"""The table of guards in docs/testing.md names tests that exist, each once."""

import ast

import pytest

PATH = "docs/testing.md"


@pytest.fixture
def rows(document):
    """Guard → its test, as written in the table."""
    page = document(PATH)
    guards = [row[0] for row in page.table("Guards")]
    return dict(zip(guards, page.names("Guards", column=1), strict=True))


def test_each_guard_has_a_test_that_exists(rows, root):
    missing = []
    for guard, named in rows.items():
        path, _, name = named.partition("::")
        names = []
        if (root / path).is_file():
            tree = ast.parse((root / path).read_text())
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
            names = [node.name for node in tree.body if isinstance(node, kinds)]
        if not name.startswith("test_") or name not in names:
            missing.append((guard, named))

    assert missing == []
    assert len(rows) > 40


def test_no_test_is_named_for_two_guards(rows):
    assert len(set(rows.values())) == len(rows)
