"""File response: where its body begins, its expected length, and its bytes as a stream.

What the bytes are (a PDF, a page, a captcha) is for others to judge; here only
the transfer is: that the right part came, whole and in time.
"""

import re
from collections.abc import AsyncIterator
from typing import Self

from aiohttp import ClientResponse

from service.arxiv.http import Body
from service.domain.errors import UpstreamFaulty

_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(?:(\d{1,15})|\*)", re.ASCII)
_NO_SUCH_RANGE = re.compile(r"bytes \*/(\d{1,15})", re.ASCII)


class FileStream:
    """The body of one answer with a file, to be read once.

    `offset` is where the body begins in the file: 0 when the whole file comes,
    though a part was asked for. `etag` is a strong validator to resume with,
    `total_bytes` the length of the whole file; None where arXiv gives none.
    """

    def __init__(
        self, response: ClientResponse, body: Body | None, *, offset: int, total: int | None
    ) -> None:
        self.offset = offset
        self.total_bytes = total
        self.etag = strong(response.headers.get("ETag"))
        self.content_type = response.content_type
        self.is_complete = False
        self._body = body

    @classmethod
    def of(cls, response: ClientResponse, body: Body, *, asked: int, etag: str | None) -> Self:
        """The stream of an answer to a request for the bytes from `asked` on.

        It is a 200, a 206, or a 416 that says that there are none (`ends_at`).
        Raises UpstreamFaulty when it is another part, another file or packed.
        """
        headers = response.headers
        if ends_at(response, asked) and headers.get("ETag", etag) == etag:
            nothing = cls(response, None, offset=asked, total=asked)
            nothing.etag = strong(etag)
            return nothing
        if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UpstreamFaulty("arXiv packed a file though not asked to")
        if response.status == 200:
            return cls(response, body, offset=0, total=response.content_length)
        match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        if response.status != 206 or not asked or not match or int(match[1]) != asked:
            raise UpstreamFaulty("arXiv sent another part of the file than was asked for")
        if headers.get("ETag", etag) != etag:
            raise UpstreamFaulty("arXiv sent a part of another file")
        total = int(match[3]) if match[3] else None
        return cls(response, body, offset=asked, total=total)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come, at most 64 KiB at a time.

        Ends only when the whole body has come; raises UpstreamFaulty when it is
        cut short, too long or late.
        """
        position = self.offset
        while self._body is not None and (piece := await self._body.piece()):
            position += len(piece)
            yield piece
        if self.total_bytes is not None and position != self.total_bytes:
            raise UpstreamFaulty("the file has not the length that arXiv announced")
        self.is_complete = True


def ends_at(response: ClientResponse, offset: int) -> bool:
    """True for the answer (416) that the file ends at `offset`: all of it had come before.

    It was asked for with If-Range, so it says so of the file that we began.
    """
    match = _NO_SUCH_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return response.status == 416 and match is not None and 0 < offset == int(match[1])


def strong(etag: str | None) -> str | None:
    """`etag` if it can resume a download: only a strong one may (RFC 9110, 13.1.5)."""
    return etag if etag and _STRONG_ETAG.fullmatch(etag) else None


def range_headers(offset: int, etag: str | None) -> dict[str, str]:
    """The headers that ask for the bytes from `offset` on, if the file still is that of `etag`.

    The whole file without a strong `etag`: a part of one file put behind a part
    of another would be a broken file that has the right length.
    """
    headers = {"Accept-Encoding": "identity"}
    if offset and strong(etag):
        headers |= {"Range": f"bytes={offset}-", "If-Range": str(etag)}
    return headers
