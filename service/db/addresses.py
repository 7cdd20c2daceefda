"""The database's URL: read once as libpq means it, and written as each library wants it.

SQLAlchemy takes a URL apart, but knows no list of hosts, and hands parameters to
asyncpg that are the server's (`options`). So hosts are cut out before it looks, and
connections are made from the text that libpq, psql and asyncpg itself read alike:
`postgresql://user:password@host:1,[::1]:2/database?options=-c%20search_path%3Dx`.
"""

import re
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.util import to_list

MAX_PORT = 65_535
OF_SQLALCHEMY = ("prepared_statement_cache_size",)  # parameters that no server knows
HIDDEN = "***"

# The user, the password and what ends them are found as SQLAlchemy finds them.
_SEVERAL = re.compile(
    r"(?P<before>[\w+]+://(?:[^:/]*(?::[^@]*)?@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<after>(?:[/?].*)?)",
    re.DOTALL,
)
_HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\[\]:,@\s]+)(?::(?P<port>\d{1,5}))?", re.ASCII
)


def read_url(text: str | URL) -> URL:
    """`text` in its parts; several hosts, with their ports, stand together in `host`.

    Raises ArgumentError or ValueError for what is no URL.
    """
    if isinstance(text, URL):
        return text
    found = _SEVERAL.fullmatch(text)
    if found is None:
        url = make_url(text)
        several = url.query.get("host")
        if several is None or isinstance(several, str):
            return url
        hosts = ",".join(several)  # SQLAlchemy's way to name them
        return url.difference_update_query(["host"]).set(host=_checked(hosts))
    url = make_url(f"{found['before']}several{found['after']}")
    return url.set(host=_checked(found["hosts"]))


def written(url: URL, *, hide_password: bool = False) -> str:
    """`url` as a text; unlike SQLAlchemy's, a blank is `%20` in it, which all readers know."""
    user = "" if url.username is None else quote(url.username, safe="")
    if url.password is not None:
        user += ":" + (HIDDEN if hide_password else quote(str(url.password), safe=""))
    place = url.host or ""
    if ":" in place and "," not in place:
        place = f"[{place}]"
    text = f"{url.drivername}://{user}{'@' if user else ''}{place}"
    if url.port is not None:
        text += f":{url.port}"
    if url.database is not None:
        text += "/" + quote(url.database, safe="/")
    pairs = [(name, one) for name, value in sorted(url.query.items()) for one in to_list(value)]
    told = "&".join(f"{quote(name, safe='')}={quote(value, safe='/')}" for name, value in pairs)
    return f"{text}?{told}" if told else text


def asyncpg_url(url: str) -> URL:
    """`url` as SQLAlchemy wants it for asyncpg; libpq's `sslmode` becomes asyncpg's `ssl`."""
    return _renamed(read_url(url).set(drivername="postgresql+asyncpg"), "sslmode", "ssl")


def libpq_url(url: str | URL) -> str:
    """`url` as libpq, psql and asyncpg itself want it: without what is SQLAlchemy's own."""
    parsed = _renamed(read_url(url).set(drivername="postgresql"), "ssl", "sslmode")
    return written(parsed.difference_update_query(OF_SQLALCHEMY))


def without_password(url: str) -> tuple[str, str | None]:
    """`url` as libpq wants it, but for its password; and that, None if there is none."""
    parsed = read_url(url)
    known = parsed.query.get("password", parsed.password)
    bare = parsed._replace(password=None).difference_update_query(["password"])
    return libpq_url(bare), known if known is None or isinstance(known, str) else known[-1]


def _renamed(url: URL, name: str, new: str) -> URL:
    if name not in url.query:
        return url
    return url.difference_update_query([name]).update_query_dict({new: url.query[name]})


def _checked(hosts: str) -> str:
    for host in hosts.split(","):
        found = _HOST.fullmatch(host)
        if found is None or int(found["port"] or 0) > MAX_PORT:
            raise ValueError("a host or port that is none")
    return hosts
