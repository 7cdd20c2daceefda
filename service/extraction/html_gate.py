"""Quality gate for arXiv's HTML: refuses pages that are not, or not all of, the paper.

arXiv answers 200 for conversions that failed: shells, pages of another version, papers
with whole sections missing. The page's own signs decide, and where the paper's PDF is
at hand a comparison with it.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.extraction.document import Document, Reference
from service.extraction.html.page import Signs
from service.extraction.inline_math import without_math

MIN_SHARE_OF_WORDS = 0.8  # of the PDF's; a good conversion has 0.95, one cut off 0.73
MIN_SHARE_OF_HEADINGS = 0.9  # of the PDF's outline
MIN_WORDS = 60  # of a page's sections; shells have fewer than ten, or title and abstract only
MIN_MISSING_CITATIONS = 5

_WORD = re.compile(r"[^\W\d_]{3,}")
_INCLUDED_PDF = re.compile(r"^See pages? .{1,40} of \S+$", re.IGNORECASE)
_NUMBERING = re.compile(
    r"^(?:(?:Appendix|Chapter|Section|Part)\s+)?"
    r"(?:(?:\d+|[A-Z]|[IVXL]+)(?:\.(?:\d+|[A-Z]))*[.):]?\s+)?"
)
_NO_SECTIONS = frozenset({"abstract", "acknowledgements", "acknowledgments", "bibliography"})
_NO_SECTIONS |= {"contents", "tableofcontents", "listoffigures", "listoftables", "index"}
_NO_SECTIONS |= {"references", "literaturecited", "titlepage", "cover"}


@dataclass(frozen=True, slots=True)
class PdfEvidence:
    """What is known from the PDF of the same version.

    `pages`: (number from 1, reading text) in order. `headings`: titles of its outline,
    empty if it has none. `references`: of the document made from it.
    """

    pages: Sequence[tuple[int, str]]
    headings: Sequence[str] = ()
    references: Sequence[Reference] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a page is not used: a stable `code` ("html_…"), and the figures behind it."""

    code: str
    quality: Mapping[str, Any] = field(default_factory=dict)


def refuse_signs(signs: Signs, arxiv_id: str, version: int) -> str | None:
    """The code of a page that is another paper's, or broken by its own word; None if it is fine.

    A page without a watermark is not refused for that.
    """
    if signs.watermark is not None:
        printed, printed_version = signs.watermark
        if (_plain_id(printed), printed_version) != (_plain_id(arxiv_id), version):
            return "html_wrong_paper"
    return "html_fatal_error" if signs.is_fatal else None


def refuse_content(document: Document, signs: Signs, counts: Mapping[str, int]) -> str | None:
    """The code of a page that holds no paper, or one without what it cites; None if it is fine."""
    words = _count_body_words(document)
    sections = [section for section in document.sections if section.title]
    texts = [p.text for section in document.sections for p in section.paragraphs]
    if any(_INCLUDED_PDF.match(text) for text in texts[:5]) and words < 10 * MIN_WORDS:
        return "html_stub"
    if words < MIN_WORDS or (signs.html_title == "Untitled Document" and not sections):
        return "html_stub"
    missing = counts.get("ltx_missing_citation", 0)
    if missing >= MIN_MISSING_CITATIONS and not document.references:
        return "html_incomplete"
    return None


def compare(document: Document, pdf: PdfEvidence) -> tuple[str | None, dict[str, Any]]:
    """The code of a page that lacks too much of the PDF (None if it does not), and the figures."""
    in_pdf = sum(len(_WORD.findall(text)) for _, text in pdf.pages)
    share = round(count_words(document) / in_pdf, 3) if in_pdf else None
    others = _NO_SECTIONS | {_letters(document.title or "")}
    wanted = [heading for heading in map(_letters, pdf.headings) if heading not in others]
    found = _count_found(wanted, document) if wanted else 0
    figures = {
        "words_of_pdf": in_pdf,
        "share_of_words": share,
        "headings_of_outline": len(wanted),
        "headings_found": found,
    }
    if share is not None and share < MIN_SHARE_OF_WORDS:
        return "html_words_missing", figures
    if found < MIN_SHARE_OF_HEADINGS * len(wanted):
        return "html_headings_missing", figures
    return None, figures


def count_words(document: Document) -> int:
    """Words of three letters or more in all of the document, formulas left out."""
    texts = [document.title or "", document.abstract or ""]
    for section in document.sections:
        texts.append(section.title)
        texts.extend(p.text for p in section.paragraphs if p.kind != "equation")
    texts.extend(caption.text for caption in document.captions)
    texts.extend(reference.raw for reference in document.references)
    return sum(len(_WORD.findall(without_math(text))) for text in texts)


def _count_body_words(document: Document) -> int:
    texts = (p.text for section in document.sections for p in section.paragraphs)
    return sum(len(_WORD.findall(without_math(text))) for text in texts)


def _plain_id(arxiv_id: str) -> str:
    """An id without the subject class that old ones may carry: math.GT/0309136."""
    archive, slash, number = arxiv_id.partition("/")
    return f"{archive.partition('.')[0]}/{number}" if slash else arxiv_id


def _count_found(wanted: list[str], document: Document) -> int:
    titles = {_letters(without_math(section.title)) for section in document.sections}
    titles |= {_letters(section.title) for section in document.sections}
    titles.discard("")
    return sum(_is_among(heading, titles) for heading in wanted)


def _is_among(heading: str, titles: set[str]) -> bool:
    """Whether a heading is one of the titles, or like one where formulas or accents differ."""
    if heading in titles or not heading:
        return True
    return any(
        abs(len(title) - len(heading)) <= max(4, len(heading) // 3)
        and (title in heading or heading in title or _common_start(title, heading))
        for title in titles
    )


def _common_start(one: str, other: str) -> bool:
    length = max(8, 2 * max(len(one), len(other)) // 3)
    return one[:length] == other[:length]


def _letters(heading: str) -> str:
    """A heading for comparison: without number, accents, blanks and punctuation."""
    plain = unicodedata.normalize("NFKD", _NUMBERING.sub("", heading.strip()))
    return "".join(c for c in plain.casefold() if c.isalpha())
