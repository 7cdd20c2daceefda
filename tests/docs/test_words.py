"""Plain words: texts use the field's standard terms, so that a search for one finds its place.

Scanned are the strings and comments of the code, the pages' HTML and scripts, and the
documents. Names that are fixed (columns, JSON keys, metrics, parameters) keep their words:
identifiers are no prose, and code in a document stands between backquotes.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A word or phrase: the standard term for it.
PLAIN = {
    r"lanes?": "channel",
    r"strikes?": "consecutive refusals",
    r"silences?": "cooldown",
    r"signs? of life": "heartbeat, last activity",
    r"given up on": "failed",
    r"brought in": "ingested",
    r"looks at": "reads",
    r"hand(s|ed)? back": "release",
    r"rouses?": "notify",
    r"nobody's fault": "not counted",
    r"tidied up": "maintenance finished",
}
# Texts that users saw once, word for word.
GONE = (
    *("asks this one, over HTTP, to bring a slice", "Record a job", "Show how far a job is"),
    *("Bring in what a final job did not", "PDFs to come", "Last sign", "Papers given up on"),
    *("Pace towards arXiv", "Forget token", "Not asked yet", "There is nothing at this path"),
    "The content is another than the one in If-Match",
    "Nobody can wait for changes here now",
    *("notifications not to be had", "schedules not looked at", "page not wanted any more"),
    *("start not given back", "turn not given back", "queue not reachable"),
    *("not ready to work yet", "task abandoned to its lease"),
)
# Fixed names within texts: code, keys of the stand-in's scripts, columns in SQL.
FIXED = re.compile(
    r"`[^`\n]*`|\"lanes?\"|'lane'|\blane="
    r"|\blane must be\b|\bfor the lane\b|\bseconds, lane and refuse\b|join\(LANES\)"
    r"|_pace\.lane|\bSELECT lane, turns, refusals, strikes\b|\bORDER BY lane\b|\blane IN\b"
)
# Comments of tables are part of the schema: they change with a migration.
NOT_SCANNED = {"service/db/tables.py"}

_WORDS = re.compile(rf"(?<![\w-])(?:{'|'.join(PLAIN)})(?![\w-])", re.IGNORECASE)
_GONE = re.compile("|".join(map(re.escape, GONE)), re.IGNORECASE)
_CODE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)


def _prose_of_code(path: Path) -> Iterator[str]:
    """Comments and strings with a blank in them: a text of one word is a name."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        is_text = token.type == tokenize.STRING and " " in token.string
        if is_text or token.type == tokenize.COMMENT:
            yield token.string


def _prose_of_document(path: Path) -> Iterator[str]:
    yield _CODE.sub("", path.read_text())


def _prose_of_page(path: Path) -> Iterator[str]:
    """Text of elements, and strings that begin like a heading or a sentence."""
    text = path.read_text()
    yield from re.findall(r">([^<>]+)<", text) if path.suffix == ".html" else ()
    yield from re.findall(r"[\"`]([A-Z][^\"`]*)[\"`]", text)


def _texts() -> Iterator[tuple[str, str]]:
    """Every scanned file, and its prose."""
    for folder in ("service", "client"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from ((_name(path), text) for text in _prose_of_code(path))
    for path in sorted((ROOT / "service/api/static").iterdir()):
        if path.suffix in (".html", ".js"):
            yield from ((_name(path), text) for text in _prose_of_page(path))
    # decisions are dated pages: they tell in the words of their day what was decided then
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "client/README.md"]
    for path in documents:
        if path.name != "CHANGELOG.md":
            yield from ((_name(path), text) for text in _prose_of_document(path))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _hits(text: str) -> list[str]:
    prose = FIXED.sub("", text)
    return [found[0] for pattern in (_WORDS, _GONE) for found in pattern.finditer(prose)]


def test_texts_use_the_standard_terms():
    found = {
        f"{name}: {hit!r} in {' '.join(text.split())[:120]}"
        for name, text in _texts()
        if name not in NOT_SCANNED
        for hit in _hits(text)
    }

    assert found == set()


@pytest.mark.parametrize(
    "text",
    [
        "the pace on one lane towards arXiv",
        "Signs of life",
        "papers that were brought in",
        "Answers that asked for silence.",
        "hands back what has not ended",
        "PDFs to come",
    ],
)
def test_a_word_of_our_own_is_found(text):
    assert _hits(text)


@pytest.mark.parametrize(
    "text", ["the column `strikes`", "last_sign_of_life", "arxiv_silence_seconds", "airplanes"]
)
def test_fixed_names_and_other_words_are_not(text):
    assert not _hits(text)


def test_every_module_says_what_it_is():
    """Its docstring's first line is a sentence or a term, not empty."""
    without = [
        _name(path)
        for folder in ("service", "client")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (tree := ast.parse(path.read_text())).body and not ast.get_docstring(tree)
    ]

    assert without == []
