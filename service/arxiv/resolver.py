"""DNS resolver that refuses private addresses, so that arXiv's names cannot lead inside.

Asked at connect time, after resolution, so there is no gap between the check
and the use. An address written as such in a setting is never resolved, and so
never refused; nor are `localhost` and the names of hosts that are not arXiv's:
whoever configures those means them.
"""

import socket
from collections.abc import Collection

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from service.domain.addresses import is_public


class AddressRefused(OSError):
    """A name resolved to nothing but addresses that we do not connect to."""


class PublicResolver(AbstractResolver):
    """A resolver (the system's), less private, loopback, link-local and other special addresses."""

    def __init__(
        self, system: AbstractResolver | None = None, *, trusted: Collection[str] = ()
    ) -> None:
        self._system = system or ThreadedResolver()
        self._trusted = {"localhost", *(name.rstrip(".").lower() for name in trusted)}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of `host`; raises AddressRefused if it has others only.

        Any address of a trusted host.
        """
        found = await self._system.resolve(host, port, family)
        if host.rstrip(".").lower() in self._trusted:
            return found
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise AddressRefused("the name resolves to no public address")
        return public

    async def close(self) -> None:
        """Release the system's resolver."""
        await self._system.close()
