"""The site: every document is in it, and links that suit GitHub suit it."""

import importlib.util
import sys
import types

import pytest
import yaml


@pytest.fixture
def hook(root, monkeypatch):
    """The hook, without MkDocs, which has an environment of its own (`make docs`)."""
    structure = types.ModuleType("mkdocs.structure.files")
    structure.File = structure.Files = object  # type: ignore[attr-defined]
    for name in ("mkdocs", "mkdocs.structure"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "mkdocs.structure.files", structure)
    spec = importlib.util.spec_from_file_location("site_links", root / "tools/site_links.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(root):
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    return yaml.load((root / "mkdocs.yml").read_text(), Loader)


def pages(nav):
    for entry in nav:
        value = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from pages(value) if isinstance(value, list) else [value]


def test_every_document_is_in_the_navigation(site, hook, root):
    listed = list(pages(site["nav"]))
    files = {path.name for path in (root / "docs").glob("*.md")}

    assert len(listed) == len(set(listed))
    assert set(listed) == files | set(hook.PAGES.values()) | {"decisions/README.md"}
    assert site["strict"] is True
    assert set(site["validation"]["links"].values()) == {"warn"}


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("api.md", "[a](errors.md#x)", "[a](errors.md#x)"),
        ("api.md", "[a](../ARCHITECTURE.md)", "[a](ARCHITECTURE.md)"),
        ("ARCHITECTURE.md", "[a](docs/api.md)", "[a](api.md)"),
        ("decisions/0001-x.md", "[a](../api.md)", "[a](../api.md)"),
        ("decisions/0001-x.md", "[a](../../README.md)", "[a](../index.md)"),
        ("client.md", "[a](../docs/api.md#b)", "[a](api.md#b)"),
        ("deployment.md", "[a](../docker-compose.yml)", "[a](files/docker-compose.yml)"),
        ("deployment.md", "[a](../deploy/kubernetes)", "a"),
        ("api.md", "[a](https://example.org/b.md)", "[a](https://example.org/b.md)"),
        ("api.md", "[a](#b)", "[a](#b)"),
        ("api.md", "[a](gone.md)", "[a](gone.md)"),
        ("api.md", "```\n[a](../README.md)\n```", "```\n[a](../README.md)\n```"),
    ],
)
def test_a_link_is_turned_to_the_site(hook, page, link, expected):
    assert hook.rewritten(link, page) == expected
