"""The load of random_paths.lua where there is no wrk: asyncio and as little else as can be.

python raw_client.py BASE CONNECTIONS SECONDS
"""

import asyncio
import json
import os
import random
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit


async def main(base: str, paths: list[str], connections: int, seconds: float) -> None:
    """Ask for random paths, and print what came of it as one line of JSON."""
    url = urlsplit(base)
    head = f"HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {os.environ['BENCH_TOKEN']}"
    requests = [f"GET {path} {head}\r\n\r\n".encode() for path in paths]
    times: list[float] = []
    began = time.perf_counter()
    until = began + seconds
    errors = await asyncio.gather(
        *(
            _ask(url.hostname or "", url.port or 80, requests, times, until)
            for _ in range(connections)
        )
    )
    took = time.perf_counter() - began
    cuts = statistics.quantiles(times, n=100)
    print(
        json.dumps(
            {
                "requests": len(times),
                "seconds": took,
                "p50_ms": cuts[49] * 1000,
                "p99_ms": cuts[98] * 1000,
                "errors": sum(errors),
            }
        )
    )


async def _ask(
    host: str, port: int, requests: list[bytes], times: list[float], until: float
) -> int:
    """One connection's requests; returns how many answers were no 200."""
    errors = 0
    reader, writer = await asyncio.open_connection(host, port)
    while (began := time.perf_counter()) < until:
        writer.write(random.choice(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
        await reader.readexactly(int(length))
        errors += b" 200 " not in head[:15]
        times.append(time.perf_counter() - began)
    writer.close()
    return errors


if __name__ == "__main__":
    lines = Path(os.environ["BENCH_PATHS"]).read_text().split()
    asyncio.run(main(sys.argv[1], lines, int(sys.argv[2]), float(sys.argv[3])))
