"""Calls about stored papers: lists, one by its id, its PDF and text."""

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, quote

from arxiv_ingestion_client.answers import checked, parse
from arxiv_ingestion_client.calls import Calls, with_query
from arxiv_ingestion_client.download import download
from arxiv_ingestion_client.errors import NOT_OURS, ServiceUnreachable
from arxiv_ingestion_client.exports import FORMATS, export_file
from arxiv_ingestion_client.reports import (
    ChangeDocument,
    FoundPaperDocument,
    PaperDocument,
    ReferenceDocument,
)
from arxiv_ingestion_client.transport import Ask

MAX_PDF_BYTES = 1 << 30
FOLLOWED_SECONDS = 30  # how long one request waits for the next change


class PaperCalls(Calls):
    """Papers, whichever job ingested them."""

    async def papers(self, **filters: str) -> AsyncGenerator[PaperDocument, None]:
        """The papers held that match `filters`, page by page; last submitted first."""
        async for one in self._pages(with_query("papers", limit=200, **filters)):
            yield one

    async def search(
        self,
        q: str,
        *,
        scope: Literal["metadata", "all"] = "all",
        sort: Literal["relevance", "-published_at"] = "relevance",
        **filters: str,
    ) -> AsyncGenerator[FoundPaperDocument, None]:
        """Papers with these words, in their texts too (`scope`), best match first.

        `q` is as on the web: words, "a phrase", or, -not. Each paper has its `rank` and a
        `snippet` of at most 300 characters, each hit between U+E000 and U+E001. By relevance
        a bounded number comes, by date all.
        """
        query = {"q": q, "in": scope, "sort": sort, **filters}
        async for one in self._pages(with_query("papers", limit=50, **query)):
            yield one

    async def export(self, **filters: str) -> AsyncGenerator[PaperDocument, None]:
        """The same papers in one answer: faster, but BrokenOff where `papers` would go on."""
        headers = {"Accept": "application/x-ndjson"}
        path = with_query("papers", **filters)
        ask = Ask(method="GET", path=path, headers=headers, timeout=None)
        async with self._transport.opened(ask) as flow:
            while line := await flow.line():
                yield checked(parse(line), dict)

    async def export_papers(
        self,
        path: Path,
        format: str,  # noqa: A002 - the word that callers look for
        *,
        timeout: timedelta = timedelta(hours=6),
        **filters: str,
    ) -> int:
        """Write the same papers to `path`: `bibtex`, `csv`, `ndjson` or `parquet`; its bytes.

        The file is whole, or `path` is as it was. Raises BrokenOff, TimeoutError, and
        ProblemError (406: the service has no Parquet); ValueError for another format.
        """
        if format not in FORMATS:
            raise ValueError(f"format is none of {', '.join(FORMATS)}")
        headers = {"Accept": FORMATS[format]}
        path_and_query = with_query("papers", **filters)
        ask = Ask(method="GET", path=path_and_query, headers=headers, timeout=None)
        return await export_file(self._transport, ask, path, timeout=timeout)

    async def bibtex(self, arxiv_id: str) -> str:
        """The BibTeX entry of a paper; its key is `arxiv:` and the id."""
        headers = {"Accept": FORMATS["bibtex"]}
        return (await self._ask("GET", _paper_path(arxiv_id), headers=headers)).body.decode()

    async def paper(self, arxiv_id: str) -> PaperDocument:
        """Metadata of a paper; ProblemError with status 404 if it is not held."""
        found: PaperDocument = (await self._ask("GET", _paper_path(arxiv_id))).document()
        return found

    async def coverage(self, **filters: str) -> Mapping[str, Any]:
        """What the last audit found of a `set` from `from_date` to `to_date`, day by day."""
        found: PaperDocument = (
            await self._ask("GET", with_query("coverage", **filters))
        ).document()
        return found

    async def changes(
        self, after: str | None = None, *, kind: str | None = None, follow: bool = False
    ) -> AsyncGenerator[ChangeDocument, None]:
        """What changed behind the token `after` (None: from the beginning), in its order.

        `kind`: one or more, separated by commas. Ends where the feed ends; with `follow`
        never, but waits for the next change. Keep the token of the last one that you have
        dealt with. Raises ProblemError with status 410 when `after` is older than what is
        kept: take `latest_change`, then read all papers.
        """
        wait = FOLLOWED_SECONDS if follow else None
        path = with_query("papers/changes", after=after, kind=kind, wait=wait, limit=1000)
        timeout = timedelta(seconds=2 * FOLLOWED_SECONDS)
        while True:
            answer = await self._transport.answer(Ask(method="GET", path=path, timeout=timeout))
            for one in answer.documents():
                yield one
            following = f"papers/changes?{answer.next_query}"
            if following == path and not follow:
                return
            path = following

    async def latest_change(self) -> str:
        """The token of the feed's end: `changes` behind it are those that are still to come."""
        answer = await self._ask("GET", "papers/changes?after=latest")
        tokens = parse_qs(answer.next_query).get("after")
        if not tokens:
            raise ServiceUnreachable(NOT_OURS)
        return tokens[0]

    async def text(self, arxiv_id: str) -> str:
        """The text of a paper's PDF; ProblemError with status 404 says why there is none."""
        answer = await self._ask(
            "GET", f"{_paper_path(arxiv_id)}/text", headers={"Accept": "text/plain"}
        )
        return answer.body.decode(errors="replace")

    async def document(self, arxiv_id: str, *, section: str | None = None) -> Mapping[str, Any]:
        """The structured document of a paper, or one section by its number or id.

        ProblemError with status 404 where there is none.
        """
        path = with_query(f"{_paper_path(arxiv_id)}/document", section=section)
        found: Mapping[str, Any] = (await self._ask("GET", path)).document()
        return found

    async def markdown(self, arxiv_id: str, *, section: str | None = None) -> str:
        """The same as Markdown."""
        path = with_query(f"{_paper_path(arxiv_id)}/document", section=section)
        answer = await self._ask("GET", path, headers={"Accept": "text/markdown"})
        return answer.body.decode(errors="replace")

    async def references(self, arxiv_id: str) -> list[ReferenceDocument]:
        """The references of a paper; `link` is the path of those that are held."""
        found: list[ReferenceDocument] = (
            await self._ask("GET", f"{_paper_path(arxiv_id)}/references")
        ).documents()
        return found

    async def download_pdf(
        self,
        arxiv_id: str,
        path: Path,
        *,
        timeout: timedelta = timedelta(minutes=30),
        max_bytes: int = MAX_PDF_BYTES,
    ) -> str:
        """Bring the PDF of a paper to `path`, checked; its SHA-256.

        A connection that breaks is gone on with. Raises ProblemError (404: the text
        says why there is no PDF), DamagedFile, TimeoutError; `path` is then as before.
        """
        ask = Ask(method="GET", path=f"{_paper_path(arxiv_id)}/pdf", timeout=None)
        return await download(self._transport, ask, path, max_bytes=max_bytes, timeout=timeout)


def _paper_path(arxiv_id: str) -> str:
    return f"papers/{quote(arxiv_id, safe='')}"
