"""Base class of the API calls: transport and pagination."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlencode

from arxiv_ingestion_client.answers import Answer
from arxiv_ingestion_client.errors import NOT_OURS, ServiceUnreachable
from arxiv_ingestion_client.transport import Ask, OnTrouble, Token, Transport

MAX_WAIT = timedelta(seconds=30)

Filter = str | int | Sequence[str]  # a query parameter; several values: repeated


class Calls:
    """The service at `base_url`, asked with `token`; an asynchronous context manager.

    `token` is a text, or a coroutine function that is asked for one before each
    request, and so keeps it while it is good. `patience` bounds how long one call
    goes on when the service does not answer, or asks to come again; `on_trouble`
    is told why, and how often that has happened in this call, before each pause.
    """

    def __init__(
        self,
        base_url: str,
        token: Token,
        *,
        patience: timedelta = MAX_WAIT,
        on_trouble: OnTrouble | None = None,
    ) -> None:
        self._transport = Transport(base_url, token, patience=patience, on_trouble=on_trouble)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Answer:
        is_repeatable = method in ("GET", "DELETE")
        return await self._transport.answer(
            Ask(
                method=method,
                path=path,
                headers=headers or {},
                body=body,
                is_repeatable=is_repeatable,
            )
        )

    async def _pages(self, path: str) -> AsyncGenerator[Any, None]:
        """The objects of a list, page by page as their links lead."""
        route = path.partition("?")[0]
        while True:
            answer = await self._ask("GET", path)
            for one in answer.documents():
                yield one
            if not answer.next_query:
                return
            following = f"{route}?{answer.next_query}"
            if following == path:
                raise ServiceUnreachable(NOT_OURS)
            path = following


def with_query(path: str, **parameters: Filter | None) -> str:
    """`path` with those `parameters` that are not None; a sequence is given item by item."""
    given = {name: value for name, value in parameters.items() if value is not None}
    query = urlencode(given, doseq=True)
    return f"{path}?{query}" if query else path
