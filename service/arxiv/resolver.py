"""DNS resolver that refuses private addresses, so that arXiv's names cannot lead inside.

Asked at connect time, after resolution, so there is no gap between the check
and the use. An address written as such in a setting is never resolved, and so
never refused; nor are `localhost` and the names of hosts that are not arXiv's:
whoever configures those means them.
"""

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = 0x0064_FF9B_0000_0000_0000_0000  # 64:ff9b::/96, upper 96 bits (RFC 6052)


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


def is_public(text: str) -> bool:
    """True for an address of the open internet; IPv4 inside IPv6 is judged as IPv4."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        address = _embedded(address) or address
    return address.is_global and not address.is_multicast


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if int(address) >> 32 == _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
