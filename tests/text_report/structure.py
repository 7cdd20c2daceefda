"""Judge of the documents made from PDFs: headings, references and identifiers.

The truth is what the file itself says besides its text: outline and named destinations
for headings, `cite.*` destinations for the number of references, links for
identifiers. Each paper is measured twice: as it is, and as if it had neither outline nor
destinations ("stripped"). Part of `make text-report`; alone, with a row for each paper:
`python -m tests.text_report.structure [FOLDER]`.
"""

import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

import pypdfium2

from service.extraction.document import Document, Section
from service.extraction.layout import PageLayout
from service.extraction.structure.from_pdf import document_of
from service.extraction.structure.identifiers import arxiv_ids, dois, ids_of_uri
from service.extraction.structure.navigation import Navigation, read_links, read_navigation
from service.extraction.structure.numbering import split_number
from service.extraction.structure.titles import key_of, role_of
from service.extraction.text import finish_pages, read_page
from tests.text_report.figures import Measure
from tests.text_report.samples import FOLDER as SAMPLES
from tests.text_report.samples import Sample

BARS = {
    "headings found": 0.98,
    "headings right": 0.98,
    "on the right page": 0.98,
    "headings found, stripped": 0.9,
    "headings right, stripped": 0.8,
    "papers with all references": 0.97,
    "papers with all references, stripped": 0.85,
    "identifiers found": 0.97,
}
_DESTINATION = re.compile(r"(?:sub){0,2}section\.([\w.]+)|appendix\.([\w.]+)", re.IGNORECASE)
_CITE = re.compile(r"cite\.")


@dataclass(frozen=True, slots=True)
class Share:
    """`good` of `all`; sums with others."""

    good: int = 0
    all: int = 0

    def __add__(self, other: "Share") -> "Share":
        return Share(self.good + other.good, self.all + other.all)

    @property
    def part(self) -> float | None:
        """None of nothing."""
        return self.good / self.all if self.all else None


Scores = dict[str, Share]


@dataclass(frozen=True, slots=True)
class Expected:
    """A heading that the file names: by its title as letters, or by its number."""

    title: str
    number: tuple[str, ...]
    page: int


def read(path: Path) -> tuple[list[PageLayout], Navigation]:
    """Pages and navigation of a PDF."""
    with pypdfium2.PdfDocument(path) as document:
        pages, links, known = [], [], set()
        for at in range(len(document)):
            page = document[at]
            pages.append(read_page(page, at + 1, known))
            links.extend(read_links(document.raw, page.raw, at + 1))
            page.close()
        navigation = read_navigation(document.raw, links)
    return finish_pages(pages), navigation


def measure(path: Path) -> Scores:
    """All shares of one paper, and its milliseconds a page as `ms`/`pages`."""
    pages, navigation = read(path)
    begun = time.process_time()
    document = document_of(pages, navigation)
    spent = time.process_time() - begun
    stripped = document_of(pages, replace(navigation, bookmarks=(), destinations=()))
    scores = {"microseconds a page": Share(round(spent * 1e6), len(pages))}
    expected = expected_headings(navigation)
    if expected:
        scores |= _headings(expected, document, navigation, "")
        scores |= _headings(expected, stripped, navigation, ", stripped")
    cited = len({d.name for d in navigation.destinations if _CITE.match(d.name)})
    if cited:
        name = "papers with all references"
        scores[name] = _counted(cited, document)
        scores[f"{name}, stripped"] = _counted(cited, stripped)
    scores["identifiers found"] = _identifiers(pages, navigation, document)
    return scores


def expected_headings(navigation: Navigation) -> list[Expected]:
    """Those of the outline, else those of numbered destinations; the title is none."""
    entries = [b for b in navigation.bookmarks if b.target and key_of(b.title)]
    top = [b for b in entries if b.level == min(e.level for e in entries)]
    if len(top) == 1 and len(entries) > 2 and not split_number(top[0].title)[0]:
        entries.remove(top[0])
    found = []
    for entry in entries:
        title = split_number(entry.title)[1]
        if role_of(title) is None and entry.target:
            found.append(Expected(key_of(title), (), entry.target.page))
    if found:
        return found
    for place in navigation.destinations:
        match = _DESTINATION.fullmatch(place.name)
        if match:
            number = tuple((match[1] or match[2]).split("."))
            found.append(Expected("", number, place.target.page))
    return found


