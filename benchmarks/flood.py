"""Submissions as fast as they are answered, over several connections, by several callers in turn.

python flood.py BASE CONNECTIONS SECONDS

The file BENCH_TOKENS holds one token a line. Prints one line of JSON: status → answers.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

PATH = "/api/v1/ingestion/arxiv"
BODY = b'{"search_query": {"category": "cs.AI"}}'


async def main(base: str, tokens: list[str], connections: int, seconds: float) -> None:
    """Flood for so long, and print what came of it."""
    url = urlsplit(base)
    head = f"POST {PATH} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(BODY)}\r\nAuthorization: Bearer "
    requests = itertools.cycle(f"{head}{token}\r\n\r\n".encode() + BODY for token in tokens)
    answers: Counter[str] = Counter()
    until = time.perf_counter() + seconds

    async def post() -> None:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        while time.perf_counter() < until:
            writer.write(next(requests))
            fields = await reader.readuntil(b"\r\n\r\n")
            length = fields.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            answers[fields[9:12].decode()] += 1
        writer.close()

    await asyncio.gather(*(post() for _ in range(connections)))
    print(json.dumps(answers))


if __name__ == "__main__":
    lines = Path(os.environ["BENCH_TOKENS"]).read_text().split()
    uvloop.run(main(sys.argv[1], lines, int(sys.argv[2]), float(sys.argv[3])))
