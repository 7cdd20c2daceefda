"""`python -m benchmarks [NAME …]`: run the benches named, or all, one after the other."""

import argparse
from collections.abc import Callable, Mapping

from benchmarks import (
    claims,
    growth,
    overload,
    queue,
    records,
    search,
    start,
    status,
    waiters,
    workers,
)

BENCHES: Mapping[str, Callable[[], None]] = {
    "status": status.run,
    "waiters": waiters.run,
    "overload": overload.run,
    "workers": workers.run,
    "queue": queue.run,
    "claims": claims.run,
    "growth": growth.run,
    "search": search.run,
    "start": start.run,
    "records": records.run,
}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    names = parser.parse_args().names or list(BENCHES)
    if unknown := [name for name in names if name not in BENCHES]:
        parser.error(f"no such bench: {', '.join(unknown)} (there are: {', '.join(BENCHES)})")
    for name in names:
        BENCHES[name]()


if __name__ == "__main__":
    main()
