"""Parquet of papers, written as it is sent: a group of rows at a time, the index behind them.

Needs pyarrow (the extra `parquet`): only `formats` imports this module, when the first file
is asked for.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

GROUP_ROWS = 5_000  # in a group of rows at most: some 10 MB
GROUP_BYTES = 8 * 1024 * 1024  # of titles and abstracts, where those are long
_MOMENTS = ("published_at", "updated_at")


async def pieces(batches: AsyncIterator[Sequence[Mapping[str, Any]]]) -> AsyncGenerator[bytes]:
    """The file in pieces; memory holds one group of rows.

    Rows are encoded in a thread: a group takes tens of milliseconds.
    """
    file = await asyncio.to_thread(_File)
    group: list[Mapping[str, Any]] = []
    size = 0
    async for batch in batches:
        group += batch
        size += sum(len(one["title"]) + len(one["abstract"]) for one in batch)
        if len(group) >= GROUP_ROWS or size >= GROUP_BYTES:
            yield await asyncio.to_thread(file.add, group)
            group, size = [], 0
    if group:
        yield await asyncio.to_thread(file.add, group)
    yield await asyncio.to_thread(file.end)


class _Sink:
    """What the writer writes to: bytes that are taken away as soon as they are there."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def write(self, data: Any) -> int:  # noqa: ANN401 - a buffer of pyarrow's
        self._parts.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


class _File:
    """One Parquet file under way; each call returns the bytes that came of it."""

    def __init__(self) -> None:
        self._schema = _schema()
        self._sink = _Sink()
        self._writer = ParquetWriter(
            pa.PythonFile(self._sink, mode="w"), self._schema, compression="zstd"
        )

    def add(self, group: Sequence[Mapping[str, Any]]) -> bytes:
        rows = [_row(one) for one in group]
        self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema))
        return self._sink.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.take()


def _row(paper: Mapping[str, Any]) -> dict[str, Any]:
    return {**paper, **{name: datetime.fromisoformat(paper[name]) for name in _MOMENTS}}


def _schema() -> Any:  # noqa: ANN401 - pyarrow has no types
    """The columns, in the order of the paper's keys in JSON."""
    text, moment = pa.string(), pa.timestamp("us", tz="UTC")
    columns: Mapping[str, tuple[Any, bool]] = {
        "arxiv_id": (text, False),
        "version": (pa.int32(), False),
        "title": (text, False),
        "abstract": (text, False),
        "authors": (pa.list_(text), False),
        "categories": (pa.list_(text), False),
        "primary_category": (text, False),
        "published_at": (moment, False),
        "updated_at": (moment, False),
        "doi": (text, True),
        "journal_ref": (text, True),
        "comments": (text, True),
        "license": (text, True),
        "withdrawn": (pa.bool_(), False),
        "pdf_state": (text, False),
        "pdf_path": (text, True),
        "pdf_sha256": (text, True),
        "pdf_bytes": (pa.int64(), True),
        "page_count": (pa.int32(), True),
        "text_state": (text, True),
        "rank": (pa.float64(), True),
        "snippet": (text, True),
    }
    return pa.schema([pa.field(name, kind, null) for name, (kind, null) in columns.items()])
