"""HTML of papers at `/html/{id}v{n}`: which papers have it, and how good it is.

Most have a good page; some have none (submitted as PDF or PostScript, withdrawn, or
the conversion failed: 404), a few a page full of conversion errors, and a few a
stub that answers 200 without the paper. Traps make all of them so. Besides: the
conversion's log at `…/__stdout.txt`, and the abstract pages that feeds link to.
"""

from enum import StrEnum
from functools import partial
from html import escape

from aiohttp import web

from service.devtools.stand_in import latexml, pdf
from service.devtools.stand_in.answers import HTML, Answer
from service.devtools.stand_in.download import MISSING, file_answer
from service.devtools.stand_in.records import Records
from service.devtools.stand_in.source import PdfFile, wrapped
from service.devtools.stand_in.traps import Traps
from service.devtools.stand_in.wheels import mix
from service.domain.identifiers import ArxivId

LOG = "/__stdout.txt"
_NOT_TEX = frozenset("PXHI")  # source types of which there is no HTML
# of a hundred papers in TeX: how many have none, a stub, or a page of errors
_FAILED, _STUBS, _ERRORS = 4, 3, 3
_ERRORS_A_PAGE = 60


class Quality(StrEnum):
    """What the page of a paper is worth."""

    GOOD = "good"
    MISSING = "missing"
    STUB = "stub"
    ERROR = "error"


class HtmlPages:
    """The pages of `records`."""

    def __init__(self, records: Records, traps: Traps) -> None:
        self._records = records
        self._traps = traps

    def quality(self, number: int, version: int) -> Quality:
        """What the page of a version of paper `number` is worth."""
        for quality in (Quality.MISSING, Quality.STUB, Quality.ERROR):
            if f"html-{quality}" in self._traps:
                return quality
        corpus = self._records.corpus
        letters = self._records.record(number).versions[version - 1].source_type or ""
        draw = mix(corpus.seed, "html", number, version) % 100
        if _NOT_TEX & set(letters) or draw < _FAILED or corpus.is_withdrawn(number, version):
            return Quality.MISSING
        if draw < _FAILED + _STUBS:
            return Quality.STUB
        return Quality.ERROR if draw < _FAILED + _STUBS + _ERRORS else Quality.GOOD

    async def download(self, request: web.Request) -> Answer:
        """The answer to `/html/{id}`; without a version the latest is shown."""
        text = request.match_info["id"]
        found = self._find(text.removesuffix(LOG))
        if found is None or self.quality(*found) is Quality.MISSING:
            return MISSING
        if text.endswith(LOG):
            return Answer(body=_log(self.quality(*found)), content_type="text/plain")
        return file_answer(request, self._file(*found), HTML)

    async def abstract(self, request: web.Request) -> Answer:
        """The abstract page of a paper, with links to its files."""
        found = self._find(request.match_info["id"])
        if found is None:
            return MISSING
        paper = self._records.corpus.paper(*found)
        name = paper.arxiv_id
        body = (
            f"<!DOCTYPE html>\n<html><head><title>[{name}] {escape(paper.title)}</title></head>"
            f"<body><h1>{escape(paper.title)}</h1><p>{escape(', '.join(paper.authors))}</p>"
            f"<blockquote>{escape(paper.abstract)}</blockquote>"
            f'<a href="/pdf/{name}">View PDF</a> <a href="/html/{name}">HTML</a></body></html>\n'
        )
        return Answer(body=body.encode())

    def _find(self, text: str) -> tuple[int, int] | None:
        """Number and version that an id means."""
        try:
            arxiv_id = ArxivId.parse(text)
        except ValueError:
            return None
        number = self._records.corpus.find(arxiv_id)
        if number is None:
            return None
        return number, arxiv_id.version or self._records.corpus.versions(number)

    def _file(self, number: int, version: int) -> PdfFile:
        paper = self._records.corpus.paper(number, version)
        quality = self.quality(number, version)
        write = partial(latexml.page, paper=paper, license_uri=self._records.license(number))
        if quality is Quality.STUB:
            body = write(*_stub(number))
        else:
            body = write(paper.title, self._article(number, version, quality))
        return wrapped(body, paper.arxiv_id, paper.updated_at, ending=".html")

    def _article(self, number: int, version: int, quality: Quality) -> str:
        corpus = self._records.corpus
        paper = corpus.paper(number, version)
        faults = _ERRORS_A_PAGE if quality is Quality.ERROR else number % 10 // 9
        return latexml.article(
            paper,
            self._records.authors(number),
            pdf.running_text(paper, corpus.pages(number), corpus.seed),
            faults,
            regenerated="html-regenerated" in self._traps,
        )


def _stub(number: int) -> tuple[str, str]:
    """Title and inside of a page without a paper: one of the two kinds that arXiv has."""
    text = (
        ("Untitled Document", "See the PDF.") if number % 2 else ("", "See pages 1-last of x.pdf")
    )
    inside = f'<div id="p1" class="ltx_para">\n<p id="p1.1" class="ltx_p">{text[1]}</p>\n</div>'
    return text[0], inside


def _log(quality: Quality) -> bytes:
    has_errors = quality is Quality.ERROR
    told = f"{_ERRORS_A_PAGE} errors" if has_errors else "No obvious problems"
    return f"Conversion complete: {told}.\nStatus:conversion:{int(has_errors)}\n".encode()
