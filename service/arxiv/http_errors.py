"""Translation of aiohttp's exceptions into the service's own.

aiohttp raises four unrelated families for a broken exchange, besides the
system's own errors; to the rest of the service all of them are one thing, an
answer that was broken, late or missing.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from service.arxiv.resolver import AddressRefused
from service.domain.errors import PermanentError, UpstreamFaulty

# OSError covers TimeoutError and ssl.SSLError.
FOREIGN = (aiohttp.ClientError, HttpProcessingError, zlib.error, OSError)

_BROKEN_ANSWERS = (
    aiohttp.ClientResponseError,
    HttpProcessingError,
    aiohttp.ClientConnectorCertificateError,
)


class ConnectionLost(aiohttp.ClientError):
    """The connection broke, and the library shall not ask again on its own (see http.ask_once)."""


@contextmanager
def foreign_errors_as_ours(ours: type[UpstreamFaulty] = UpstreamFaulty) -> Iterator[None]:
    """Raise `ours` for whatever goes wrong in an exchange with arXiv.

    UpstreamFaulty where there was an answer, though none that could be read, or one
    of somebody who could not prove to be arXiv.

    PermanentError with the code `address_refused` when arXiv's name led to an
    address that we do not connect to. Wrap nothing but the exchange: an OSError
    of a disk is not arXiv's.
    """
    try:
        yield
    except FOREIGN as err:
        if isinstance(err.__cause__, AddressRefused):
            refusal = "arXiv's name resolves to an address inside our network"
            raise PermanentError(refusal, code="address_refused") from err
        is_an_answer = isinstance(err, _BROKEN_ANSWERS)
        raise (UpstreamFaulty if is_an_answer else ours)(_in_words(err)) from err


def _in_words(err: BaseException) -> str:
    match err:
        case TimeoutError():
            return "arXiv did not answer in time"
        case aiohttp.ClientConnectorDNSError():
            return "arXiv's name could not be resolved"
        case aiohttp.ClientSSLError():
            return "no trustworthy TLS connection to arXiv"
        case aiohttp.ClientConnectorError():
            return "arXiv could not be connected to"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return "arXiv's answer is no proper HTTP"
        case aiohttp.ClientPayloadError() | zlib.error():
            return "arXiv's answer was cut short or is broken"
        case _:
            return "the connection to arXiv was lost"
