"""Search in texts of real size: what a text costs, what the index takes, how long searches last.

`BENCH_TEXTS` papers (20,000) of 50 to 100 kB each are stored as the service stores them, by its
trigger. Their words are as unequally frequent as those of a language (Zipf's law), with rare terms
of their own. What a million takes is computed from that, and said so: sizes grow with the texts,
and of a search only what the index reads and what is collected from it does.
"""

import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import asyncpg
import psutil

from benchmarks.servers import cpu_seconds
from benchmarks.stand_in import load, site
from service.db.engine import Database
from service.db.paper_search import PaperSearch
from service.db.search_store import Search, SearchKey
from service.domain.errors import Overloaded
from service.domain.papers import PaperFilter, PaperSort, SearchedIn
from service.extraction.lexicon import english_words
from service.jobs.maintenance.search_index import MERGE_EVERY, merge_new_words

TEXTS = int(os.environ.get("BENCH_TEXTS", "20000"))
LOADERS = 2
MILLION = 1_000_000
ROUNDS = 7  # of each search, the first of them apart
PARAGRAPHS, PARAGRAPH_WORDS = 3000, 200
RARE_TERMS = 400_000
PHRASE = "quark confinement"  # of two words that are in many papers, in one paragraph of 40
STOPS = ("the", "of", "and", "in", "a", "is", "we", "that", "for", "with")
COLUMNS = (
    *("arxiv_id", "version", "title", "abstract", "authors", "categories"),
    *("primary_category", "published_at", "updated_at"),
)
SIZES = """
    SELECT pg_table_size('paper_texts') AS texts, pg_relation_size('paper_search') AS rows,
           pg_table_size('paper_search') AS words, pg_relation_size('paper_search_by_word') AS gin,
           (SELECT count(*) FROM paper_search) AS parts,
           (SELECT sum(length(content)) FROM paper_texts) AS characters
"""
MATCHES = "SELECT count(*) FROM paper_search WHERE words @@ search_query($1)"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pieces that papers are made of, the same in every run."""

    words: Sequence[str]  # most frequent first
    paragraphs: Sequence[str]

    @classmethod
    def make(cls) -> "Corpus":
        """Paragraphs of words by Zipf's law, some of them with the phrase."""
        rng = random.Random(7)
        words = sorted(one for one in english_words() if len(one) > 3)
        rng.shuffle(words)
        weights = list(accumulate((rank + 3) ** -1.1 for rank in range(len(words))))
        paragraphs = []
        for number in range(PARAGRAPHS):
            chosen = rng.choices(words, cum_weights=weights, k=PARAGRAPH_WORDS)
            places = range(5, PARAGRAPH_WORDS, 40) if number % 40 == 0 else ()
            for place in places:
                chosen[place] = PHRASE
            if number % 5 == 0:
                chosen[7], chosen[90] = PHRASE.split()
            stops = rng.choices(
                ["the", "of", "and", "in", "a", "is", "we", "that", "for", "with"], k=len(chosen)
            )
            paragraphs.append(" ".join(map(" ".join, zip(stops, chosen, strict=True))))
        return cls(words, paragraphs)

    def papers(self, first: int, last: int) -> Iterator[tuple[tuple[object, ...], str]]:
        """Rows of `papers` with their texts, numbers `first` to `last` exclusive."""
        for number in range(first, last):
            rng = random.Random(number)
            body = rng.choices(self.paragraphs, k=rng.randrange(20, 45))
            terms = [f"term{int(RARE_TERMS ** rng.random())}" for _ in range(150)]
            moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
            title = " ".join(rng.choices(self.words[:3000], k=9))
            abstract = rng.choice(self.paragraphs)[:1200]
            row = (f"2001.{number:05}", 1, title, abstract, ["A. Author"], ["cs.LG"], "cs.LG")
            yield (*row, moment, moment), "\n".join((*body, " ".join(terms)))


def run() -> None:
    """Measure, and print the figures."""
    print(f"search: {TEXTS:,} papers with texts of real size; {load()}")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as folder,
        site(Path(folder), "--papers", "1") as place,
    ):
        asyncio.run(
            place.run(lambda database, connection: _measure(database, connection, place.server))
        )
    print(load())


async def _measure(
    database: Database, connection: asyncpg.Connection, server: psutil.Process
) -> None:
    corpus = Corpus.make()
    await _fill(database, connection, corpus)
    began = time.perf_counter()
    pages = await connection.fetchval("SELECT gin_clean_pending_list('paper_search_by_word')")
    print(f"the index's pending list: {pages} pages, merged in {time.perf_counter() - began:.2f} s")
    await connection.execute("VACUUM ANALYZE papers, paper_texts, paper_search", timeout=None)
    await _weigh(connection)
    await _search(database, connection, corpus, server)


