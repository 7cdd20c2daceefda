"""Redirect policy: within arXiv's own host, never to a weaker scheme, a few hops.

The HTTP library follows any, also into our own network; so it follows none for
us, and each hop is judged here and asked for as a request of its own.
"""

from yarl import URL

from service.domain.errors import RedirectRefused

MAX_HOPS = 5
_FOLLOWED = frozenset({301, 302, 307, 308})


def next_hop(asked: URL, status: int, location: str | None) -> URL | None:
    """Where the answer to `asked` sends us; None when it is no redirect.

    Raises RedirectRefused for anything but the same host by the same scheme
    and port or by https, and for kinds of redirect that arXiv does not use.
    """
    if not 300 <= status < 400:
        return None
    target = _target(asked, location) if status in _FOLLOWED else None
    if target is None or not _is_allowed(asked, target):
        raise RedirectRefused("arXiv's answer points somewhere else; not followed")
    return target


def too_many_hops() -> RedirectRefused:
    """The error for a chain of more than `MAX_HOPS` redirects."""
    return RedirectRefused(f"arXiv's answers redirect more than {MAX_HOPS} times")


def _target(asked: URL, location: str | None) -> URL | None:
    try:
        return asked.join(URL(location)) if location else None
    except ValueError:
        return None


def _is_allowed(asked: URL, target: URL) -> bool:
    if target.host != asked.host or target.user or target.password:
        return False
    is_same_origin = (target.scheme, target.port) == (asked.scheme, asked.port)
    return is_same_origin or (target.scheme, target.port) == ("https", 443)
