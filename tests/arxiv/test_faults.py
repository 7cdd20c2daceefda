import ssl
import zlib

import aiohttp
import pytest
from aiohttp import client_exceptions, http_exceptions

from service.arxiv.http_errors import foreign_errors_as_ours
from service.arxiv.resolver import AddressRefused
from service.domain.errors import PermanentError, UpstreamFaulty


def exceptions_of(module):
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, Exception)
        and thing.__module__.startswith("aiohttp")
    ]


# A WebSocket's message type is a caller's error (TypeError), and we open no WebSocket.
IRRELEVANT = {client_exceptions.WSMessageTypeError}
ALL = {*exceptions_of(client_exceptions), *exceptions_of(http_exceptions)} - IRRELEVANT
OTHERS = {TimeoutError, ConnectionResetError, BrokenPipeError, OSError, zlib.error, ssl.SSLError}


@pytest.mark.parametrize("kind", sorted(ALL | OTHERS, key=lambda kind: kind.__name__))
def test_every_exception_of_the_http_library_becomes_ours(kind):
    foreign = kind.__new__(kind)

    with pytest.raises(UpstreamFaulty) as caught, foreign_errors_as_ours():
        raise foreign

    assert caught.value.__cause__ is foreign


def test_the_library_has_the_exceptions_that_the_walk_should_meet():
    assert {aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError} <= ALL
    assert len(ALL) > 30


def test_an_address_inside_our_network_is_no_fault_that_time_mends():
    with pytest.raises(PermanentError) as caught, foreign_errors_as_ours():
        raise aiohttp.ClientConnectorDNSError.__new__(
            aiohttp.ClientConnectorDNSError
        ) from AddressRefused()

    assert caught.value.code == "address_refused"


def test_errors_of_our_own_pass_unchanged():
    with pytest.raises(KeyError), foreign_errors_as_ours():
        raise KeyError
