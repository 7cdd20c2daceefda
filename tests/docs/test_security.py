"""Pages that name tests name such as exist; the floors of the security page are checked."""

import ast
import re
from pathlib import Path

import pytest

from tests.faults.test_h_operations import FLOORS, PDFIUM_FLOOR

_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize(
    ("page", "section"), [("docs/security.md", "Defences"), ("docs/reliability.md", "The cases")]
)
def test_every_row_names_tests_and_each_of_them_exists(document, root, page, section):
    rows = document(page).table(section)
    named = [_TEST.findall(row[2]) for row in rows]

    assert len(rows) > 20
    assert [row[0] for row, tests in zip(rows, named, strict=True) if not tests] == []
    missing = [
        f"{path}::{name}"
        for tests in named
        for path, name in tests
        if name not in _tests(root / path)
    ]
    assert missing == []


def _tests(path: Path) -> set[str]:
    if not path.exists():
        return set()
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, functions)}


def test_the_floors_are_those_that_are_checked(document):
    shown = {
        row[0].split()[0].lower(): row[1]
        for row in document("docs/security.md").table("Dependencies")
    }

    expected = {name: ".".join(map(str, floor)) for name, floor in FLOORS.items()}
    assert {name: shown[name] for name in expected} == expected
    assert shown["pdfium"] == ".".join(map(str, PDFIUM_FLOOR))
