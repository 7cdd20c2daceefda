"""Judges a page of HTML: compares it with the PDF of the same version, in a child process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.domain.errors import BadHtml, BadPdf, NotHtml
from service.domain.identifiers import ArxivId
from service.domain.papers import ExtractedText, HtmlPage, HtmlVerdict
from service.extraction.converters import HTML_CONVERTER
from service.extraction.html_question import HtmlQuestion
from service.extraction.pool import ChildDied

# No verdicts on a paper's page, but on what came in its place.
_NO_PAGE = {
    "html_no_document": "what came is no page of LaTeXML's",
    "html_unreadable": "the HTML cannot be read",
    "html_too_large": "the HTML is larger than any paper's",
    "html_too_deep": "the HTML is nested deeper than any paper's",
}
_OTHERS_PAGE = "html_wrong_paper"


class HtmlReader(Protocol):
    """What reads pages of HTML."""

    async def judge_html(self, path: Path, question: HtmlQuestion) -> HtmlVerdict:
        """The document of the page, or why it is refused."""
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A page that is held, and what was made of it."""

    page: HtmlPage
    verdict: HtmlVerdict

    @property
    def refused(self) -> str | None:
        """Why no document is made of it; None if one is."""
        return self.verdict.refused


async def judge(
    reader: HtmlReader, path: Path, arxiv_id: ArxivId, pdf: ExtractedText | None
) -> HtmlVerdict:
    """The verdict on the page at `path`, whether it is kept or not.

    Raises NotHtml and BadHtml for what is no page of a paper, ChildDied, StorageUnavailable and
    ExtractorUnavailable.
    """
    try:
        verdict = await reader.judge_html(path, HtmlQuestion(arxiv_id, pdf))
    except ChildDied:
        raise
    except BadPdf as err:
        message = "the HTML needs too much memory or time"
        raise BadHtml(message, code="html_resource_limit") from err
    code = verdict.refused
    if code == NotHtml.code:
        raise NotHtml(_NO_PAGE[code])
    if code in _NO_PAGE:
        raise BadHtml(_NO_PAGE[code], code=code)
    return verdict


async def judge_again(
    reader: HtmlReader, path: Path, arxiv_id: ArxivId, pdf: ExtractedText | None
) -> HtmlVerdict:
    """The verdict on a page that is held: whatever happens to its reader, it is one."""
    try:
        return await judge(reader, path, arxiv_id, pdf)
    except ChildDied:
        return refusal(code="html_crashed")
    except (BadHtml, NotHtml) as err:
        return refusal(err.code)


def refusal(code: str) -> HtmlVerdict:
    """A refusal without figures."""
    return HtmlVerdict(converter=HTML_CONVERTER, quality={}, refused=code)


def is_worth_keeping(verdict: HtmlVerdict) -> bool:
    """Whether the page is this paper's: it may be taken another time, or by another converter."""
    return verdict.refused != _OTHERS_PAGE
