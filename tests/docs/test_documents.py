"""The documents hang together: links, decisions, changelog, and SQL that runs."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

SECTIONS = ["Context", "Decision", "Consequence"]


def test_every_internal_link_leads_somewhere(documents):
    broken = []
    for page in documents:
        for link in page.links():
            if not re.match(r"https?://|mailto:", link) and not _leads_somewhere(page, link):
                broken.append(f"{page.path.name}: {link}")

    assert broken == []


def test_every_document_is_reached_from_the_readme(documents, root):
    pages = {page.path: page for page in documents}
    reached: set[Path] = set()
    waiting = [root / "README.md"]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        targets = {(path.parent / link.split("#")[0]).resolve() for link in pages[path].links()}
        waiting += [target for target in targets if target in pages and target not in reached]

    assert set(pages) - reached == set()


def test_every_decision_is_in_the_index_once_and_in_order(document, root):
    files = sorted(path.name for path in (root / "docs/decisions").glob("[0-9]*.md"))

    index = document("docs/decisions/README.md")

    assert index.links() == files
    assert [row[0] for row in index.table("Decisions")] == [name[:4] for name in files]
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))


def test_every_decision_has_its_title_in_the_index_and_three_sections(document, root):
    titles = [row[1] for row in document("docs/decisions/README.md").table("Decisions")]
    files = sorted((root / "docs/decisions").glob("[0-9]*.md"))
    for title, path in zip(titles, files, strict=True):
        own, *sections = document(f"docs/decisions/{path.name}").headings()

        assert title == f"[{own}]({path.name})"
        assert sections == SECTIONS


def test_the_changelog_begins_with_what_is_unreleased(document):
    assert document("CHANGELOG.md").headings()[:2] == ["Changelog", "Unreleased"]


def test_the_readme_is_one_that_is_read(root):
    assert len((root / "README.md").read_bytes()) <= 10_000


async def test_the_recipes_of_the_operations_page_run(document, database):
    recipes = document("docs/operations.md").fences("sql")
    statements = [one for recipe in recipes for one in recipe.split(";") if one.strip()]

    async with database.engine.begin() as conn:
        for statement in statements:
            await conn.execute(text(statement))

    assert len(statements) > len(recipes) > 5


@pytest.mark.parametrize("name", ["job_overview", "job_throughput", "failing_papers"])
def test_every_view_is_explained(document, name):
    assert any(name in recipe for recipe in document("docs/operations.md").fences("sql"))


def _leads_somewhere(page, link: str) -> bool:
    target, _, anchor = link.partition("#")
    path = (page.path.parent / target).resolve() if target else page.path
    if not path.exists():
        return False
    return not anchor or anchor in {_anchor(heading) for heading in type(page)(path).headings()}


def _anchor(heading: str) -> str:
    """As GitHub makes it: lower case, no punctuation, blanks as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
