"""The service from outside: each test is a case of the fault list, and bears its number.

The fixtures are those of the layers that the cases are about: a case must not
need a rig of its own to be seen.
"""

from tests.api.conftest import api, api_database, link, serve, store
from tests.arxiv.conftest import http, other_host, upstream
from tests.cli.conftest import service, tools
from tests.faults.servers import own, own_server
from tests.jobs.conftest import replica, rig
from tests.migrations.conftest import empty, empty_url

__all__ = [
    "api",
    "api_database",
    "empty",
    "empty_url",
    "http",
    "link",
    "other_host",
    "own",
    "own_server",
    "replica",
    "rig",
    "serve",
    "service",
    "store",
    "tools",
    "upstream",
]
