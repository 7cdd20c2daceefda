"""Forms in which papers are exported: whole and in pieces, however many there are.

A form makes bytes of batches of papers (documents of `PaperSchema`) and holds no more than
one of them (Parquet: one group of rows). Which one is wanted, `Accept` says.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import orjson
from aiohttp import web

from service.api.exports import bibtex, comma_separated
from service.api.negotiation import JSON, NDJSON, preferred
from service.api.openapi.operation import BINARY_SCHEMA, TEXT_SCHEMA, Content
from service.db.paper_rows import SHOWN
from service.domain.errors import ExtraMissing

BIBTEX = "application/x-bibtex"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"

Batches = AsyncIterator[Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A media type, the parameters that go with it, the end of a file's name, and how it is made.

    Without `suffix` it is shown rather than kept.
    """

    media_type: str
    write: Callable[[Batches], AsyncGenerator[bytes]]
    parameters: str = ""
    suffix: str = ""

    def headers(self, name: str) -> dict[str, str]:
        """Of an answer in this form, to be kept as `name`."""
        headers = {
            "Content-Type": self.media_type + self.parameters,
            "X-Content-Type-Options": "nosniff",
        }
        if self.suffix:
            headers["Content-Disposition"] = f'attachment; filename="{name}{self.suffix}"'
        return headers


async def _ndjson(batches: Batches) -> AsyncGenerator[bytes]:
    async for batch in batches:
        yield b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in batch)


async def _bibtex(batches: Batches) -> AsyncGenerator[bytes]:
    async for batch in batches:
        yield "\n".join([bibtex.entry(one) for one in batch] + [""] * bool(batch)).encode()


async def _csv(batches: Batches) -> AsyncGenerator[bytes]:
    """The columns are those of the first paper: a search has more. Its batches may be empty."""
    columns: Sequence[str] = ()
    async for batch in batches:
        if batch and not columns:
            columns = tuple(batch[0])
            yield comma_separated.header(columns).encode()
        yield comma_separated.lines(batch, columns).encode()
    if not columns:
        yield comma_separated.header(SHOWN).encode()


async def _parquet(batches: Batches) -> AsyncGenerator[bytes]:
    module = await asyncio.to_thread(import_module, "service.api.exports.parquet")
    async for piece in module.pieces(batches):
        yield piece


def _has_parquet() -> bool:
    return find_spec("pyarrow") is not None


FORMS: Mapping[str, Form] = {
    form.media_type: form
    for form in (
        Form(media_type=NDJSON, write=_ndjson),
        Form(media_type=BIBTEX, write=_bibtex, parameters="; charset=utf-8", suffix=".bib"),
        Form(
            media_type=CSV, write=_csv, parameters="; charset=utf-8; header=present", suffix=".csv"
        ),
        Form(media_type=PARQUET, write=_parquet, suffix=".parquet"),
    )
}
# as they stand in the description of the API
CONTENT: Mapping[str, Content] = {
    NDJSON: Content(TEXT_SCHEMA, '{"arxiv_id":"2301.00001","version":1, …}\n'),
    BIBTEX: Content(TEXT_SCHEMA, "@misc{arxiv:2301.00001,\n  title = {A title},\n  …\n}\n"),
    CSV: Content(TEXT_SCHEMA, "arxiv_id,version,title,…\r\n2301.00001,1,A title,…\r\n"),
    PARQUET: Content(BINARY_SCHEMA, "PAR1…PAR1"),
}


def wanted_form(request: web.Request) -> Form | None:
    """The form that `Accept` prefers; None: plain JSON.

    Raises HTTPNotAcceptable, or ExtraMissing where nothing else would do.
    """
    kind = preferred(request, (JSON, *FORMS))
    if kind == PARQUET and not _has_parquet():
        try:
            kind = preferred(request, [one for one in (JSON, *FORMS) if one != PARQUET])
        except web.HTTPNotAcceptable:
            raise ExtraMissing("parquet") from None
    return FORMS.get(kind)
