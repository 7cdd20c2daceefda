"""Load: many connections that ask for random paths of a list, each again when it is answered.

By wrk where it is installed; else by `raw_client`, a plain program of our own, which costs a
core more per request and says so.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask for. `paths` is a file with one path per line."""

    paths: Path
    token: str
    connections: int = 32


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one round; `errors` counts answers that were no 200, and broken connections."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds


def generator() -> str:
    """The program that makes the load here."""
    return "wrk" if shutil.which("wrk") else "raw_client.py (wrk is not installed)"


def put(load: Load, base: str, *, seconds: int) -> Outcome:
    """Put `load` on the server at `base` for `seconds`."""
    if program := shutil.which("wrk"):
        script = str(HERE / "random_paths.lua")
        command = [program, "-t1", f"-c{load.connections}", f"-d{seconds}s", "-s", script, base]
    else:
        client = str(HERE / "raw_client.py")
        command = [sys.executable, client, base, str(load.connections), str(seconds)]
    done = subprocess.run(
        command,
        env={**os.environ, "BENCH_PATHS": str(load.paths), "BENCH_TOKEN": load.token},
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=True,
    )
    return Outcome(**json.loads(done.stdout.strip().splitlines()[-1]))
