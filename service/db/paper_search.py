"""Search in papers: pages of what a search finds, each paper with its rank and a snippet.

`search_store` has the statements, and how they are bounded.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.engine import Database
from service.db.failures import CANCELED, state_of
from service.db.held_papers import HeldPaper
from service.db.search_store import Search, SearchKey, SearchQuery, SearchStore, prepare, understand
from service.domain.errors import Overloaded
from service.domain.snippets import Passage, Word, best_passage, pattern_of, possible_hits

SEARCH_SECONDS = 8  # of a transaction; so long that it is the statement that ends first
RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A paper that matches."""

    row: HeldPaper
    rank: float
    snippet: str


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Papers that match, in order; `after` is the key behind which the next page begins."""

    papers: Sequence[Found]
    after: SearchKey | None


class PaperSearch:
    """Searches; each page takes a few transactions, and holds none while it makes snippets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, search: Search, *, limit: int, after: SearchKey | None = None
    ) -> FoundPage:
        """At most `limit` papers that match, from behind `after`.

        Raises InvalidRequest when `q` has unwanted words only, and
        Overloaded when a statement takes too long.
        """
        async with self._connected() as conn:
            query = await understand(conn, search)
            store = SearchStore(conn, search, query)
            found = await store.rows(limit=limit, after=after)
            ids = [row.arxiv_id for row in found.rows]
            ranks = found.ranks or (await store.ranks(ids) if ids else {})
        if not ids:
            return FoundPage((), found.after)
        snippets = await self._snippets(search, query, found.rows)
        papers = [
            Found(row, ranks.get(row.arxiv_id, 0.0), snippet)
            for row, snippet in zip(found.rows, snippets, strict=True)
        ]
        return FoundPage(papers, found.after)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.transaction(within=SEARCH_SECONDS) as conn:
            try:
                await prepare(conn)
                yield conn
            except DBAPIError as err:
                if state_of(err) != CANCELED:
                    raise
                message = "The search takes too long: narrow it, or try again later"
                raise Overloaded(message, retry_after=RETRY_SECONDS) from err

    async def _snippets(
        self, search: Search, query: SearchQuery, rows: Sequence[HeldPaper]
    ) -> Sequence[str]:
        """One for each row: of the abstract if that shows as much as the text, else of that."""
        sources = {row.arxiv_id: [row.abstract, row.title] for row in rows}
        if search.in_texts:
            async with self._connected() as conn:
                texts = await SearchStore(conn, search, query).texts(list(sources))
            for arxiv_id, content in texts.items():
                sources[arxiv_id].insert(1, content)
        possible = await asyncio.to_thread(_possible_hits, query.lexemes, list(sources.values()))
        words = sorted({hit.word for hits in possible for one in hits for hit in one})
        async with self._connected() as conn:
            terms = await SearchStore(conn, search, query).terms_of(words)
        return await asyncio.to_thread(_best_snippets, list(sources.values()), possible, terms)


def _possible_hits(
    lexemes: Sequence[str], sources: Sequence[Sequence[str]]
) -> Sequence[Sequence[Sequence[Word]]]:
    pattern = pattern_of(lexemes)
    return [[possible_hits(one, pattern) for one in texts] for texts in sources]


def _best_snippets(
    sources: Sequence[Sequence[str]],
    possible: Sequence[Sequence[Sequence[Word]]],
    terms: dict[str, Sequence[str]],
) -> Sequence[str]:
    return [
        max(_passages(texts, hits, terms), key=lambda passage: passage.terms).render()
        for texts, hits in zip(sources, possible, strict=True)
    ]


def _passages(
    texts: Sequence[str], possible: Sequence[Sequence[Word]], terms: dict[str, Sequence[str]]
) -> Sequence[Passage]:
    return [best_passage(one, hits, terms) for one, hits in zip(texts, possible, strict=True)]
