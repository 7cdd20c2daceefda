"""`python -m tests.live`: what differs between arXiv today and docs/arxiv.md.

Asks arXiv itself, at most forty times and no faster than it allows, so it takes some three
minutes; never part of the suite or of CI. With `--url` the stand-in is asked instead.
Exit codes: 0 all is as documented, 1 something differs, 3 arXiv cannot be asked now.
"""

import argparse
import os
import sys
from datetime import UTC, datetime

from tests.live.asking import (
    HTML_INTERVAL,
    INTERVAL,
    MOST_REQUESTS,
    Asker,
    Places,
    Refused,
    Unreachable,
)
from tests.live.facts import FACTS, Finding, Seen, findings

AS_DOCUMENTED, DIFFERS, NOT_ASKED = 0, 1, 3
WORDS = {True: "as documented", False: "DIFFERS", None: "not judged"}


def main() -> int:
    """Print the report; the exit code."""
    options = _options()
    places = Places() if options.url is None else Places.of_stand_in(options.url)
    own = {} if options.url is None else {"interval": 0.0, "html_interval": 0.0}
    asker = Asker(places, contact=options.contact, **own)
    print(f"{places.api} and others, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, against docs/arxiv.md")
    seen: dict[str, Finding] = {}
    try:
        for name, finding in findings(Seen(asker)):
            seen[name] = finding
            print(f"{name:<18}{WORDS[finding.holds]:<15}{finding.seen}", flush=True)
    except Unreachable as err:
        print(f"arXiv cannot be reached from here ({err}): {_left(seen)}")
        return NOT_ASKED
    except Refused as err:
        print(f"arXiv asks to stop ({err}); try again tomorrow: {_left(seen)}")
        return NOT_ASKED
    differing = [name for name, finding in seen.items() if finding.holds is False]
    told = ", ".join(differing) or "nothing"
    print(f"{len(seen)} facts, {asker.requests} of {MOST_REQUESTS} requests; differs: {told}")
    return DIFFERS if differing else AS_DOCUMENTED


def _left(seen: dict[str, Finding]) -> str:
    return f"{len(FACTS) - len(seen)} of {len(FACTS)} facts were not looked at"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.live", description=__doc__)
    parser.add_argument("--url", help="ask the stand-in that listens there, without its intervals")
    parser.add_argument(
        "--contact",
        default=os.environ.get("ARXIV_CONTACT"),
        help=f"e-mail for the User-Agent [ARXIV_CONTACT]; every {INTERVAL} s one request,"
        f" of HTML every {HTML_INTERVAL:.0f} s",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
