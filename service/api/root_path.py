"""`ROOT_PATH`: the path prefix under which a proxy publishes the service.

Requests come with or without it; what leads back to the service carries it.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from yarl import URL

ROOT_PATH: web.AppKey[str] = web.AppKey("root_path", str)

RequestFactory = Callable[..., web.BaseRequest]


def public_path(app: web.Application, path: object) -> str:
    """`path` as a client reaches it, for `Location`, `Link` and the like."""
    return f"{app.get(ROOT_PATH, '')}{path}"


def without_root_path(make: RequestFactory, root: str) -> RequestFactory:
    """`make`, aiohttp's factory of requests, for messages whose path may begin with `root`."""
    if not root:
        return make

    def make_stripped(message: RawRequestMessage, *args: Any, **options: Any) -> web.BaseRequest:  # noqa: ANN401 - aiohttp's
        path = message.path
        if path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/", "?"):
            rest = path[len(root) :]
            rest = rest if rest.startswith("/") else f"/{rest}"
            message = message._replace(path=rest, url=URL(rest, encoded=True))
        return make(message, *args, **options)

    return make_stripped
