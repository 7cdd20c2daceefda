"""Database URL: parsed as libpq does, and written as each library wants it.

SQLAlchemy takes a URL apart, but knows no list of hosts, and hands parameters to
asyncpg that are the server's (`options`). So hosts are cut out before it looks, and
connections are made from the text that libpq, psql and asyncpg itself read alike:
`postgresql://user:password@host:1,[::1]:2/database?options=-c%20search_path%3Dx`.
"""

import re
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.util import to_list

DEFAULT_PORT = 5432
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
        return _together(make_url(text))
    url = make_url(f"{found['before']}several{found['after']}")
    return url.set(host=_checked(found["hosts"]))


def _together(url: URL) -> URL:
    """`url` with the hosts of its query, if those are several, in `host`, each with its port."""
    several = url.query.get("host")
    if several is None or (isinstance(several, str) and "," not in several):
        return url
    hosts = several.split(",") if isinstance(several, str) else list(several)
    ports = str(url.query.get("port", "")).split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    if len(ports) != len(hosts):
        raise ValueError("not one port for each host")
    pairs = [
        f"[{host}]:{port}" if host.count(":") > 1 and port else f"{host}:{port}" if port else host
        for host, port in zip(hosts, ports, strict=True)
    ]
    return url.difference_update_query(["host", "port"]).set(host=_checked(",".join(pairs)))


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


def hosts_of(url: URL) -> list[tuple[str, int]]:
    """The hosts of a URL that names several, with their ports; none for any other."""
    if "," not in (url.host or ""):
        return []
    return [_pair(one, url.port or DEFAULT_PORT) for one in str(url.host).split(",")]


def one_host(url: str | URL, host: str, port: int) -> str:
    """`url` with one of its hosts alone, for asyncpg."""
    return libpq_url(read_url(url).set(host=host, port=port))


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
        if found is None or not 0 < int(found["port"] or DEFAULT_PORT) <= MAX_PORT:
            raise ValueError("a host or port that is none")
    return hosts


def _pair(text: str, default: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    assert found is not None, "checked when the URL was read"
    port = found["port"]
    host = text[: -len(port) - 1] if port else text
    return host.strip("[]"), int(port or default)
