"""What the replica serves: a source answers searches and holds PDFs.

`Synthetic` serves a made-up corpus; `recordings.Recorded` serves a folder of
real answers. The server knows only this interface.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from service.devtools.stand_in import feed, pdf
from service.devtools.stand_in.answers import Answer
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.parameters import Parameters
from service.devtools.stand_in.query import bad
from service.devtools.stand_in.search import Search
from service.domain.identifiers import ArxivId
from service.domain.papers import Paper


@dataclass(frozen=True, slots=True)
class PdfFile:
    """One PDF: its bytes, a strong ETag (quoted) and the moment it was last changed."""

    body: bytes
    etag: str
    modified: datetime
    name: str


class Source(Protocol):
    """Where answers come from."""

    def query(self, parameters: Parameters) -> Answer:
        """The answer to a search; raises BadQuery."""
        ...

    async def pdf(self, arxiv_id: ArxivId) -> PdfFile | None:
        """The PDF of this paper (without version: of the latest), None when there is none."""
        ...


class Synthetic:
    """Serves `corpus`."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.search = Search(corpus)

    def query(self, parameters: Parameters) -> Answer:
        """One page of what matches; unknown ids are dropped silently, as at arXiv."""
        node, asked = parameters.search(), parameters.ids()
        if node is None and not asked:
            bad("search_query or id_list must be given")
        window = slice(parameters.start, parameters.start + parameters.max_results)
        if not asked:
            assert node is not None
            found = self.search.numbers(node, parameters.sort_by, parameters.sort_order)
            papers = [self.corpus.paper(number) for number in found[window]]
            return feed.page(parameters, len(found), papers)
        known = self._known(asked, parameters)
        papers = [self.corpus.paper(number, version) for number, version in known[window]]
        return feed.page(parameters, len(known), papers)

    def _known(
        self, asked: tuple[ArxivId, ...], parameters: Parameters
    ) -> list[tuple[int, int | None]]:
        """Number and version of the papers asked for that exist and match the query, if any."""
        found = {
            number: arxiv_id.version
            for arxiv_id in asked
            if (number := self.corpus.find(arxiv_id)) is not None
        }
        if node := parameters.search():
            mask = self.search.mask(node)
            found = {n: version for n, version in found.items() if mask >> 8 * n & 1}
        if parameters.sort_by == "relevance":  # by id, relevance is the order asked
            return list(found.items())
        order = self.search.ordered(sorted(found), parameters.sort_by, parameters.sort_order)
        return [(number, found[number]) for number in order]

    async def pdf(self, arxiv_id: ArxivId) -> PdfFile | None:
        """The PDF, unless there is no such paper or that version is a withdrawal."""
        number = self.corpus.find(arxiv_id)
        if number is None or not self.corpus.has_pdf(arxiv_id):
            return None
        paper = self.corpus.paper(number, arxiv_id.version)
        return made(paper, self.corpus.pages(number), self.corpus.seed)


def made(paper: Paper, pages: int, seed: int) -> PdfFile:
    """A PDF made from a paper's metadata."""
    return wrapped(pdf.render(paper, pages, seed), paper.arxiv_id, paper.updated_at)


def wrapped(body: bytes, arxiv_id: ArxivId, modified: datetime) -> PdfFile:
    """Bytes as a PDF file: the ETag is their hash, the name the id without slash."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    name = str(arxiv_id).replace("/", "_")
    return PdfFile(body, etag, modified.astimezone(UTC).replace(microsecond=0), f"{name}.pdf")
