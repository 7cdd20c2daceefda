"""Search in papers: over titles and abstracts or texts too, by date or by relevance, bounded.

A word may be in nearly all of a million papers, and PostgreSQL knows the rank of a
paper, or whether it has a phrase, only when it has read all its words. So a search
reads a bounded number of papers, however many match: by relevance the last submitted
of those that have the words, with those apart that have them in title or abstract; by
date all that match, and where these are too many to collect, papers in their order
until a page is full or enough were read (the page then is short, and the next begins
where it ended). Every statement has a deadline.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Float,
    Numeric,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    literal_column,
    not_,
    select,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection

from service.db.conditions import is_any_of
from service.db.held_papers import SHOWN_COLUMNS, HeldPaper, conditions
from service.db.rows import N, typed
from service.db.search_tables import paper_search
from service.db.tables import paper_texts, papers
from service.domain.errors import InvalidRequest
from service.domain.papers import PaperFilter, PaperSort, SearchedIn

STATEMENT_SECONDS = 3
WALK_SECONDS = 1.5  # reading in the order of dates stops then
CANDIDATES = 1000  # ranked: so many of the texts, and of the titles and abstracts
PHRASE_CANDIDATES = 4000  # papers with all words of a phrase that are read for it
COLLECTED = 20_000  # matches that are collected and sorted; of phrases a quarter
WALKED_AT_ONCE, WALKED = 500, 10_000  # papers read in the order of dates for one page
SNIPPET_SOURCE = 300_000  # characters of a text that are looked through for a snippet

_FOLLOWED_BY = re.compile(r"<(?:-|[0-9]+)>")  # of a phrase, in the text form of a tsquery

SearchKey = tuple[datetime | float, str]  # published_at or rank, arxiv_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is searched for: `wanted.words`, with the filter's other conditions."""

    wanted: PaperFilter
    scope: SearchedIn
    by: PaperSort

    @property
    def in_texts(self) -> bool:
        """True when the texts are searched, too."""
        return self.scope is SearchedIn.ALL


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A query as PostgreSQL understands it, in the text form of a `tsquery`.

    As text, so that every statement has it as a constant: the functions of the schema
    would be called anew for each row where the planner cannot see through them.
    """

    asked: str  # empty, where there are only words like "the"
    terms: str  # any of its words: what a rank counts
    lexemes: Sequence[str]

    @property
    def has_negation(self) -> bool:
        """True when something is not wanted."""
        return "!" in self.asked

    @property
    def loose(self) -> str:
        """What the index alone can answer: the words of phrases, wherever they stand."""
        return self.asked if self.has_negation else _FOLLOWED_BY.sub("&", self.asked)

    @property
    def has_phrase(self) -> bool:
        """True when the index alone cannot answer."""
        return _FOLLOWED_BY.search(self.asked) is not None


@dataclass(slots=True)
class FoundRows:
    """Papers, and behind which key more begin; ranks by id, if known."""

    rows: Sequence[HeldPaper]
    after: SearchKey | None
    ranks: dict[str, float] = field(default_factory=dict)


class _Looked(NamedTuple):
    """A paper that was looked at on the way through all papers."""

    published_at: datetime
    arxiv_id: str
    matches: bool


async def prepare(conn: AsyncConnection) -> None:
    """Bound what follows in time; let it be planned for these words, not for any.

    Never by a sequential scan: the planner thinks that reading a vector costs nothing, and
    would rather read all of them than those that the index names.
    """
    settings = {
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "plan_cache_mode": "force_custom_plan",
        "enable_seqscan": "off",
    }
    calls = (func.set_config(name, value, True) for name, value in settings.items())
    await conn.execute(select(*calls))


async def understand(conn: AsyncConnection, search: Search) -> SearchQuery:
    """What PostgreSQL makes of the words.

    Raises InvalidRequest where nearly every paper would have to be read.
    """
    words = literal(search.wanted.words or "")
    asked = func.search_query(words)
    lexemes = func.tsvector_to_array(func.search_words(func.search_tex(words)), type_=ARRAY(Text))
    statement = select(
        cast(asked, Text).label("asked"),
        func.coalesce(cast(func.search_terms(words), Text), "").label("terms"),
        func.querytree(asked).label("tree"),
        lexemes.label("lexemes"),
    )
    row = (await conn.execute(statement)).one()
    is_bounded = not search.in_texts and search.by is PaperSort.NEWEST
    if row.tree == "T" and not is_bounded:
        raise InvalidRequest({"q": ["Must have a word that is wanted, not only unwanted ones."]})
    return SearchQuery(row.asked, row.terms, row.lexemes or ())


class SearchStore:
    """The statements of one search, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection, search: Search, query: SearchQuery) -> None:
        self._conn = conn
        self._search = search
        self._query = query
        self._asked = _constant(query.asked)
        self._terms = _constant(query.terms)
        self._filter = list(conditions(search.wanted, with_words=False))
        self._in_metadata = papers.c.words.bool_op("@@")(self._asked)

    async def rows(self, *, limit: int, after: SearchKey | None) -> FoundRows:
        """The next `limit` that match, in the order of the search."""
        if not self._query.asked:
            return FoundRows((), None)
        if self._search.by is PaperSort.RELEVANCE:
            return await self._most_relevant(limit=limit, after=after)
        if not self._search.in_texts:
            statement: Select[Any] = select(*SHOWN_COLUMNS).where(self._in_metadata, *self._filter)
            return self._cut(await self._newest(HeldPaper, statement, limit + 1, after), limit)
        if await self._are_few():
            ids = self._matching()
            statement = select(*SHOWN_COLUMNS)
            statement = statement.where(papers.c.arxiv_id.in_(ids), *self._filter)
            return self._cut(await self._newest(HeldPaper, statement, limit + 1, after), limit)
        return await self._walk(limit=limit, after=after)

    async def ranks(self, arxiv_ids: Sequence[str]) -> dict[str, float]:
        """ArXiv id → rank."""
        of_these = is_any_of(papers.c.arxiv_id, arxiv_ids)
        ranked = self._ranked(of_these)
        rows = await self._conn.execute(select(ranked.c.arxiv_id, ranked.c.rank))
        return {row.arxiv_id: row.rank for row in rows}

    async def texts(self, arxiv_ids: Sequence[str]) -> dict[str, str]:
        """ArXiv id → the beginning of its text."""
        statement: Select[Any] = select(
            paper_texts.c.arxiv_id,
            func.left(paper_texts.c.content, SNIPPET_SOURCE).label("content"),
        ).where(is_any_of(paper_texts.c.arxiv_id, arxiv_ids))
        return {row.arxiv_id: row.content for row in await self._conn.execute(statement)}

    async def terms_of(self, words: Sequence[str]) -> dict[str, Sequence[str]]:
        """Word → its stems that the query has; only words that have some."""
        given = func.unnest(bindparam("words", list(words), type_=ARRAY(Text)))
        word = given.column_valued("word")
        stems = func.search_words(word)
        statement = select(
            word, func.tsvector_to_array(stems, type_=ARRAY(Text)).label("stems")
        ).where(stems.bool_op("@@")(self._terms))
        return {row.word: row.stems for row in await self._conn.execute(statement)}

    async def _are_few(self) -> bool:
        """True when all papers that have the words can be collected."""
        most = COLLECTED // 4 if self._query.has_phrase else COLLECTED
        words = paper_search.c.words.bool_op("@@")(_constant(self._query.loose))
        in_texts = select(literal_column("1")).where(words).limit(most).subquery()
        in_papers: Select[Any] = (
            select(literal_column("1")).select_from(papers).where(self._in_metadata)
        )
        counts = [
            select(func.count()).select_from(one).scalar_subquery()
            for one in (in_texts, in_papers.limit(most).subquery())
        ]
        has_many = select(*counts)
        return sum((await self._conn.execute(has_many)).one()) < most

    def _matching(self) -> Select[Any]:
        """The ids of all that match."""
        of_texts = select(paper_search.c.arxiv_id).where(
            paper_search.c.words.bool_op("@@")(self._asked)
        )
        of_papers = select(papers.c.arxiv_id).where(self._in_metadata, self._not_spoiled())
        return select(union(of_texts, of_papers).subquery().c.arxiv_id)

    def _not_spoiled(self) -> ColumnElement[bool]:
        """For a match of title or abstract: no unwanted word is in the text either."""
        if not self._query.has_negation:
            return literal(value=True)
        words = paper_search.c.words.bool_op("@@")(self._asked)
        return not_(exists().where(self._is_its_first_part(), not_(words)))

    def _is_its_first_part(self) -> ColumnElement[bool]:
        """The row of `paper_search` that has all words of the paper at hand."""
        return and_(paper_search.c.arxiv_id == papers.c.arxiv_id, paper_search.c.part == 0)

    async def _newest(
        self, kind: type[N], statement: Select[Any], limit: int, after: SearchKey | None
    ) -> Sequence[N]:
        statement = statement.order_by(papers.c.published_at.desc(), papers.c.arxiv_id.desc())
        if after is not None:
            key = tuple_(papers.c.published_at, papers.c.arxiv_id)
            statement = statement.where(key < tuple_(*map(literal, after)))
        return typed(kind, await self._conn.execute(statement.limit(limit)))

    @staticmethod
    def _cut(rows: Sequence[HeldPaper], limit: int) -> FoundRows:
        shown = rows[:limit]
        return FoundRows(shown, _date_key(shown[-1]) if len(rows) > limit else None)

    async def _walk(self, *, limit: int, after: SearchKey | None) -> FoundRows:
        """Papers in the order of dates, those that match, until the page is full or enough read."""
        in_text = (  # no EXISTS: that might be planned to read all texts once
            select(literal(value=True))
            .where(paper_search.c.arxiv_id == papers.c.arxiv_id)
            .where(paper_search.c.words.bool_op("@@")(self._asked))
            .limit(1)
            .scalar_subquery()
        )
        in_metadata = and_(self._in_metadata, self._not_spoiled())
        matches = case((in_metadata, True), else_=in_text)  # in this order: the cheap one first
        found: list[_Looked] = []
        ends_at = monotonic() + WALK_SECONDS
        for _ in range(WALKED // WALKED_AT_ONCE):
            statement: Select[Any] = select(
                papers.c.published_at, papers.c.arxiv_id, matches.label("matches")
            )
            statement = statement.where(*self._filter)
            read = await self._newest(_Looked, statement, WALKED_AT_ONCE, after)
            hits = [row for row in read if row.matches][: limit - len(found)]
            found += hits
            if len(found) == limit:
                return await self._read(found, _date_key(found[-1]))
            if len(read) < WALKED_AT_ONCE:
                return await self._read(found, None)
            after = _date_key(read[-1])
            if monotonic() > ends_at:
                break
        return await self._read(found, after)

    async def _read(self, found: Sequence[_Looked], after: SearchKey | None) -> FoundRows:
        ids = [row.arxiv_id for row in found]
        of_these = is_any_of(papers.c.arxiv_id, ids)
        statement = select(*SHOWN_COLUMNS).where(of_these)
        return FoundRows(await self._newest(HeldPaper, statement, len(ids), None), after)

    async def _most_relevant(self, *, limit: int, after: SearchKey | None) -> FoundRows:
        ids = self._candidates()
        ranked = self._ranked(papers.c.arxiv_id.in_(ids))
        statement: Select[Any] = (
            select(*SHOWN_COLUMNS, ranked.c.rank)
            .join(ranked, ranked.c.arxiv_id == papers.c.arxiv_id)
            .order_by(ranked.c.rank.desc(), ranked.c.arxiv_id.desc())
            .limit(limit + 1)
        )
        if after is not None:
            key = tuple_(ranked.c.rank, ranked.c.arxiv_id)
            statement = statement.where(key < tuple_(literal(after[0], Float), literal(after[1])))
        rows = (await self._conn.execute(statement)).all()
        ranks: dict[str, float] = {row.arxiv_id: row.rank for row in rows[:limit]}
        shown = [HeldPaper._make(row[:-1]) for row in rows[:limit]]  # the rank stands last
        last = (rows[limit - 1].rank, shown[-1].arxiv_id) if len(rows) > limit else None
        return FoundRows(shown, last, ranks)

    def _candidates(self) -> Select[Any]:
        """The ids of those that are ranked."""
        of_papers = (
            select(papers.c.arxiv_id)
            .where(self._in_metadata, *self._filter)
            .order_by(papers.c.published_at.desc(), papers.c.arxiv_id.desc())
            .limit(CANDIDATES)
        )
        if not self._search.in_texts:
            return of_papers
        of_papers = of_papers.where(self._not_spoiled())
        near = self._near()
        of_texts = select(near.c.arxiv_id).limit(CANDIDATES)
        return select(union(of_texts.subquery().select(), of_papers.subquery().select()).subquery())

    def _near(self) -> Any:  # noqa: ANN401 - a FROM clause
        """Rows of `paper_search` that match, the last submitted first."""
        statement = select(paper_search.c.arxiv_id, paper_search.c.part).where(
            paper_search.c.words.bool_op("@@")(_constant(self._query.loose))
        )
        if self._filter:
            wanted = select(papers.c.arxiv_id).where(*self._filter)
            statement = statement.where(paper_search.c.arxiv_id.in_(wanted))
        newest = (paper_search.c.published_at.desc(), paper_search.c.arxiv_id.desc())
        is_loose = self._query.has_phrase and not self._query.has_negation
        most = PHRASE_CANDIDATES if is_loose else CANDIDATES
        near = statement.order_by(*newest).limit(most).cte("near")
        if not is_loose:
            return near
        exact = paper_search.alias("exact")
        return (
            select(near.c.arxiv_id)
            .join(exact, and_(exact.c.arxiv_id == near.c.arxiv_id, exact.c.part == near.c.part))
            .where(exact.c.words.bool_op("@@")(self._asked))
            .subquery()
        )

    def _ranked(self, condition: ColumnElement[bool]) -> Any:  # noqa: ANN401 - a FROM clause
        """arxiv_id and rank: words in the title count most, then those in the abstract."""
        rank: ColumnElement[Any] = func.ts_rank(papers.c.words, self._terms)
        source: Any = papers
        if self._search.in_texts:
            source = papers.outerjoin(paper_search, self._is_its_first_part())
            rank = rank + func.coalesce(func.ts_rank(paper_search.c.words, self._terms), 0)
        rounded = cast(func.round(cast(rank, Numeric), 6), Float)
        ranked = select(papers.c.arxiv_id, rounded.label("rank")).select_from(source)
        return ranked.where(condition).subquery("ranked")


def _constant(query: str) -> ColumnElement[Any]:
    return cast(literal(query, Text), TSQUERY)


def _date_key(row: HeldPaper | _Looked) -> SearchKey:
    return row.published_at, row.arxiv_id
