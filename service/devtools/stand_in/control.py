"""The control API under `/_replica/`: for tests that run the replica in another process.

| request | does |
| --- | --- |
| `GET /_replica/health?held=N&wait=S` | what is under way; waits up to S s until N are held |
| `GET /_replica/log?since=N&lane=L` | the records after serial N, as a JSON array |
| `DELETE /_replica/log` | forgets them; lanes count from 1 again |
| `POST /_replica/script` | appends a JSON array of steps (see `faults`) to the script |
| `DELETE /_replica/script` | forgets the script |
| `POST /_replica/release?count=N` | lets held requests go on: all, or the N that wait longest |

These requests are neither recorded nor hit by faults or latency.
"""

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from service.devtools.stand_in.faults import BadFault, FaultPlan, Step
from service.devtools.stand_in.log import RequestLog
from service.devtools.stand_in.misbehaviour import HeldRequests

MAX_WAIT = 60.0


class Control:
    """Handlers over the log, the faults and the held requests of one replica."""

    def __init__(self, log: RequestLog, plan: FaultPlan, holds: HeldRequests) -> None:
        self._log = log
        self._plan = plan
        self._holds = holds

    def routes(self) -> list[web.RouteDef]:
        """The routes of the control API."""
        return [
            web.get("/_replica/health", self.health),
            web.get("/_replica/log", self.read_log),
            web.delete("/_replica/log", self.clear_log),
            web.post("/_replica/script", self.add_script),
            web.delete("/_replica/script", self.clear_script),
            web.post("/_replica/release", self.release),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """What is under way; with `held`, as soon as so many requests are held."""
        wanted = _number(request.query, "held")
        wait = min(_number(request.query, "wait"), MAX_WAIT)
        with contextlib.suppress(TimeoutError):  # the answer then shows how many are held
            await self._holds.wait_for(wanted, timeout=wait)
        state = {
            "status": "ok",
            "open": {lane: count for lane, count in self._log.open.items() if count},
            "held": self._holds.count,
            "script_left": self._plan.script_left,
            "records": len(self._log.records),
        }
        return web.json_response(state)

    async def read_log(self, request: web.Request) -> web.Response:
        """The records after `since`."""
        since, lane = _number(request.query, "since"), request.query.get("lane")
        records = self._log.since(since, lane=lane)
        return web.json_response([dataclasses.asdict(record) for record in records])

    async def clear_log(self, _: web.Request) -> web.Response:
        """Forget the records."""
        self._log.clear()
        return web.Response(status=204)

    async def add_script(self, request: web.Request) -> web.Response:
        """Append steps: all of them, or none when one is wrong."""
        try:
            documents = await request.json()
            if not isinstance(documents, list) or not all(isinstance(d, dict) for d in documents):
                raise BadFault("a script is an array of objects")
            self._plan.add([Step.read(document) for document in documents])
        except (json.JSONDecodeError, UnicodeDecodeError):
            return _refusal("the body is not JSON")
        except BadFault as error:
            return _refusal(str(error))
        return web.json_response({"script_left": self._plan.script_left})

    async def clear_script(self, _: web.Request) -> web.Response:
        """Forget the steps that were not used."""
        self._plan.clear()
        return web.Response(status=204)

    async def release(self, request: web.Request) -> web.Response:
        """Let held requests go on."""
        count = _number(request.query, "count") if "count" in request.query else None
        return web.json_response({"released": self._holds.release(count)})


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number")
    return int(text)


def _refusal(message: str) -> web.Response:
    error: dict[str, Any] = {"error": message}
    return web.json_response(error, status=400)
