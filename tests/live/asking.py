"""Single requests to arXiv, slowly: one connection, one request every three seconds.

By hand and without the service's own client, so that what is seen is what arXiv sends:
no redirect is followed, no header is added, nothing is repeated.
"""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from service import __version__

INTERVAL = 3.05  # seconds between two requests: arXiv's terms of use, and a margin
HTML_INTERVAL = 15.0  # robots.txt of arxiv.org
MOST_REQUESTS = 40
TIMEOUT = 90.0
MOST_BYTES = 32 << 20
ACCEPT = "*/*"


class Unreachable(Exception):
    """There is no answer: no connection, or it broke."""


class Refused(Exception):
    """arXiv asks us to stop: it throttles or blocks. Whoever is told so goes on no further."""


class TooMany(Exception):
    """The run would make more requests than it may."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came: header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where arXiv's interfaces are."""

    api: str = "https://export.arxiv.org/api/query"
    oai: str = "https://oaipmh.arxiv.org/oai"
    pdf: str = "https://export.arxiv.org/pdf"
    html: str = "https://arxiv.org/html"
    html_on_export: str = "https://export.arxiv.org/html"

    @classmethod
    def of_stand_in(cls, url: str) -> "Places":
        """All of them at the stand-in that listens on `url`."""
        base = url.rstrip("/")
        html = f"{base}/html"
        return cls(
            api=f"{base}/api/query",
            oai=f"{base}/oai",
            pdf=f"{base}/pdf",
            html=html,
            html_on_export=html,
        )


@dataclass(slots=True)
class Asker:
    """Asks, and keeps arXiv's rules; `requests` counts."""

    places: Places
    contact: str | None = None
    interval: float = INTERVAL
    html_interval: float = HTML_INTERVAL
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    requests: int = 0
    _next_at: float = field(default=0.0, init=False)

    def query(self, *, accept: str | None = ACCEPT, **parameters: object) -> Reply:
        """A request to the query API; without `accept` that header is left out."""
        return self.get(f"{self.places.api}?{urlencode(parameters)}", accept=accept)

    def post(self, **parameters: object) -> Reply:
        """The same, as a POST."""
        return self._ask("POST", self.places.api, form=urlencode(parameters).encode())

    def oai(self, **arguments: object) -> Reply:
        """A request over OAI-PMH; `from_` is the argument `from`."""
        named = {name.rstrip("_"): value for name, value in arguments.items()}
        return self.get(f"{self.places.oai}?{urlencode(named)}")

    def get(
        self,
        url: str,
        *,
        accept: str | None = ACCEPT,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        interval: float | None = None,
    ) -> Reply:
        """A request to any place of arXiv's."""
        return self._ask(method, url, accept=accept, headers=headers, interval=interval)

    def html(self, url: str) -> Reply:
        """A page of HTML, in the larger interval that it wants."""
        return self.get(url, interval=self.html_interval)

    def _ask(
        self,
        method: str,
        url: str,
        *,
        form: bytes | None = None,
        accept: str | None = ACCEPT,
        headers: Mapping[str, str] | None = None,
        interval: float | None = None,
    ) -> Reply:
        if self.requests >= MOST_REQUESTS:
            raise TooMany(f"more than {MOST_REQUESTS} requests")
        agent = f"arxiv-ingestion/{__version__} (contract test)"
        sent = {"User-Agent": f"{agent} (+mailto:{self.contact})" if self.contact else agent}
        sent |= {"Accept": accept} if accept else {}
        sent |= {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        self.sleep(max(0.0, self._next_at - self.clock()))
        self.requests += 1
        try:
            reply = _exchange(method, url, form, {**sent, **(headers or {})})
        except (OSError, http.client.HTTPException) as err:
            raise Unreachable(f"{urlsplit(url).netloc}: {type(err).__name__}") from err
        finally:
            self._next_at = self.clock() + (self.interval if interval is None else interval)
        if reply.status in (403, 429) or reply.body.startswith(b"Rate exceeded"):
            raise Refused(f"{urlsplit(url).netloc} answers {reply.status}")
        return reply


def _exchange(method: str, url: str, form: bytes | None, headers: Mapping[str, str]) -> Reply:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body=form, headers=dict(headers))
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, named, answer.read(MOST_BYTES))
    finally:
        connection.close()
