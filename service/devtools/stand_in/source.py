"""What the replica serves: a source answers searches and holds PDFs.

`Synthetic` serves a made-up corpus; `recordings.Recorded` serves a folder of
real answers. The server knows only this interface.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from service.devtools.stand_in import feed, pdf
from service.devtools.stand_in.answers import Answer
from service.devtools.stand_in.corpus import Corpus
from service.devtools.stand_in.parameters import Parameters
from service.devtools.stand_in.query import bad
from service.devtools.stand_in.records import Records
from service.devtools.stand_in.search import Search
from service.domain.identifiers import ArxivId
from service.domain.papers import Paper


@dataclass(frozen=True, slots=True)
class PdfFile:
    """One PDF or HTML page: its bytes, a strong ETag (quoted), when it was last changed."""

    body: bytes
    etag: str
    modified: datetime
    name: str


class Source(Protocol):
    """Where answers come from."""

    def query(self, parameters: Parameters) -> Answer:
        """The answer to a search; raises BadQuery."""
        ...

    async def pdf(self, arxiv_id: ArxivId, generation: int = 0) -> PdfFile | None:
        """The PDF of this paper (without version: of the latest), None when there is none.

        Another `generation` has other bytes where PDFs are made.
        """
        ...


class Synthetic:
    """Serves `corpus`."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.search = Search(corpus)
        self.records = Records(corpus)

    def query(self, parameters: Parameters) -> Answer:
        """One page of what matches; unknown ids are dropped silently, as at arXiv."""
        node, asked = parameters.search(), parameters.ids()
        if node is None and not parameters.id_texts:
            bad("search_query or id_list must be given")
        if node is not None and not parameters.id_texts:
            found = self.search.numbers(node, parameters.sort_by, parameters.sort_order)
            shown = [self._shown(number) for number in found[parameters.window]]
            return feed.page(parameters, len(found), shown)
        known = self._known(asked, parameters)
        shown = [self._shown(number, version) for number, version in known[parameters.window]]
        return feed.page(parameters, len(known), shown)

    def _shown(self, number: int, version: int | None = None) -> feed.Shown:
        """What the entry of a paper is written from."""
        authors = self.records.authors(number)
        paper = self.corpus.paper(number, version)
        return feed.Shown(paper, tuple(author.affiliations for author in authors))

    def _known(
        self, asked: tuple[ArxivId, ...], parameters: Parameters
    ) -> list[tuple[int, int | None]]:
        """Number and version of the papers asked for that exist and match the query, if any."""
        found = [
            (number, arxiv_id.version)
            for arxiv_id in asked
            if (number := self.corpus.find(arxiv_id)) is not None
        ]
        if node := parameters.search():
            mask = self.search.mask(node)
            found = [(number, version) for number, version in found if mask >> 8 * number & 1]
        if parameters.sort_by == "relevance":  # by id, relevance is the order asked
            return found
        numbers = sorted({number for number, _ in found})
        order = self.search.ordered(numbers, parameters.sort_by, parameters.sort_order)
        return sorted(found, key=lambda one: order.index(one[0]))

    async def pdf(self, arxiv_id: ArxivId, generation: int = 0) -> PdfFile | None:
        """The PDF, unless there is no such paper or that version is a withdrawal."""
        number = self.corpus.find(arxiv_id)
        if number is None or not self.corpus.has_pdf(arxiv_id):
            return None
        paper = self.corpus.paper(number, arxiv_id.version)
        return made(paper, self.corpus.pages(number), self.corpus.seed, generation)


def made(paper: Paper, pages: int, seed: int, generation: int = 0) -> PdfFile:
    """A PDF made from a paper's metadata."""
    body = pdf.render(paper, pages, seed, generation)
    return wrapped(body, paper.arxiv_id, paper.updated_at + timedelta(days=generation))


def wrapped(body: bytes, arxiv_id: ArxivId, modified: datetime, *, ending: str = ".pdf") -> PdfFile:
    """Bytes as a file: the ETag is their hash, the name the id without slash."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    name = str(arxiv_id).replace("/", "_")
    return PdfFile(body, etag, modified.astimezone(UTC).replace(microsecond=0), f"{name}{ending}")
