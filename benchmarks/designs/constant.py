"""The framework's limit: aiohttp that answers a constant. No token, no database, no log.

python constant.py PORT FILE
"""

import sys
from pathlib import Path

import uvloop
from aiohttp import web


def main(port: int, body: bytes) -> None:
    """Serve `body` at the path of the status route until told to stop."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/v1/ingestion/job/{job_id}", answer)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]).read_bytes())
