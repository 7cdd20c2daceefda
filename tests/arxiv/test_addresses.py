import socket

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from service.arxiv.http_errors import foreign_errors_as_ours
from service.arxiv.resolver import AddressRefused, PublicResolver
from service.domain.addresses import is_public
from service.domain.errors import PermanentError


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_of_our_own_network_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["151.101.3.42", "2a04:4e42::810", "::ffff:151.101.3.42", "64:ff9b::9765:32a"]
)
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


class NameService(AbstractResolver):
    """A stand-in for DNS: any name has `addresses`."""

    def __init__(self, *addresses):
        self.addresses = addresses

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in self.addresses
        ]

    async def close(self):
        pass


async def test_a_name_with_private_addresses_only_is_refused():
    resolver = PublicResolver(NameService("10.1.2.3", "127.0.0.1"))

    with pytest.raises(AddressRefused):
        await resolver.resolve("export.arxiv.org", 443)


async def test_of_a_mixed_name_only_the_public_addresses_are_used():
    resolver = PublicResolver(NameService("10.1.2.3", "151.101.3.42"))

    found = await resolver.resolve("export.arxiv.org", 443)

    assert [result["host"] for result in found] == ["151.101.3.42"]


async def test_any_address_will_do_for_a_trusted_name_and_for_no_other():
    resolver = PublicResolver(NameService("10.1.2.3"), trusted=["Mirror.example"])

    found = await resolver.resolve("mirror.example.", 443)
    with pytest.raises(AddressRefused):
        await resolver.resolve("export.arxiv.org", 443)

    assert [result["host"] for result in found] == ["10.1.2.3"]


async def test_a_request_to_such_a_name_connects_to_nobody(other_host):
    resolver = PublicResolver(NameService("127.0.0.1"))
    url = f"http://export.arxiv.example:{other_host.port}/"

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
        with pytest.raises(PermanentError) as caught, foreign_errors_as_ours():
            await session.get(url)

    assert caught.value.code == "address_refused"
    assert other_host.asked == []


async def test_localhost_is_meant_by_whoever_configures_it():
    found = await PublicResolver().resolve("localhost", 80)

    assert "127.0.0.1" in [result["host"] for result in found]
