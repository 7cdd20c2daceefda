"""Outdated documents in SQL: made by another converter or of another file, or missing.

A document's identity is version, source, converter and the SHA-256 of its file; of a page of
HTML also the PDF that it was compared with.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A text that met a limit or fault of the converter has no document, and says so in its quality.
_OUTDATED = text(
    "WITH next AS ("
    "SELECT arxiv_id, version, pdf_sha256, pdf_state = 'processed' AS has_text,"
    " coalesce(text_state, 'full') IN ('full', 'cut') AS has_letters FROM papers"
    " WHERE arxiv_id > :after ORDER BY arxiv_id LIMIT :limit)"
    " SELECT n.arxiv_id,"
    " n.has_text AND n.has_letters AND (CASE WHEN pdf.source IS NULL"
    " THEN t.quality ->> 'document_error' IS NULL"
    " ELSE pdf.converter <> :pdf OR pdf.input_sha256 <> n.pdf_sha256 END)"
    " OR h.sha256 IS NOT NULL AND (h.converter <> :html"
    " OR h.pdf_sha256 IS DISTINCT FROM (CASE WHEN n.has_text THEN n.pdf_sha256 END)"
    " OR h.refused IS NULL AND (html.source IS NULL OR html.converter <> :html"
    " OR html.input_sha256 <> h.sha256)) AS is_outdated"
    " FROM next n"
    " LEFT JOIN paper_texts t ON t.arxiv_id = n.arxiv_id AND t.version = n.version"
    " LEFT JOIN documents pdf ON pdf.arxiv_id = n.arxiv_id AND pdf.version = n.version"
    " AND pdf.source = 'pdf'"
    " LEFT JOIN documents html ON html.arxiv_id = n.arxiv_id AND html.version = n.version"
    " AND html.source = 'html'"
    " LEFT JOIN html_pages h ON h.arxiv_id = n.arxiv_id AND h.version = n.version"
    " ORDER BY n.arxiv_id"
)


class OutdatedStore:
    """Reading what documents were made of, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def list_outdated(
        self, *, after: str, limit: int, pdf: str, html: str
    ) -> tuple[Sequence[str], str | None]:
        """Of the next `limit` papers behind `after`: whose documents are outdated.

        And the last of those papers, None if there are no more behind it. `pdf` and `html` are
        the converters of today.
        """
        given = {"after": after, "limit": limit, "pdf": pdf, "html": html}
        rows = (await self._conn.execute(_OUTDATED, given)).all()
        found = [row.arxiv_id for row in rows if row.is_outdated]
        return found, rows[-1].arxiv_id if len(rows) == limit else None
