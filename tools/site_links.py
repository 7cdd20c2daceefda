"""MkDocs hook: documents outside docs/ join the site, and links that suit GitHub suit it.

The documents link to each other as files of the repository. Those in its root become
pages of the site; another file that a document links to (docker-compose.yml, say) is
copied under `files/`; a folder, which a site cannot show, is named without a link.
What leads nowhere is left as it is, so that the strict build fails on it.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
DOCS = "docs/"
PAGES = {  # file of the repository → page of the site
    "README.md": "index.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "client/README.md": "client.md",
}
COPIES = "files/"
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:  # noqa: ANN401 - MkDocs' own
    """Add the pages from outside docs/, and copies of the files that are linked to."""
    for source, page in PAGES.items():
        if page != "index.md":
            files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    copied = {target for page in list(files.documentation_pages()) for target in _copies(page)}
    for target in sorted(copied):
        files.append(File.generated(config, COPIES + target, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:  # noqa: ANN401
    """The page with its links turned to the site."""
    return rewritten(markdown, page.file.src_uri)


def rewritten(markdown: str, page: str) -> str:
    """`markdown` of the site's `page` with links that lead to pages and copies of the site."""

    def turn(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        path = _in_repository(page, target)
        if (ROOT / path).is_dir():
            return text
        if not (ROOT / path).is_file():
            return link[0]
        return (
            f"[{text}]({posixpath.relpath(_in_site(path), posixpath.dirname(page) or '.')}{anchor})"
        )

    parts = _FENCE.split(markdown)
    return "".join(part if n % 2 else _LINK.sub(turn, part) for n, part in enumerate(parts))


def _copies(page: File) -> set[str]:
    found = set()
    for part in _FENCE.split(page.content_string)[::2]:
        for link in _LINK.finditer(part):
            path = _in_repository(page.src_uri, link[2])
            if (ROOT / path).is_file() and _in_site(path).startswith(COPIES):
                found.add(path)
    return found


def _in_repository(page: str, target: str) -> str:
    """The path in the repository of what `page` of the site calls `target`."""
    source = next((s for s, p in PAGES.items() if p == page and p != "index.md"), DOCS + page)
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _in_site(path: str) -> str:
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix(DOCS) if path.startswith(DOCS) else COPIES + path
