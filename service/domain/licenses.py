"""Licences of papers: which one holds, and whether the paper may be passed on under it.

arXiv's licences are `http://` URIs (info.arxiv.org/help/license): Creative Commons
and its public domain marks, arXiv's own non-exclusive licence to distribute, and,
where a record names none, the licence that arXiv assumes for the years 1991 to
2003. The URI is kept as the source tells it; here it is only judged and compared.
"""

from urllib.parse import urlsplit

ASSUMED = "http://arxiv.org/licenses/assumed-1991-2003/"  # holds where a record names none
NONEXCLUSIVE = "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"

_FREE = ("http://creativecommons.org/licenses/", "http://creativecommons.org/publicdomain/")


def license_url(told: str | None, *, is_told: bool) -> str | None:
    """The licence that holds: the URI told, arXiv's assumed one if none was told, None if unknown.

    `is_told`: some source that tells licences (OAI-PMH, the snapshot) has described
    the paper. The query API does not tell them.
    """
    return told or (ASSUMED if is_told else None)


def may_redistribute(url: str | None) -> bool | None:
    """Whether the paper's files may be given to others under the licence `url`; None for None.

    True for Creative Commons (CC0 and the public domain marks included), False for
    arXiv's own licences and for any that is not known.
    """
    if url is None:
        return None
    return normalised(url).startswith(_FREE)


def normalised(url: str) -> str:
    """`url` the way arXiv writes licences: http, host in lower case without www, slash at the end.

    Two spellings of one licence have the same normal form. Text that is no URL comes
    back with a slash at its end, and equals no licence.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # an IPv6 address that is none
        return f"{url.strip().rstrip('/')}/"
    if parts.scheme.lower() not in ("http", "https"):
        return f"{url.strip().rstrip('/')}/"
    host = parts.netloc.lower().removeprefix("www.")
    return f"http://{host}{parts.path.rstrip('/')}/"


def spellings(url: str) -> tuple[str, ...]:
    """Every spelling of the licence `url` that a source may have told: what a filter looks for."""
    normal = normalised(url)
    bare = normal.removeprefix("http://").rstrip("/")
    return tuple(f"{scheme}://{bare}{end}" for scheme in ("http", "https") for end in ("/", ""))