async def _fill(database: Database, connection: asyncpg.Connection, corpus: Corpus) -> None:
    wal = await connection.fetchval("SELECT pg_current_wal_insert_lsn()")
    began = time.perf_counter()
    step = -(-TEXTS // LOADERS)
    loaders = [
        _load(database.dsn, corpus, first, min(first + step, TEXTS))
        for first in range(0, TEXTS, step)
    ]
    merging = asyncio.create_task(_merge(database))
    loaded = await asyncio.gather(*loaders)
    merging.cancel()
    longest, cpu = max(one[0] for one in loaded), sum(one[1] for one in loaded)
    seconds = time.perf_counter() - began
    written = await connection.fetchval("SELECT pg_current_wal_insert_lsn() - $1::pg_lsn", wal)
    print(
        f"stored with their words in {seconds:.0f} s by {LOADERS} connections:"
        f" {cpu / TEXTS * 1000:.0f} ms of PostgreSQL's CPU a text, the longest {longest:.2f} s;"
        f" {written / TEXTS / 1000:.0f} kB of log a text"
    )


async def _merge(database: Database) -> None:
    """What maintenance does meanwhile."""
    while True:
        await asyncio.sleep(MERGE_EVERY.total_seconds())
        await merge_new_words(database)


async def _load(dsn: str, corpus: Corpus, first: int, last: int) -> tuple[float, float]:
    """Store papers, each text in a transaction of its own.

    Returns how long the longest took, and PostgreSQL's CPU time for all, both in s.
    """
    connection = await asyncpg.connect(dsn)
    backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
    before = cpu_seconds([backend])
    longest = 0.0
    try:
        for row, text in corpus.papers(first, last):
            await connection.copy_records_to_table("papers", records=[row], columns=COLUMNS)
            began = time.perf_counter()
            await connection.execute(
                "INSERT INTO paper_texts (arxiv_id, version, content, truncated)"
                " VALUES ($1, 1, $2, false)",
                row[0],
                text,
            )
            longest = max(longest, time.perf_counter() - began)
        return longest, cpu_seconds([backend]) - before
    finally:
        await connection.close()


async def _weigh(connection: asyncpg.Connection) -> None:
    sizes = await connection.fetchrow(SIZES)
    print(
        f"a text has {sizes['characters'] / TEXTS / 1000:.0f} kB and {sizes['parts'] / TEXTS:.2f}"
        " rows of paper_search; bytes a paper, and computed for a million papers:"
    )
    for name, what in (
        ("texts", "paper_texts, compressed"),
        ("rows", "paper_search, what is read to collect"),
        ("words", "paper_search, with its words"),
        ("gin", "its index"),
    ):
        each = sizes[name] / TEXTS
        print(f"  {what:<40}{each:>9,.0f}{each * MILLION / 1e9:>9.1f} GB")


async def _search(
    database: Database, connection: asyncpg.Connection, corpus: Corpus, server: psutil.Process
) -> None:
    words = corpus.words
    searches = {
        "a word of nearly all": words[40],
        "a word of many": words[2500],
        "a word of some": words[30_000],
        "a rare term": "term300017",
        "three words": f"{words[700]} {words[1500]} {words[2500]}",
        "a word, not another": f"{words[2500]} -{words[1200]}",
        "one of two words": f"{words[30_000]} or {words[31_000]}",
        "a phrase of common words": f'"{PHRASE}"',
        "a phrase that is nowhere": f'"{words[30]} {words[29]} {words[31]}"',
        "ten words": " ".join(words[200:2200:200]),
    }
    print("a page of 50 with snippets, ms: first, median and longest of the others; CPU of all")
    async for line in _timed(database, connection, searches, server):
        print(line)
    await _scale(connection, words[40], server)


async def _timed(
    database: Database,
    connection: asyncpg.Connection,
    searches: dict[str, str],
    server: psutil.Process,
) -> AsyncIterator[str]:
    for name, q in searches.items():
        matches = await connection.fetchval(MATCHES, q, timeout=None)
        for sort in PaperSort:
            search = Search(wanted=PaperFilter(words=q), scope=SearchedIn.ALL, by=sort)
            times, after, found = [], None, 0
            cpu = cpu_seconds([server]) + time.process_time()
            for _ in range(ROUNDS):
                ms, found, after = await _page(database, search)
                times.append(ms)
            cpu = (cpu_seconds([server]) + time.process_time() - cpu) / ROUNDS * 1000
            deep = (await _page(database, search, after))[0] if after else 0
            yield (
                f"  {name:<26}{sort:<14}{times[0]:>6.0f}{statistics.median(times[1:]):>6.0f}"
                f"{max(times[1:]):>6.0f} {cpu:>6.0f}, next page {deep:>5.0f};"
                f" {found} of {matches:,}"
            )


async def _page(
    database: Database, search: Search, after: SearchKey | None = None
) -> tuple[float, int, SearchKey | None]:
    """Milliseconds, how many papers, and where the next page begins."""
    began = time.perf_counter()
    try:
        page = await PaperSearch(database).page(search, limit=50, after=after)
    except Overloaded:
        return (time.perf_counter() - began) * 1000, -1, None
    return (time.perf_counter() - began) * 1000, len(page.papers), page.after


async def _scale(connection: asyncpg.Connection, word: str, server: psutil.Process) -> None:
    """What grows with the collection: collecting all that have a word, and the newest of them."""
    await connection.execute("SET enable_seqscan = off")  # as searches have it
    cpu = cpu_seconds([server])
    for _ in range(ROUNDS):
        await connection.fetch(
            "SELECT arxiv_id FROM paper_search WHERE words @@ search_query($1)"
            " ORDER BY published_at DESC LIMIT 1000",
            word,
        )
    each = (cpu_seconds([server]) - cpu) / ROUNDS * 1000
    matches = await connection.fetchval(MATCHES, word)
    print(
        f"collecting the newest of {matches:,} matches takes {each:.0f} ms of CPU;"
        f" computed for a word of all of a million papers: {each / matches * MILLION:,.0f} ms"
    )
