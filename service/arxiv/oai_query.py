"""OAI-PMH request parameters of each verb, and parsing of resumption tokens.

arXiv's token is no secret handle: it is the query itself, URL-encoded and quoted
once more, with `skip` for what was shown already. A page that spans days moves
`from` to the last day shown. So a token that is lost or refused costs at most the
day it was in: the harvest goes on with `from` that day. Servers of the past gave
opaque tokens (`496549|96001`), and proxies encode once more or once less; what
cannot be read is sent to arXiv as it came.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from urllib.parse import parse_qs, quote, unquote, urlencode

EARLIEST_DAY = date(2005, 9, 16)  # arXiv refuses an earlier `from` (Identify)

_MAX_TOKEN_LENGTH = 2_000  # arXiv's have some 150 characters
_MAX_QUOTINGS = 3


class Verb(StrEnum):
    """The requests of OAI-PMH that the service makes."""

    LIST_IDENTIFIERS = "ListIdentifiers"
    LIST_RECORDS = "ListRecords"
    GET_RECORD = "GetRecord"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What one list is asked for; days are datestamps (UTC), both inclusive, None for open."""

    verb: Verb = Verb.LIST_RECORDS
    metadata_prefix: str = "arXivRaw"
    from_date: date | None = None
    until_date: date | None = None
    set_spec: str | None = None
    skip: int = 0

    def params(self) -> dict[str, str]:
        """The parameters of the first request; a `from` before arXiv's earliest day is left out."""
        given = {"from": self.from_date, "until": self.until_date}
        if self.from_date and self.from_date <= EARLIEST_DAY:
            given["from"] = None
        params = {"verb": self.verb.value, "metadataPrefix": self.metadata_prefix}
        params |= {name: day.isoformat() for name, day in given.items() if day}
        return params | ({"set": self.set_spec} if self.set_spec else {})

    def token(self) -> str:
        """The token that arXiv writes for this query and `skip`."""
        return quote(urlencode(self.params() | {"skip": str(self.skip)}))


def next_page(verb: Verb, token: str) -> dict[str, str]:
    """The parameters that ask for the page of `token`, which is taken as the answer had it."""
    return {"verb": verb.value, "resumptionToken": token}


def get_record(paper: str, metadata_prefix: str) -> dict[str, str]:
    """The parameters that ask for one paper, by its arXiv id without version."""
    identifier = f"oai:arXiv.org:{paper}"
    params = {"verb": Verb.GET_RECORD.value, "identifier": identifier}
    return params | {"metadataPrefix": metadata_prefix}


def decoded(token: str) -> ListQuery | None:
    """What a token says, however often it was quoted; None for one that says nothing to us."""
    if len(token) > _MAX_TOKEN_LENGTH:
        return None
    for _ in range(_MAX_QUOTINGS + 1):
        if "=" in token:
            return _query(token)
        token = unquote(token)
    return None


def _query(encoded: str) -> ListQuery | None:
    fields = {name: values[0] for name, values in parse_qs(encoded).items()}
    try:
        return ListQuery(
            verb=Verb(fields["verb"]),
            metadata_prefix=fields["metadataPrefix"],
            from_date=_day(fields.get("from")),
            until_date=_day(fields.get("until")),
            set_spec=fields.get("set"),
            skip=int(fields["skip"]),
        )
    except (KeyError, ValueError):
        return None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
