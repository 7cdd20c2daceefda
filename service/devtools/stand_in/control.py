"""The control API under `/_replica/`: for tests that run the replica in another process.

| request | does |
| --- | --- |
| `GET /_replica/health?held=N&wait=S` | what is under way; waits up to S s until N are held |
| `GET /_replica/log?since=N&lane=L` | the records after serial N, as a JSON array |
| `DELETE /_replica/log` | forgets them; channels count from 1 again |
| `POST /_replica/script` | appends a JSON array of steps (see `faults`) to the script |
| `DELETE /_replica/script` | forgets the script |
| `POST /_replica/release?count=N` | lets held requests go on: all, or the N that wait longest |
| `GET /_replica/traps` | which traps are on (see `traps`) |
| `PATCH /_replica/traps` | switches traps: `{"or-by-default": true, "surplus": 3}` |
| `POST /_replica/amend` | changes papers now: `{"ids": [...], "kind": "version"}` |
| `POST /_replica/outage` | begins one: `{"lane": "pdf", "seconds": 5, "refuse": true}` |
| `DELETE /_replica/outage` | ends those that do not refuse connections |
| `GET /_replica/clock` | what time it is here |
| `PATCH /_replica/clock` | sets it: `{"now": "2026-12-01T00:05:00Z"}` or `{"advance": 3600}` |
| `POST /_replica/oai/expire` | lets every resumption token expire that was given so far |
| `DELETE /_replica/oai/cache` | empties the cache of OAI-PMH, as an announcement does |

These requests are neither recorded nor hit by faults or latency.
"""

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from aiohttp import web

from service.devtools.stand_in.amendments import BadChange
from service.devtools.stand_in.clock import Clock
from service.devtools.stand_in.faults import BadFault, FaultPlan, Step
from service.devtools.stand_in.log import RequestLog
from service.devtools.stand_in.misbehaviour import HeldRequests
from service.devtools.stand_in.oai import OaiServer
from service.devtools.stand_in.oai_cache import OaiCache
from service.devtools.stand_in.outages import Outage, Outages
from service.devtools.stand_in.traps import BadTrap, Setting, Traps

MAX_WAIT = 60.0


class Controlled(Protocol):
    """What is controlled: a running replica."""

    log: RequestLog
    holds: HeldRequests
    clock: Clock
    outages: Outages
    traps: Traps
    cache: OaiCache
    oai: OaiServer

    def trap(self, name: str, value: bool | float = True) -> None:
        """Switch a trap; raises BadTrap."""
        ...


class Control:
    """Handlers over one replica, and over the plan of its faults."""

    def __init__(self, replica: Controlled, plan: FaultPlan) -> None:
        self._replica = replica
        self._log = replica.log
        self._plan = plan
        self._holds = replica.holds

    def routes(self) -> list[web.RouteDef]:
        """The routes of the control API."""
        return [
            web.get("/_replica/health", self.health),
            web.get("/_replica/log", self.read_log),
            web.delete("/_replica/log", self.clear_log),
            web.post("/_replica/script", self.add_script),
            web.delete("/_replica/script", self.clear_script),
            web.post("/_replica/release", self.release),
            web.get("/_replica/traps", self.read_traps),
            web.patch("/_replica/traps", self.switch_traps),
            web.post("/_replica/amend", self.amend),
            web.post("/_replica/outage", self.begin_outage),
            web.delete("/_replica/outage", self.end_outages),
            web.get("/_replica/clock", self.read_clock),
            web.patch("/_replica/clock", self.set_clock),
            web.post("/_replica/oai/expire", self.expire_tokens),
            web.delete("/_replica/oai/cache", self.clear_cache),
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
            documents = await _json(request)
            if not isinstance(documents, list) or not all(isinstance(d, dict) for d in documents):
                raise BadFault("a script is an array of objects")
            self._plan.add([Step.read(document) for document in documents])
        except ValueError as error:
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

    async def read_traps(self, _: web.Request) -> web.Response:
        """Every trap, and whether it is on."""
        return web.json_response(self._replica.traps.state())

    async def switch_traps(self, request: web.Request) -> web.Response:
        """Switch traps: all that are named, or none when one is wrong."""
        try:
            wanted = await _object(request)
            for name, value in wanted.items():
                if not isinstance(value, bool | int | float):
                    raise BadTrap(f"{name} must be true, false or a number")
                Setting(name, None if isinstance(value, bool) else float(value)).check()
            for name, value in wanted.items():
                self._replica.trap(name, value)
        except ValueError as error:
            return _refusal(str(error))
        return await self.read_traps(request)

    async def amend(self, request: web.Request) -> web.Response:
        """Change papers: all that are named, or none when one does not exist."""
        try:
            wanted = await _object(request)
            ids = wanted.get("ids")
            if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
                raise BadChange("ids must be an array of texts")
            kind, uri = str(wanted.get("kind", "metadata")), wanted.get("license")
            self._replica.oai.amend_all(ids, kind, None if uri is None else str(uri))
        except ValueError as error:
            return _refusal(str(error))
        return web.json_response({"amended": len(ids)})

    async def begin_outage(self, request: web.Request) -> web.Response:
        """Begin an outage."""
        try:
            self._replica.outages.begin(Outage.read(await _object(request)))
        except ValueError as error:
            return _refusal(str(error))
        return web.Response(status=204)

    async def end_outages(self, _: web.Request) -> web.Response:
        """End outages."""
        self._replica.outages.end()
        return web.Response(status=204)

    async def read_clock(self, _: web.Request) -> web.Response:
        """The time."""
        return web.json_response({"now": self._replica.clock.now().isoformat()})

    async def set_clock(self, request: web.Request) -> web.Response:
        """Set the time, or let some pass."""
        try:
            wanted = await _object(request)
            if "now" in wanted:
                moment = datetime.fromisoformat(str(wanted["now"]))
                self._replica.clock.set(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
            else:
                self._replica.clock.advance(float(wanted["advance"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            return _refusal("now must be a moment, or advance a number of seconds")
        return await self.read_clock(request)

    async def expire_tokens(self, _: web.Request) -> web.Response:
        """Let resumption tokens expire."""
        return web.json_response({"expired": self._replica.oai.tokens.expire()})

    async def clear_cache(self, _: web.Request) -> web.Response:
        """Empty the cache of OAI-PMH."""
        self._replica.cache.clear()
        return web.Response(status=204)


async def _json(request: web.Request) -> Any:  # noqa: ANN401 - the JSON border
    """The body as JSON; raises ValueError."""
    try:
        return await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError("the body is not JSON") from None


async def _object(request: web.Request) -> dict[str, Any]:
    document = await _json(request)
    if not isinstance(document, dict):
        raise BadFault("the body must be a JSON object")
    return document


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number")
    return int(text)


def _refusal(message: str) -> web.Response:
    error: dict[str, Any] = {"error": message}
    return web.json_response(error, status=400)
