"""Judges documents made from arXiv's HTML, on the samples beside the checkout.

A part of the report; alone: `python -m tests.text_report.html`. The counts to compare with
come from the pages themselves by other means than the product's: trees pruned by XPath, rows and
items counted there, a brute search of letters in the PDF's pages. Exit status 1 when
a bar is missed.
"""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
from lxml import etree
from markdown_it import MarkdownIt

from service.domain.identifiers import ArxivId
from service.domain.papers import ExtractedText
from service.extraction.answer import extracted_text
from service.extraction.document import Document
from service.extraction.html_document import document_from_html
from service.extraction.html_gate import Refusal
from service.extraction.html_judging import judged
from service.extraction.html_question import HtmlQuestion
from service.extraction.inline_math import without_math
from service.extraction.markdown import to_markdown
from service.extraction.reading import read_document
from tests.text_report.samples import LIMITS

SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "arxiv-samples"

# file → (id, version) of the papers; what refuses the others, by file.
PAPERS = {
    "tamnd-1706.03762v7.html": ("1706.03762", 7),
    "html_feedback-test.html": ("1706.03762", 7),
    "tamnd-2601.00086v3.html": ("2601.00086", 3),
    "tamnd-2401.00001v1.html": ("2401.00001", 1),
    "ttspapers-2508.08468.html": ("2508.08468", 6),
    "llamapun-1311.0066.xhtml": ("1311.0066", 1),
    "llamapun-astro-ph9710163.html": ("astro-ph/9710163", 1),
}
REFUSED = {
    "stub-1412.6980v9.reconstructed.html": ("1412.6980", 9),
    "stub-2608.30667v1.reconstructed.html": ("2608.30667", 1),
    "arxiver-native-degraded-2510.04905.html": ("2510.04905", 1),
}
PAIR = ("tamnd-1706.03762v7.html", "1706.03762v7.pdf")
BY_HAND = {"tamnd-2401.00001v1.html": 2}  # items of a list that no class marks

