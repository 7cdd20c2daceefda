"""DATABASE_URL: taken apart as libpq does, several hosts included, and written for each reader.

Inside, several hosts stand in the query as libpq's own lists, `host=a,b` and
`port=5432,5433`: SQLAlchemy cannot read `a:5432,b:5433` where one host stands.
"""

import re

from sqlalchemy import URL, make_url

DEFAULT_PORT = 5432
MAX_PORT = 65_535

# Scheme and login as SQLAlchemy reads them; then at least two hosts.
_SEVERAL_HOSTS = re.compile(
    r"([\w+]+://(?:[^:/@]*(?::[^@]*)?@)?)([^/?@]*,[^/?@]*)((?:[/?].*)?)", re.DOTALL
)
_HOST = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:]+))(?::(?P<port>\d+))?")


def parsed(text: str | URL) -> URL:
    """`text` as SQLAlchemy has it; raises ValueError or ArgumentError for what is no URL."""
    if isinstance(text, URL):
        return text
    several = _SEVERAL_HOSTS.fullmatch(text)
    if several is None:
        return make_url(text)
    before, hosts, after = several.groups()
    pairs = [_pair(one) for one in hosts.split(",")]
    lists = {
        "host": ",".join(host for host, _ in pairs),
        "port": ",".join(str(port) for _, port in pairs),
    }
    return make_url(before + after).update_query_dict(lists)


def hosts_of(url: URL) -> list[tuple[str, int]]:
    """The hosts of `url` and their ports, if it names several; else none."""
    hosts = str(url.query.get("host", "")).split(",")
    if len(hosts) < 2 or not isinstance(url.query["host"], str):
        return []
    ports = str(url.query.get("port", url.port or DEFAULT_PORT)).split(",")
    return list(zip(hosts, map(int, ports * len(hosts) if len(ports) == 1 else ports), strict=True))


def asyncpg_url(url: str) -> URL:
    """`url` as SQLAlchemy wants it for asyncpg; libpq's `sslmode` becomes asyncpg's `ssl`."""
    found = parsed(url).set(drivername="postgresql+asyncpg")
    if "sslmode" in found.query:
        mode = found.query["sslmode"]
        found = found.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    if hosts := hosts_of(found):  # SQLAlchemy wants a port for each
        found = found.update_query_dict({"port": ",".join(str(port) for _, port in hosts)})
    return found


def libpq_url(url: str | URL) -> str:
    """`url` as libpq, psql and asyncpg itself want it: without SQLAlchemy's driver name."""
    return parsed(url).set(drivername="postgresql").render_as_string(hide_password=False)


def one_host(url: str | URL, host: str, port: int) -> str:
    """`url` with one of its hosts alone, for asyncpg."""
    bare = parsed(url).difference_update_query(["host", "port"])
    return libpq_url(bare.update_query_dict({"host": host, "port": str(port)}))


def without_password(url: str) -> tuple[str, str | None]:
    """`url` as libpq wants it, but for its password; and that, None if there is none."""
    found = parsed(url)
    known = found.query.get("password", found.password)
    bare = found._replace(password=None).difference_update_query(["password"])
    return libpq_url(bare), known if known is None or isinstance(known, str) else known[-1]


def _pair(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    port = int(found["port"] or DEFAULT_PORT) if found else 0
    if found is None or not 0 < port <= MAX_PORT:
        raise ValueError("a host of several is none")
    return found["v6"] or found["name"], port
