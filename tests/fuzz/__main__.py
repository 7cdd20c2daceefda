"""`python -m tests.fuzz`: schemathesis at length, on a database of its own."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from service.db import migrate
from service.db.engine import create_engine
from service.devtools.embedded_postgres import EmbeddedPostgres
from tests.fuzz.run import fuzz
from tests.fuzz.served import served, token


def main() -> int:
    """Run with the options of the command line; 0 when nothing was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=200, help="of each operation and phase")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        server = EmbeddedPostgres.under(Path(folder))
        server.start()
        try:
            code, output = asyncio.run(_fuzz(server.url, Path(folder) / "files", options))
        finally:
            server.stop()
    sys.stdout.write(output)
    return code


async def _fuzz(database_url: str, folder: Path, options: argparse.Namespace) -> tuple[int, str]:
    engine = create_engine(database_url, name="fuzzing", pool_size=1)
    await migrate.upgrade(engine)
    await engine.dispose()
    async with served(database_url, folder) as url:
        return await fuzz(url, token(), examples=options.examples, seed=options.seed)


if __name__ == "__main__":
    sys.exit(main())
