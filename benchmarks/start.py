"""How long a start takes: `serve` until it is ready, beside the imports that nobody can spare.

Both in the same run, in turns, with bytecode cached; the database exists and runs. The
figure is the ratio of the medians, so that it says something on any machine. The `--help`
of the commands is measured beside it.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median

from service.devtools.embedded_postgres import EmbeddedPostgres

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
IMPORTS = "import aiohttp, sqlalchemy.ext.asyncio, alembic, pgqueuer"
READY_WITHIN = 60.0


def run() -> None:
    """Print the medians in seconds, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres.under(Path(folder))
        server.start()
        try:
            environ = {
                **{name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
                "DATABASE_URL": server.url,
                "DATA_DIR": folder,
                "JWT_SECRET": "s" * 48,
            }
            _measure(environ)
        finally:
            server.stop()


def _measure(environ: dict[str, str]) -> None:
    _ready(environ), _ended(environ, "-c", IMPORTS)  # migrate, and cache the bytecode
    imports, serves, helps = [], [], []
    for _ in range(ROUNDS):
        imports.append(_ended(environ, "-c", IMPORTS))
        serves.append(_ready(environ))
        helps.append(_ended(environ, "-m", "service", "serve", "--help"))
    ratio = median(serves) / median(imports)
    print(f"start, medians of {ROUNDS}:")
    print(f"  {IMPORTS}: {median(imports):.2f} s")
    print(f"  serve, until /readyz is 200: {median(serves):.2f} s, ratio {ratio:.2f}")
    print(f"  serve --help: {median(helps):.2f} s")


def _ended(environ: dict[str, str], *arguments: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _ready(environ: dict[str, str]) -> float:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve"],
        env={**environ, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - begin > READY_WITHIN:
                raise RuntimeError("serve did not become ready")
            time.sleep(0.01)
        return time.perf_counter() - begin
    finally:
        process.terminate()
        process.wait(60)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