def _headings(
    expected: Sequence[Expected], document: Document, navigation: Navigation, suffix: str
) -> Scores:
    sections = [section for section in document.sections if section.title]
    left = list(sections)
    found = on_page = 0
    for heading in expected:
        match = next((s for s in left if _is(heading, s) and s.page == heading.page), None)
        match = match or next((s for s in left if _is(heading, s)), None)
        if match is not None:
            left.remove(match)
            found += 1
            on_page += match.page == heading.page
    starred = {d.target.page for d in navigation.destinations if "section*." in d.name}
    wrong = [section for section in left if section.page not in starred]
    return {
        f"headings found{suffix}": Share(found, len(expected)),
        f"headings right{suffix}": Share(found, found + len(wrong)),
        f"on the right page{suffix}": Share(on_page, found),
    }


def _is(expected: Expected, section: Section) -> bool:
    if expected.number:
        number = tuple((section.number or "").split("."))
        return number in (expected.number, expected.number[-1:]) and section.page == expected.page
    key = key_of(section.title)
    if key == expected.title or key == "" or expected.title == "":
        return key == expected.title
    is_part = key.startswith(expected.title) or expected.title.startswith(key)
    return is_part or SequenceMatcher(None, key, expected.title).ratio() > 0.8


def _counted(cited: int, document: Document) -> Share:
    """Whether the count is right within one item or two per cent."""
    return Share(int(abs(len(document.references) - cited) <= max(1, 0.02 * cited)), 1)


def _identifiers(pages: Sequence[PageLayout], navigation: Navigation, document: Document) -> Share:
    """Those of links beside references, and those that the lists' text names anywhere.

    The text breaks some at line ends: what begins a longer one that was found is that one.
    """
    raws = [reference.raw for reference in document.references]
    cited = {place.target.page for place in navigation.destinations if _CITE.match(place.name)}
    wanted = {one for raw in raws for one in (*dois(raw), *arxiv_ids(raw))}
    for link in navigation.links:
        if link.page in cited and _is_beside_text(link.box, pages[link.page - 1]):
            wanted.update(one for one in ids_of_uri(link.uri) if one)
    found = {one for r in document.references for one in (r.doi, r.arxiv_id) if one}
    wanted -= {part for part in wanted for one in found if one != part and one.startswith(part)}
    return Share(len(wanted & found), len(wanted))


def _is_beside_text(box: tuple[float, float, float, float], page: PageLayout) -> bool:
    middle = (box[1] + box[3]) / 2
    lines = (line for line in page.lines if line.furniture is None and line.is_upright)
    return any(line.y0 < middle < line.y1 for line in lines)


@cache
def _measured(path: Path) -> Scores:
    return measure(path)


def _measure_of(name: str, bar: float) -> Measure:
    def count(sample: Sample) -> tuple[float, float]:
        share = _measured(sample.path).get(name, Share())
        return share.good, share.all

    return Measure(name, count, 100 * bar)


STRUCTURE_MEASURES = tuple(_measure_of(name, bar) for name, bar in BARS.items())


def total(scores: Iterable[Scores]) -> Scores:
    """The shares of several papers added up."""
    summed: Scores = {}
    for one in scores:
        for name, share in one.items():
            summed[name] = summed.get(name, Share()) + share
    return summed


def below_bars(summed: Scores) -> list[str]:
    """What is below its bar, in words; [] when all is well."""
    parts = {name: summed.get(name, Share()).part for name in BARS}
    return [
        f"{name}: {part:.4f} < {BARS[name]}"
        for name, part in parts.items()
        if part is not None and part < BARS[name]
    ]


def table(by_paper: dict[str, Scores]) -> str:
    """A Markdown table: papers as rows, shares as columns, the sum below."""
    names = [*BARS, "microseconds a page"]
    rows = [*by_paper.items(), ("all", total(by_paper.values()))]
    lines = [f"| paper | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for paper, scores in rows:
        cells = [_cell(scores.get(name, Share()), name) for name in names]
        lines.append(f"| {paper} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(share: Share, name: str) -> str:
    if share.part is None:
        return ""
    return f"{share.part:.0f}" if name not in BARS else f"{share.part:.3f} ({share.all})"


def main(folder: Path) -> int:
    """Print the table of a folder's PDFs; 1 when something is below its bar."""
    by_paper = {path.stem: measure(path) for path in sorted(folder.glob("*.pdf"))}
    print(table(by_paper))  # the command's output
    failures = below_bars(total(by_paper.values()))
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES))
