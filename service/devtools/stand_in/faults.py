"""Faults: what may go wrong, and which request it hits.

Two ways to ask for them. A script is a list of steps; each request takes the
first step that fits it, and a step is used up after `times` requests. A rate
hits a share of all requests; which ones is decided by the seed and the request's
number in its channel, so that a run can be repeated. The script goes first.
`misbehaviour` carries faults out. A step in JSON:

    {"kind": "503", "lane": "api", "number": 3, "retry_after": 7}
"""

import base64
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

from service.devtools.stand_in.wheels import mix

if TYPE_CHECKING:  # the command line reads faults, and its help need not wait for the server
    from service.devtools.stand_in.log import Record

STATUS_KINDS = ("429", "503", "500", "502", "504", "403", "404")
API_KINDS = ("empty", "empty_zero", "surplus", "error_feed", "error_400")
OAI_KINDS = ("oai_error",)
ANSWER_KINDS = ("rate_exceeded", "redirect", "html", "body", "illegal_xml", "half")
WIRE_KINDS = ("reset", "truncate", "half_announced", "stall", "stall_after_headers", "drip", "hold")
KINDS = ("ok", *STATUS_KINDS, *API_KINDS, *OAI_KINDS, *ANSWER_KINDS, *WIRE_KINDS)
LANES = ("api", "oai", "pdf", "html")
MAX_STEPS = 10_000
MAX_SECONDS = 600.0  # the longest that any request is served, held or stalled
_LANE_OF = dict.fromkeys(API_KINDS, "api") | dict.fromkeys(OAI_KINDS, "oai")


class BadFault(ValueError):
    """A fault that cannot be: the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do to a request.

    It fits requests of `lane` (None: any), only the `number`-th of it when that is
    given (as the log counts), only those whose path and query contain `match`.
    `retry_after` is sent as it is; `location` belongs to `redirect`; `body`,
    `content_type` and `status` to `body`. `code` is that of an `oai_error`, `surplus`
    how many entries a page has too many; `illegal_xml` puts `body` into a title, by
    default one of each kind of character that XML forbids. `delay` passes before an
    answer that is not right begins. `seconds` bounds `stall`, `hold` and
    `drip`. `after_bytes` of the body go out before `truncate`, `stall_after_headers`
    and `hold` take effect (None: half of it for `truncate`, nothing for the others).
    `ok` does nothing: it lets a request pass in a sequence.
    """

    kind: str
    lane: str | None = None
    number: int | None = None
    match: str | None = None
    times: int = 1
    retry_after: str | None = None
    location: str | None = None
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    seconds: float = 60.0
    delay: float = 0.0
    surplus: int = 7
    code: str = "badResumptionToken"
    after_bytes: int | None = None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """A step from JSON or the command line; raises BadFault.

        Numbers may be text. `body` is text, `body_base64` bytes. Kinds that only the
        query API knows are for `api` when none is named.
        """
        values = dict(document)
        if "body_base64" in values:
            values["body"] = _decoded(values.pop("body_base64"))
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise BadFault(f"unknown fault field {unknown[0]}")
        if "kind" not in values:
            raise BadFault("a fault needs a kind")
        step = cls(**{name: _read_field(name, value) for name, value in values.items()})
        if step.lane is None and step.kind in _LANE_OF:
            step = replace(step, lane=_LANE_OF[step.kind])
        step.check()
        return step

    def check(self) -> None:
        """Raise BadFault when the step makes no sense."""
        checks = {
            f"unknown fault kind {self.kind}": self.kind in KINDS,
            f"lane must be one of {', '.join(LANES)}": self.lane in (None, *LANES),
            f"kind {self.kind} is for the lane {_LANE_OF.get(self.kind)}": self.lane
            == _LANE_OF.get(self.kind, self.lane),
            "redirect needs a location": self.kind != "redirect" or self.location is not None,
            "number and times must be at least 1": (self.number is None or self.number >= 1)
            and self.times >= 1,
            f"seconds must be 0 to {MAX_SECONDS:g}": 0 <= self.seconds <= MAX_SECONDS,
            f"delay must be 0 to {MAX_SECONDS:g}": 0 <= self.delay <= MAX_SECONDS,
            "surplus must be 1 to 10000": 1 <= self.surplus <= 10_000,
            "after_bytes must not be negative": (self.after_bytes or 0) >= 0,
            "status must be 200 to 599": 200 <= self.status <= 599,
        }
        for message, holds in checks.items():
            if not holds:
                raise BadFault(message)

    def fits(self, record: "Record") -> bool:
        """Whether the request of `record` is one that this step is for."""
        return (
            self.lane in (None, record.lane)
            and self.number in (None, record.number)
            and (self.match is None or self.match in record.path)
        )


@dataclass(frozen=True, slots=True)
class RateFault:
    """`step` for a share `rate` (0–1) of the requests that it fits."""

    rate: float
    step: Step

    @classmethod
    def read(cls, text: str) -> Self:
        """A fault of the command line: `rate=0.05,kind=503,lane=pdf,retry_after=7`.

        A value may contain commas, as HTTP dates do. Raises BadFault.
        """
        parts = re.split(r",(?=[a-z_0-9]+=)", text)
        if not all("=" in part for part in parts):
            raise BadFault("a fault is written as name=value,name=value,…")
        values = dict(part.split("=", 1) for part in parts)
        try:
            rate = float(values.pop("rate", "1"))
        except ValueError:
            raise BadFault("rate must be a number") from None
        if not 0 <= rate <= 1:
            raise BadFault("rate must be 0 to 1")
        return cls(rate, Step.read(values))


class FaultPlan:
    """Decides for each request what is done to it."""

    def __init__(self, rates: Iterable[RateFault], seed: int) -> None:
        self._rates = tuple(rates)
        self._trapped: tuple[RateFault, ...] = ()
        self._seed = seed
        self._script: deque[Step] = deque()

    @property
    def script_left(self) -> int:
        """How many steps of the script wait for their request."""
        return len(self._script)

    def add(self, steps: Sequence[Step]) -> None:
        """Append `steps` to the script; raises BadFault when it would grow too long."""
        if len(self._script) + len(steps) > MAX_STEPS:
            raise BadFault(f"a script has at most {MAX_STEPS} steps")
        self._script.extend(steps)

    def clear(self) -> None:
        """Forget the script; rates stay."""
        self._script.clear()

    def trap(self, faults: Iterable[RateFault]) -> None:
        """Have `faults` apply besides, in place of those given here before."""
        self._trapped = tuple(faults)

    def next(self, record: "Record") -> Step | None:
        """What to do to the request of `record`, None to serve it; uses up a scripted step."""
        for place, step in enumerate(self._script):
            if step.fits(record):
                if step.times == 1:
                    del self._script[place]
                else:
                    self._script[place] = replace(step, times=step.times - 1)
                return None if step.kind == "ok" else step
        for place, fault in enumerate((*self._rates, *self._trapped)):
            draw = mix(self._seed, "fault", place, record.lane, record.number) / 2**64
            if draw < fault.rate and fault.step.fits(record):
                return fault.step
        return None


def _read_field(name: str, value: Any) -> Any:  # noqa: ANN401 - the JSON border
    """A field's value in its type; raises BadFault."""
    try:
        if name in ("number", "times", "status", "after_bytes", "surplus"):
            return None if value is None else int(value)
        if name in ("seconds", "delay"):
            return float(value)
    except (TypeError, ValueError):
        raise BadFault(f"{name} must be a number") from None
    if name == "body":
        return value.encode() if isinstance(value, str) else bytes(value)
    return None if value is None else str(value)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise BadFault("body_base64 must be base64") from None
