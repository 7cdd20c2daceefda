"""Webhook targets (SSRF guard): which URLs may be called back, and at which addresses.

A URL is judged twice: as text when it is taken in, and by the address that is about
to be connected to, because what a name resolves to is its owner's to change. The text
has to be written in the one plain way, so that no two readers see two hosts in it.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import urlsplit

from yarl import URL

from service.domain.addresses import bare_address, is_public

MAX_URL_LENGTH = 2048
_PLAIN = re.compile(r"[\x21-\x5b\x5d-\x7e]+", re.ASCII)  # visible ASCII, no backslash
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*"
                   r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)  # fmt: skip
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)  # a host that ends so is an address


@dataclass(frozen=True, slots=True)
class CallbackTargets:
    """What `WEBHOOK_ALLOWED_HOSTS` allows; without it any public host by https."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Names, addresses and networks (CIDR) separated by blanks; raises ValueError."""
        names, networks = set(), []
        for word in (text or "").split():
            host = word.lower().removesuffix(".")
            try:
                networks.append(ip_network(host.strip("[]") if "/" not in host else host))
            except ValueError:
                if "/" in host or not _is_name(host):
                    raise
                names.add(host)
        return cls(frozenset(names), tuple(networks))

    @property
    def is_open(self) -> bool:
        """True when nothing is listed, so any public host will do."""
        return not self.names and not self.networks

    def mistake(self, url: str) -> str | None:
        """What forbids calling back to `url`, as a sentence; None when its text is in order."""
        host = _plain_host(url)
        if host is None:
            return "Not a plain URL: https, a host, no user name, no unusual spelling."
        scheme = urlsplit(url).scheme.lower()
        if _ends_in_number(host) or ":" in host:
            if not _is_canonical(host):
                return "An address must be written in its usual form."
            if not self.permits(host, scheme=scheme, by_name=False):
                return "This address may not be called back."
        elif not self.is_open and host not in self.names:
            return "This host may not be called back."
        elif scheme != "https" and host not in self.names:
            return "Must be https."
        return None

    def permits(self, address: str, *, scheme: str, by_name: bool = True) -> bool:
        """Whether a connection by `scheme` may go to `address`.

        Private addresses have to be listed, and are the only ones for plain http. Any
        public one will do for a host that is known `by_name`, which was judged before.
        """
        if is_public(address):
            return scheme == "https" and (by_name or self.is_open or self._lists(address))
        return scheme in ("http", "https") and self._lists(address)

    def _lists(self, address: str) -> bool:
        bare = bare_address(address)
        return any(bare in network for network in self.networks)


def _plain_host(url: str) -> str | None:
    """The host of `url`, in lower case; None unless all readers agree on it."""
    if len(url) > MAX_URL_LENGTH or _PLAIN.fullmatch(url) is None:
        return None
    try:
        parts, read = urlsplit(url), URL(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host or port == 0:
        return None
    if "@" in parts.netloc or parts.netloc.endswith(":") or read.port in (None, 0):
        return None
    same = read.raw_host is not None and read.raw_host.lower() == host
    bare = host.removesuffix(".")
    return bare if same and (":" in bare or _is_name(bare)) else None


def _is_name(host: str) -> bool:
    return _NAME.fullmatch(host) is not None


def _ends_in_number(host: str) -> bool:
    """As the URL standard tells an IPv4 address, in whatever spelling, from a name."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _is_canonical(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return str(address) == host and str(bare_address(host)) == host
