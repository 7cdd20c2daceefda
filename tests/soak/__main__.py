"""`python -m tests.soak`: disturb a fleet for a while, and print what came of it."""

import argparse
import asyncio
import dataclasses
import sys
import tempfile
from pathlib import Path

from tests.soak.plan import Plan, seconds_range
from tests.soak.run import Report, soak


def main() -> int:
    """Run with the options of the command line; 0 when nothing was wrong."""
    plan = Plan(**vars(_parser().parse_args()))
    sys.stdout.write(f"seed {plan.seed}: {plan}\n")
    sys.stdout.flush()
    if plan.keep is not None:
        plan.keep.mkdir(parents=True)
        report = asyncio.run(soak(plan, plan.keep.absolute()))
    else:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            report = asyncio.run(soak(plan, Path(folder)))
    sys.stdout.write("\n".join(lines(report)) + "\n")
    return 1 if report.wrong else 0


def lines(report: Report) -> list[str]:
    """The report as a person reads it."""
    shown = [f"seed {report.seed}, {report.seconds:.0f} s"]
    shown += [f"  {kind}: {count}" for kind, count in sorted(report.done.items())]
    shown += [f"  {what}: {figure}" for what, figure in report.figures.items()]
    shown += [f"WRONG: {what}" for what in report.wrong[:100]]
    shown += ["nothing wrong" if not report.wrong else f"{len(report.wrong)} things wrong"]
    return shown


def _parser() -> argparse.ArgumentParser:
    """An option for each field of the plan."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    kinds = {"kills": int, "gold": Path, "keep": Path}
    for option in dataclasses.fields(Plan):
        default = option.default
        kind = kinds.get(option.name, type(default))
        is_range = isinstance(default, tuple)
        parser.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=seconds_range if is_range else kind,
            default=default,
            metavar="LOW-HIGH" if is_range else None,
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
