"""Calls about the fleet: its state, and the stop of all requests to arXiv."""

from collections.abc import Mapping
from typing import Any

from arxiv_ingestion_client.calls import Calls
from arxiv_ingestion_client.transport import Ask


class FleetCalls(Calls):
    """Workers, queue and channels to arXiv."""

    async def fleet(self) -> Mapping[str, Any]:
        """Workers, queue, channels to arXiv, storage and database, as they are now."""
        found: Mapping[str, Any] = (await self._ask("GET", "fleet")).document()
        return found

    async def pause_arxiv(self) -> Mapping[str, Any]:
        """Stop all requests of the fleet to arXiv; `paused` and `since`. Repeatable."""
        return await self._change("arxiv/pause")

    async def resume_arxiv(self) -> Mapping[str, Any]:
        """Let requests to arXiv go out again; `paused` and `since`. Repeatable."""
        return await self._change("arxiv/resume")

    async def _change(self, path: str) -> Mapping[str, Any]:
        ask = Ask(method="POST", path=path, headers={}, body=None, is_repeatable=True)
        found: Mapping[str, Any] = (await self._transport.answer(ask)).document()
        return found
