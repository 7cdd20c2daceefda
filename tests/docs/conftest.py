"""The documents as data: their tables, fences, headings and links."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Document:
    """One Markdown file, parsed."""

    path: Path

    @property
    def tokens(self) -> list[Token]:
        return MarkdownIt().enable("table").parse(self.path.read_text())

    def table(self, heading: str) -> list[list[str]]:
        """Rows of the first table under `heading`, cells as their source; without the head."""
        rows: list[list[str]] = []
        is_under = False
        tokens = self.tokens
        for number, token in enumerate(tokens):
            if token.type == "heading_open":
                is_under = tokens[number + 1].content == heading
            elif is_under and token.type == "tr_open":
                rows.append([])
            elif is_under and token.type == "inline" and rows:
                rows[-1].append(token.content)
            elif is_under and token.type == "table_close":
                return rows[1:]
        raise LookupError(f"{self.path.name} has no table under {heading!r}")

    def names(self, heading: str, column: int = 0) -> list[str]:
        """The first code span of a column, row by row, of the table under `heading`."""
        return [_CODE.findall(row[column])[0] for row in self.table(heading)]

    def fences(self, language: str) -> list[str]:
        """Code blocks of a language."""
        return [t.content for t in self.tokens if t.type == "fence" and t.info == language]

    def headings(self) -> list[str]:
        """All headings, as written."""
        tokens = self.tokens
        return [tokens[n + 1].content for n, t in enumerate(tokens) if t.type == "heading_open"]

    def links(self) -> list[str]:
        """Targets of all links, in their order."""
        inline = [token for token in self.tokens if token.type == "inline"]
        children = [child for token in inline for child in token.children or ()]
        return [str(child.attrGet("href")) for child in children if child.type == "link_open"]


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def document() -> Callable[[str], Document]:
    """A document by its path in the checkout."""
    return lambda path: Document(ROOT / path)


@pytest.fixture
def documents() -> list[Document]:
    """All Markdown files of the project."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "client").glob("*.md")]
    return [Document(path) for path in sorted(found)]


@pytest.fixture
def sources() -> Callable[[], Iterator[ast.Module]]:
    """The syntax trees of the service, without the stand-in."""

    def trees() -> Iterator[ast.Module]:
        for path in sorted((ROOT / "service").rglob("*.py")):
            if "stand_in" not in path.parts:
                yield ast.parse(path.read_text(), str(path))

    return trees