_WORD = re.compile(r"[^\W\d_]{2,}")
_NOT_TEXT = (
    "self::math or self::script or self::style or self::svg or self::nav or self::button"
    " or self::form or self::object or self::h1"
)
_NOT_BODY = (
    *("ltx_authors", "ltx_TOC", "ltx_toclist", "ltx_pagination", "ltx_date", "ltx_dates"),
    *("ltx_note_mark", "ltx_note_type", "ltx_role_footnotemark", "ltx_phantom"),
    *("ltx_tag", "ltx_bibtag"),
    *("ltx_ERROR", "ltx_listing_data", "ltx_bibliography", "ltx_title_abstract"),
    *("ltx_eqn_table", "ltx_equation", "ltx_equationgroup"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report: what was measured, where, and whether it reaches its bar."""

    what: str
    where: str
    value: float
    bar: float
    is_upper_bound: bool = False

    @property
    def passes(self) -> bool:
        """Whether the value is on the right side of the bar."""
        return self.value <= self.bar if self.is_upper_bound else self.value >= self.bar


def rows(samples: Path = SAMPLES) -> list[Row]:
    """All figures of the report; the samples must be there."""
    found: list[Row] = []
    times: list[float] = []
    for name, (arxiv_id, version) in PAPERS.items():
        data = (samples / "html" / name).read_bytes()
        document, spent = _timed(data, arxiv_id, version)
        times += spent
        found += judge_page(name, data, document)
    found += [judge_refusal(samples, name) for name in REFUSED]
    found.append(Row("ms a page, p95", "all papers", p95(times), 150, is_upper_bound=True))
    found += judge_pair(samples)
    return found


def judge_page(name: str, data: bytes, document: Document) -> Iterator[Row]:
    """The figures of one page."""
    tree = parsed(data)
    in_page, in_document = body_words(tree), document_words(document)
    yield Row("body words", name, share(in_page, in_document), 0.995)
    yield Row("words not invented", name, share(in_document, all_words(tree)), 0.995)
    displays = display_rows(tree)
    yield Row("display equations", name, share(displays, _tex(document)), 0.99)
    items = BY_HAND.get(name) or len(tree.xpath(f"//*[{_has('ltx_bibitem')}]"))
    yield Row("references split", name, _ratio(len(document.references), items), 0.99)
    problems = markdown_problems(to_markdown(document))
    yield Row("problems of Markdown", name, len(problems), 0, is_upper_bound=True)


def judge_pair(samples: Path) -> Iterator[Row]:
    """HTML against PDF on the paper with both: compared as the service does it.

    Pages, outline and references are those that the service makes of the PDF; whether a
    paragraph is on its page, PDFium's own text tells.
    """
    html, pdf = PAIR
    arxiv_id, version = PAPERS[html]
    text = _text_of(samples / "pdf" / pdf)
    question = HtmlQuestion(ArxivId(arxiv_id, version), text)
    head = judged((samples / "html" / html).read_bytes(), question.dump())
    assert "content" in head, head
    about = {"source": "html", "converter": head["converter"], "quality": head["quality"]}
    document = Document.from_json({**json.loads(head["content"]), **about})
    verdicts = list(page_verdicts(document, pdf_pages(samples / "pdf" / pdf)))
    quality = document.quality
    yield Row("paragraphs on their page", PAIR[1], sum(verdicts) / len(verdicts), 0.97)
    yield Row("words of HTML to PDF's", PAIR[1], quality["share_of_words"], 0.8)
    assert text.document is not None
    in_pdf = len(json.loads(text.document.content)["references"])
    yield Row("references of both", PAIR[1], _ratio(len(document.references), in_pdf), 0.98)


def _text_of(path: Path) -> ExtractedText:
    """The text of a PDF as it is stored, with its document."""
    with pypdfium2.PdfDocument(path) as pdf:
        head, text = read_document(pdf, {**LIMITS, "structuring_seconds": 600.0})
    return extracted_text(head, text.encode())


def page_verdicts(document: Document, pages: Sequence[tuple[int, str]]) -> Iterator[bool]:
    """For each paragraph whose first letters stand on one page only: is that its page?"""
    letters = {number: _letters(text) for number, text in pages}
    for section in document.sections:
        for paragraph in section.paragraphs:
            start = re.split(r"[$\[|]", re.sub(r"^\[\^\w+\]: |^ *- ", "", paragraph.text))[0]
            wanted = _letters(start)[:40]
            on = [number for number, text in letters.items() if wanted in text]
            if len(wanted) >= 8 and len(on) == 1:
                yield on[0] == paragraph.page


def pdf_pages(path: Path) -> list[tuple[int, str]]:
    """The text of each page as PDFium gives it."""
    with pypdfium2.PdfDocument(path) as pdf:
        return [(i + 1, pdf[i].get_textpage().get_text_range()) for i in range(len(pdf))]


def parsed(data: bytes) -> etree._Element:
    """The paper's element, by libxml2's HTML parser."""
    tree = etree.fromstring(data, etree.HTMLParser(encoding="utf-8", huge_tree=True))
    return tree.xpath(f"(//*[{_has('ltx_document')}])[1]")[0]


def body_words(tree: etree._Element) -> Counter[str]:
    """Words of the page's text without formulas, front matter, labels and references."""
    skipped = " or ".join([_NOT_TEXT, *map(_has, _NOT_BODY)])
    texts = tree.xpath(f".//text()[not(ancestor::*[{skipped}])][not(parent::*[{skipped}])]")
    texts = [text for text in texts if not _is_comment(text)]
    return Counter(_WORD.findall(_plain(" ".join(" ".join(texts).split()))))


def all_words(tree: etree._Element) -> Counter[str]:
    """Words of the page's text without formulas, once for each time they stand there."""
    texts = tree.xpath(f".//text()[not(ancestor::*[{_NOT_TEXT.replace(' or self::h1', '')}])]")
    return Counter(_WORD.findall(_plain(" ".join(" ".join(texts).split()))))


def document_words(document: Document) -> Counter[str]:
    """Words of a document without formulas and references, nothing taken apart."""
    texts = [document.abstract or ""]
    for section in document.sections:
        texts.append(section.title)
        texts += (p.text for p in section.paragraphs)
    texts += (caption.text for caption in document.captions)
    texts += (reference.raw for reference in document.references)
    return Counter(_WORD.findall(_plain(" ".join(without_math(text) for text in texts))))


def display_rows(tree: etree._Element) -> Counter[str]:
    """The TeX of each row of each display, blanks left out, as often as it stands there."""
    found = tree.xpath(f".//tr[{_has('ltx_equation')} or {_has('ltx_eqn_row')}]")
    tex = (
        "".join(math.get("alttext", "") for math in row.xpath(".//math[not(ancestor::math)]"))
        for row in found
    )
    return Counter(filter(None, map(_squeezed, tex)))


def markdown_problems(markdown: str) -> list[str]:
    """What is wrong with Markdown: raw HTML, unbalanced dollar signs, text taken for markup."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    inline = [child for token in tokens for child in token.children or []]
    kinds = Counter(token.type for token in [*tokens, *inline])
    bad = ("html_block", "html_inline", "code_block", "code_inline", "em_open", "image", "hr")
    problems = [f"{kinds[kind]} × {kind}" for kind in bad if kinds[kind]]
    without_code = re.sub(r"(?ms)^(`{3,})\n.*?^\1$", "", markdown)
    if len(re.findall(r"(?<!\\)\$", without_code)) % 2:
        problems.append("unbalanced dollar signs")
    return problems


def share(wanted: Counter[str], got: Counter[str]) -> float:
    """How much of `wanted` is in `got`, each as often; 1 if nothing is wanted."""
    return _ratio((wanted & got).total(), wanted.total())


def p95(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def report(found: Sequence[Row]) -> str:
    """The rows as a table."""
    return "\n".join(
        f"{'ok  ' if row.passes else 'FAIL'}  {row.what:28} {row.value:9.4f}  "
        f"{'≤' if row.is_upper_bound else '≥'} {row.bar:<7g} {row.where}"
        for row in found
    )


def main() -> int:
    """Print the report; 1 if a bar is missed, 2 without samples."""
    if not SAMPLES.is_dir():
        print("the samples are not beside the checkout", file=sys.stderr)
        return 2
    found = rows()
    print(report(found))
    return 0 if all(row.passes for row in found) else 1


def _timed(data: bytes, arxiv_id: str, version: int) -> tuple[Document, list[float]]:
    spent: list[float] = []
    for _ in range(3):
        start = time.process_time()
        document = document_from_html(data, arxiv_id=arxiv_id, version=version, pdf=None)
        spent.append(1000 * (time.process_time() - start))
        assert isinstance(document, Document), document
    return document, spent


def judge_refusal(samples: Path, name: str) -> Row:
    """Whether a page that holds no paper is refused without a PDF to compare it with."""
    arxiv_id, version = REFUSED[name]
    data = (samples / "html" / name).read_bytes()
    found = document_from_html(data, arxiv_id=arxiv_id, version=version, pdf=None)
    return Row("refused", name, float(isinstance(found, Refusal)), 1)


def _tex(document: Document) -> Counter[str]:
    return Counter(_squeezed(equation.tex) for equation in document.equations)


def _squeezed(tex: str) -> str:
    plain = re.sub(r"%\s*\n", "", tex).replace(r"\displaystyle", "")
    return re.sub(r"\\text\{([^{}]*)\}|\s", "", plain)


def _ratio(part: float, whole: float) -> float:
    if not whole:
        return 1.0 if not part else 0.0
    return min(part, whole) / max(part, whole) if part > whole else part / whole


def _plain(text: str) -> str:
    return text.replace("\u00ad", "").replace("\u2010", "-").replace("ﬁ", "fi").replace("ﬂ", "fl")


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


def _has(name: str) -> str:
    return f"contains(concat(' ', normalize-space(@class), ' '), ' {name} ')"


def _is_comment(text: object) -> bool:
    parent = text.getparent()
    return parent is not None and not isinstance(parent.tag, str) and text.is_text


if __name__ == "__main__":
    sys.exit(main())
