"""Public IP addresses (IANA special-purpose registries): which ones lie on the open internet.

An IPv6 address that carries an IPv4 one is judged by what it carries.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

_NAT64 = 0x0064_FF9B_0000_0000_0000_0000  # 64:ff9b::/96, upper 96 bits (RFC 6052)


def is_public(text: str) -> bool:
    """True for an address of the open internet; IPv4 inside IPv6 is judged as IPv4."""
    address = bare_address(text)
    return address.is_global and not address.is_multicast


def bare_address(text: str) -> IPv4Address | IPv6Address:
    """The address `text`, or the IPv4 address that it carries; raises ValueError."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        return _embedded(address) or address
    return address


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if int(address) >> 32 == _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if 1 < int(address) < 2**32:  # ::/96, IPv4-compatible (RFC 4291); :: and ::1 are their own
        return IPv4Address(int(address))
    return address.ipv4_mapped or address.sixtofour
